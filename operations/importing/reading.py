"""A log file read in chunks whose bytes are always the same, and where in it an earlier import ended."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from operations.importing.unpacking import PACKED, opened
from storage.manifest import DAMAGED

_CHUNK_LINES = 2000
_CHUNK_BYTES = 4 * 2**20
_MAX_LINE_BYTES = 2**20
"""A longer line is cut: no log record may be as long."""
_MESSAGE_LINES = 2000
"""No traceback is longer; what goes on is not of this form."""
_SETTLED_SECONDS = 5.0


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


def is_stream(path: Path) -> bool:
    """Standard input, or another pipe: it is read but once, and has no other beginning to be known by."""
    return str(path) == "-" or not path.is_file()


def where_it_ended(path: Path, known: Iterable[Imported]) -> Imported:
    """The longest of the known beginnings that this file has, whatever its name; 0 bytes when it is new."""
    digest, best, offset = hashlib.blake2b(), Imported(0, ""), 0
    with suppress(*DAMAGED), opened(path) as file:  # it is told when it is read on
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
    path: Path, start: int, begins: Callable[[str], bool] | None = None, cut: int = 0
) -> Iterator[tuple[Sequence[Line], Imported]]:
    """The lines from `start` on, with what is imported once they are; of a message of several lines all together.

    A chunk ends at the offset `cut`, so that what was sent already is sent as it was, though the file has grown since.
    While the file is being written its end waits for the next run: a line without an end, or with `begins` a message
    that may go on. Raise one of DAMAGED after all that comes before the damage.
    """
    digest = hashlib.blake2b()
    end, since = 0, start
    faults: list[Exception] = []
    kept: list[Line] = []
    message: _Message | None = None
    with opened(path) as file:
        settled = _is_settled(path)
        for number, raw in enumerate(_lines(file, faults), 1):
            begun, end = end, end + len(raw)
            if begun < start:  # also the rest of a line that had no end
                digest.update(raw)
                continue
            text = raw[:_MAX_LINE_BYTES].decode("utf-8", errors="replace").rstrip("\r\n")
            if message is not None and message.takes(text, begins):
                message.add(text, raw)
                continue
            if message is not None:
                kept += message.lines(begun)
                digest.update(b"".join(message.raw))
            if len(kept) >= _CHUNK_LINES or (kept and (begun == cut or begun - since >= _CHUNK_BYTES)):
                yield kept, Imported(begun, digest.hexdigest())
                kept, since = [], begun
            message = _Message(number, [text], [raw])
    if message is not None and (settled or (begins is None and message.raw[-1].endswith(b"\n"))):
        kept += message.lines(end)
        digest.update(b"".join(message.raw))
    elif message is not None:
        end -= sum(map(len, message.raw))
    if kept:
        yield kept, Imported(end, digest.hexdigest())
    for fault in faults:
        raise fault


@dataclass(slots=True)
class _Message:
    """One line, and those that belong to it."""

    number: int
    texts: list[str]
    raw: list[bytes]

    def takes(self, text: str, begins: Callable[[str], bool] | None) -> bool:
        return begins is not None and len(self.texts) < _MESSAGE_LINES and not begins(text)

    def add(self, text: str, raw: bytes) -> None:
        self.texts.append(text)
        self.raw.append(raw)

    def lines(self, end: int) -> Iterator[Line]:
        """Nothing of a blank line."""
        text = "\n".join(self.texts).rstrip()
        if text.strip():
            yield Line(self.number, text, end)


def _is_settled(path: Path) -> bool:
    """Whether nobody has written to it for some seconds; what is compressed or piped is whole."""
    if is_stream(path) or path.suffix in PACKED:
        return True
    return time.time() - path.stat().st_mtime > _SETTLED_SECONDS


def _lines(file: BinaryIO, faults: list[Exception]) -> Iterator[bytes]:
    """However long they are, in bounded memory: what is longer than a megabyte comes in parts."""
    try:
        while raw := file.readline(_MAX_LINE_BYTES):
            yield raw
    except DAMAGED as fault:
        faults.append(fault)
