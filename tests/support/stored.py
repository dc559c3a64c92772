"""Records in a segment, as few as a test needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

HOUR = 1_795_435_200 * 1_000_000_000
"""2026-11-23T12:00:00Z."""


def stored(number: int, given: dict[str, Any]) -> dict[str, Any]:
    """A record with what every line has; it happened so many nanoseconds after the hour, where it does not say."""
    times = {"time_unix_nano": HOUR + number, "received_unix_nano": HOUR + number}
    return {**times, "service": "app", "batch_id": "b", "batch_index": number, **given}


def store(folder: Path, stream: str, *records: dict[str, Any]) -> Path:
    """Write them; give the folder."""
    path = folder / stream / "2026-11-23T12.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (stored(number, record) for number, record in enumerate(records))
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    return folder
