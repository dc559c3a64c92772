"""Records with numbers, so that a test can tell which of them a store kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HOUR = 3_600_000_000_000
NOON = 1_795_435_200_000_000_000
"""2026-11-23T12:00:00Z, in nanoseconds since 1970."""


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def line(number: int, time: int = NOON, size: int = 20) -> bytes:
    record = {"time_unix_nano": time, "received_unix_nano": time, "number": number, "filling": "x" * size}
    return json.dumps(record).encode() + b"\n"


def numbers(folder: Path, stream: str = "traces") -> list[int]:
    """What a reader finds: the numbers of all records of the stream, in the order of the segments."""
    found: list[int] = []
    for path in sorted((folder / stream).glob("*.jsonl"), key=lambda path: (len(path.name), path.name)):
        for text in path.read_bytes().splitlines():
            record: dict[str, Any] = json.loads(text)
            found.append(record["number"])
    return found


def segment_names(folder: Path, stream: str = "traces") -> list[str]:
    return sorted(path.name for path in (folder / stream).iterdir())
