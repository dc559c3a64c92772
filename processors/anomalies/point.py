"""What a detector says of one point, for other judges."""

from __future__ import annotations

from typing import NamedTuple

from processors.anomalies.watches import Key


class Point(NamedTuple):
    """The end of its five minutes, and how unusual they were."""

    watch: str
    key: Key
    time_unix_nano: int
    value: float
    score: float
    learning: bool
