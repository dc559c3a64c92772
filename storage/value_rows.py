"""What rules measured of late, as the collector keeps it: an hour by minute, a day by five minutes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from storage.state import State

MINUTE_NANO = 60_000_000_000
SLOT_NANO = 300_000_000_000
MINUTES = 60
SLOTS = 288

Values = tuple[tuple[int, float], ...]
"""Times in nanoseconds since 1970, at which a minute or slot begins, and values; ascending, gaps left out."""


@dataclass(frozen=True, slots=True)
class RecordedValues:
    """Of one rule and key."""

    rule: str
    key: tuple[tuple[str, str], ...]
    minutes: Values
    slots: Values


def recorded_values(state: State, rule: str | None = None) -> list[RecordedValues]:
    """Of one rule, or of all; a row that can't be read is left out. Raise StateError."""
    where = "" if rule is None else " WHERE rule = ?"
    rows = state.rows(f"SELECT rule, key, content FROM value_history{where}", () if rule is None else (rule,))  # noqa: S608  # our own text
    return [made for row in rows if (made := _values(*row)) is not None]


def _values(rule: str, key: str, content: bytes) -> RecordedValues | None:
    try:
        minutes, slots = orjson.loads(content)
        pairs = tuple((str(label), str(value)) for label, value in orjson.loads(key))
        return RecordedValues(rule, pairs, tuple(_ring(minutes, MINUTE_NANO)), tuple(_ring(slots, SLOT_NANO)))
    except (ValueError, TypeError, LookupError):
        return None


def _ring(content: Any, nano: int) -> Iterator[tuple[int, float]]:
    last, values = int(content[0]), content[1]
    for slot in range(max(0, last - len(values) + 1), last + 1):
        value = values[slot % len(values)]
        if isinstance(value, int | float):
            yield slot * nano, float(value)
