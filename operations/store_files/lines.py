"""Lines of a file that is to be taken in, however long they are, in bounded memory."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from operations.importing.reading import Imported
from operations.importing.unpacking import opened
from storage.names import OWN_FOLDER, segments, stream_folders

MAX_LINE_BYTES = 64 * 2**20
"""As the receivers take at most in one request."""
_PIECE = 1 << 20
_OWN = re.compile(rb'\s*\{"timestamp":"[^"]*","time_unix_nano":\d+,"received_unix_nano":\d+,')
_PARQUET = b"PAR1"
_READ = "is a Parquet file; OTLP JSON lines are read, as of: forecourt store export --format otlp-jsonl"
_NEXT_OBJECT = re.compile(rb'\s*\{\s*"resource')


@dataclass(frozen=True, slots=True)
class Line:
    """`number` counts from 1; `content` is None for a line that is too long; `ended` tells how far the file is read."""

    number: int
    content: bytes | None
    ended: Imported
    is_whole: bool
    """It has a newline at its end."""


def lines(path: Path, start: int = 0) -> Iterator[Line]:
    """Those that end behind the offset `start`, but for blank ones; raise OSError, or click.ClickException.

    A file that holds one object over several lines is one line.
    """
    with opened(path) as file:
        source = _Source(file)
        first = _first(source)
        if first.raw.startswith(_PARQUET):
            raise click.ClickException(f"{path}: {_READ}")
        if _OWN.match(first.raw):
            raise click.ClickException(_read_in_place(path))
        if _is_spread(first.raw):
            second = source.next()
            if not _NEXT_OBJECT.match(second.raw):
                first = source.rest(first, second)
                yield from first.line(start)
                return
            yield from first.line(start)
            first = second
        while first.raw or first.is_long:
            yield from first.line(start)
            first = source.next()


def refuse_folder(path: Path) -> None:
    """Raise click.ClickException, with what to do in place of importing it."""
    if any(next(segments(folder), None) for folder in stream_folders(path)) or (path / OWN_FOLDER).is_dir():
        raise click.ClickException(f"{path} holds Forecourt's own records. Read them where they are: --logs {path}")
    raise click.ClickException(f"{path} is a folder. Name its files, for example {path / '*.jsonl'}")


@dataclass(frozen=True, slots=True)
class _Raw:
    """`raw` is empty at the end of the file, and for a line that is too long."""

    number: int
    raw: bytes
    is_long: bool
    ended: Imported

    def line(self, start: int) -> Iterator[Line]:
        content = self.raw.strip()
        blanks = len(self.raw) - len(self.raw.rstrip())
        if self.ended.bytes - blanks > start and (self.is_long or content):
            yield Line(self.number, None if self.is_long else content, self.ended, self.raw.endswith(b"\n"))


class _Source:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.blake2b()
        self._bytes = 0
        self._number = 0

    def next(self) -> _Raw:
        self._number += 1
        raw = piece = self._read(MAX_LINE_BYTES + 1)
        is_long = len(raw) > MAX_LINE_BYTES
        while is_long and piece and not piece.endswith(b"\n"):
            piece = self._read(_PIECE)
        if self._number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        return _Raw(self._number, b"" if is_long else raw, is_long, self._ended())

    def rest(self, *begun: _Raw) -> _Raw:
        """All that is left as one line, with the lines that it begins with."""
        parts = [one.raw for one in begun]
        size = sum(map(len, parts))
        while piece := self._read(_PIECE):
            size += len(piece)
            if size <= MAX_LINE_BYTES:
                parts.append(piece)
        is_long = size > MAX_LINE_BYTES or any(one.is_long for one in begun)
        return _Raw(begun[0].number, b"" if is_long else b"".join(parts), is_long, self._ended())

    def _read(self, most: int) -> bytes:
        piece = self._file.readline(most)
        self._digest.update(piece)
        self._bytes += len(piece)
        return piece

    def _ended(self) -> Imported:
        return Imported(self._bytes, self._digest.hexdigest())


def _first(source: _Source) -> _Raw:
    """The first that is not blank."""
    line = source.next()
    while line.raw and not line.raw.strip():
        line = source.next()
    return line


def _is_spread(raw: bytes) -> bool:
    """Whether an object begins here that does not end here."""
    text = raw.strip()
    return text.startswith(b"{") and not text.endswith(b"}")


def _read_in_place(path: Path) -> str:
    folder = path.absolute().parent.parent
    return (
        f"{path} holds Forecourt's own records, not OTLP. Read them where they are, with --logs {folder}, "
        "or make OTLP JSON lines of them: forecourt store export --format otlp-jsonl"
    )
