"""What a crash may leave behind: a segment whose last line is torn."""

from __future__ import annotations

import mmap
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import orjson

from storage.sync import sync_file, sync_folder


@dataclass(frozen=True, slots=True)
class TornTail:
    """What was cut off a segment and where it is kept."""

    segment: Path
    kept_in: Path
    bytes: int


def recover_tail(segment: Path, torn_folder: Path) -> TornTail | None:
    """Cut `segment` back to its last whole line; None when nothing had to be cut; raise OSError.

    What is cut was never acknowledged; it is kept aside in `torn_folder`, durable before the cut.
    """
    with segment.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        good = _end_of_last_line(file.fileno(), size)
    return None if good == size else cut_tail(segment, good, torn_folder)


def cut_tail(segment: Path, good: int, torn_folder: Path) -> TornTail:
    """Cut `segment` back to `good` bytes and keep the rest aside, durable before the cut; raise OSError."""
    with segment.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        kept_in = torn_folder / f"{segment.parent.name}-{segment.name}-{good}.part"
        file.seek(good)
        with kept_in.open("wb") as aside:
            shutil.copyfileobj(file, aside)
            aside.flush()
            sync_file(aside.fileno())
        sync_folder(torn_folder)
        file.truncate(good)
        sync_file(file.fileno())
    return TornTail(segment, kept_in, size - good)


def _end_of_last_line(descriptor: int, size: int) -> int:
    """The offset behind the last line that ends in a newline and is a JSON object."""
    if size == 0:
        return 0
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as content:
        end = content.rfind(b"\n") + 1
        while end:
            start = content.rfind(b"\n", 0, end - 1) + 1
            if is_record(content[start:end]):
                return end
            end = start
    return 0


def is_record(line: bytes) -> bool:
    """Whether the line, without or with its newline, is one JSON object."""
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
