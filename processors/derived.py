"""Lines of the derived streams, finished and waiting to be stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from processors.observation import Observation
from processors.timestamps import Timestamps

STREAMS = (
    "performance",
    "errors",
    "security",
    "business",
    "system",
    "rollups",
    "rollups_1h",
    "rollups_1d",
    "alerts",
)
"""What judging writes. `health` is written by the probes and read like what is received."""
OWN_SERVICE = "forecourt"


class DerivedLines:
    """`batch_id` and `batch_index` are those of the record that a line was derived from, else of its own content."""

    def __init__(self) -> None:
        self._timestamps = Timestamps()
        self._lines: dict[str, list[bytes]] = {}
        self._times: dict[str, list[int]] = {}

    def of(self, source: Observation, stream: str, time_unix_nano: int, fields: Mapping[str, Any]) -> None:
        self._add(
            stream,
            time_unix_nano,
            {
                "timestamp": self._timestamps(time_unix_nano),
                "time_unix_nano": time_unix_nano,
                "received_unix_nano": source.received_unix_nano,
                "service": source.service,
                **fields,
                "batch_id": source.batch_id,
                "batch_index": source.batch_index,
            },
        )

    def own(
        self, service: str, stream: str, time_unix_nano: int, now_unix_nano: int, fields: Mapping[str, Any]
    ) -> None:
        """What no single record tells."""
        content = {
            "timestamp": self._timestamps(time_unix_nano),
            "time_unix_nano": time_unix_nano,
            "received_unix_nano": now_unix_nano,
            "service": service,
            **fields,
        }
        digest = hashlib.blake2b(orjson.dumps(content), digest_size=8).hexdigest()
        self._add(stream, time_unix_nano, {**content, "batch_id": digest, "batch_index": 0})

    def _add(self, stream: str, time_unix_nano: int, content: Mapping[str, Any]) -> None:
        self._lines.setdefault(stream, []).append(orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE))
        self._times.setdefault(stream, []).append(time_unix_nano)

    def take(self) -> list[tuple[str, bytes, list[int]]]:
        """Each stream's lines and their times since they were last taken."""
        taken = [(stream, b"".join(lines), self._times[stream]) for stream, lines in self._lines.items()]
        self._lines, self._times = {}, {}
        return taken
