"""A log file read in chunks whose bytes are always the same, and where in it an earlier import ended."""

from __future__ import annotations

import gzip
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_CHUNK_LINES = 2000
_MAX_LINE_BYTES = 2**20
"""A longer line is cut: no log record may be as long."""


@dataclass(frozen=True, slots=True)
class Line:
    """`number` counts from 1; `end` is the offset behind it, in bytes as they are unpacked."""

    number: int
    text: str
    end: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken in of a file before: so many bytes, and their BLAKE2b."""

    bytes: int
    digest: str


def opened(path: Path) -> BinaryIO:
    """`-` is standard input; `.gz` is unpacked. Raise OSError."""
    if str(path) == "-":
        return sys.stdin.buffer
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]  # it reads bytes


def where_it_ended(path: Path, known: Iterable[Imported]) -> Imported:
    """The longest of the known beginnings that this file has, whatever its name; 0 bytes when it is new."""
    digest, best, offset = hashlib.blake2b(), Imported(0, ""), 0
    with opened(path) as file:
        for one in sorted(known, key=lambda one: one.bytes):
            while offset < one.bytes:
                chunk = file.read(min(1 << 20, one.bytes - offset))
                if not chunk:
                    return best
                digest.update(chunk)
                offset += len(chunk)
            if digest.hexdigest() == one.digest:
                best = one
    return best


def chunks(
    path: Path, start: int, begins: Callable[[str], bool] | None = None
) -> Iterator[tuple[Sequence[Line], Imported]]:
    """The lines from `start` on, with what is imported once they are; of a message of several lines all together.

    A last line without an end counts: whoever imports a file that is being written says so by importing it again.
    """
    digest = hashlib.blake2b()
    with opened(path) as file:
        number, offset = 0, 0
        kept: list[Line] = []
        for raw in _lines(file):
            number += 1
            offset += len(raw)
            if offset <= start or not raw[max(0, len(raw) - (offset - start)) :].strip():
                digest.update(raw)  # also the end of a line that had none
                continue
            text = raw[:_MAX_LINE_BYTES].decode("utf-8", errors="replace").rstrip("\r\n")
            joins = begins is not None and kept and not begins(text)
            if not joins and len(kept) >= _CHUNK_LINES:
                yield kept, Imported(offset - len(raw), digest.hexdigest())
                kept = []
            digest.update(raw)
            if joins:
                kept[-1] = Line(kept[-1].number, f"{kept[-1].text}\n{text}", offset)
            elif text.strip():
                kept.append(Line(number, text, offset))
        if kept:
            yield kept, Imported(offset, digest.hexdigest())


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """However long they are, in bounded memory: what is longer than a megabyte comes in parts."""
    while raw := file.readline(_MAX_LINE_BYTES):
        yield raw
