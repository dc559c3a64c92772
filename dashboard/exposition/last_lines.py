"""The newest records of a stream, however long it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

_ENDING = ".jsonl"


def last_segment(stream_folder: Path) -> Path | None:
    """The one that was begun last, of those that may still grow."""
    try:
        with os.scandir(stream_folder) as entries:
            newest = max((one.name for one in entries if one.name.endswith(_ENDING)), default=None)
    except FileNotFoundError:
        return None
    return None if newest is None else stream_folder / newest


def last_lines(stream_folder: Path, most_bytes: int) -> Iterator[Mapping[str, Any]]:
    """The whole lines in the last bytes of the newest segment, oldest first; raise OSError."""
    path = last_segment(stream_folder)
    if path is not None:
        yield from _read(path, most_bytes)


def _read(path: Path, most_bytes: int) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - most_bytes)
        file.seek(start)
        content = file.read(most_bytes)
    lines = content.split(b"\n")[1 if start else 0 : -1]
    for line in lines:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(record, dict):
            yield record
