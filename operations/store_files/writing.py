"""One stream after the other into files of the form that was asked for."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from rich.console import Console
from rich.progress import Progress

from analysis.stream_copies import CopyForm, StreamCopies
from operations.busy import busy
from operations.store_files.exported_lines import ExportedLines
from operations.store_files.otlp_jsonl import OtlpLines
from operations.stored_segments import Selection

Form = Literal["otlp-jsonl", "parquet", "csv"]

_INTERRUPTED = "Query interrupted"


@dataclass(slots=True)
class Tally:
    """What was written, and what of the records could not be; by stream, and by segment."""

    records: dict[str, int] = field(default_factory=dict)
    corrupt: dict[str, int] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


class Writer:
    """Writes streams; `packed` is by gzip."""

    def __init__(self, selection: Selection, form: Form, *, packed: bool) -> None:
        self._selection = selection
        self._form = form
        self._packed = packed
        self.tally = Tally()

    def write(self, stream: str, path: Path) -> None:
        """Into a file that is made anew; raise OSError, QueryError or StoreFormatError."""
        if self._form == "otlp-jsonl":
            with _named(path), path.open("wb") as file:
                self.write_lines(stream, file)
        else:
            with _interruptible():
                self._copy(stream, path, "parquet" if self._form == "parquet" else "csv.gz" if self._packed else "csv")

    def write_lines(self, stream: str, file: BinaryIO) -> None:
        """As OTLP JSON lines."""
        stored = ExportedLines(self._selection)
        made = OtlpLines(stream)
        packed = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) if self._packed else None
        with packed or nullcontext(file) as target:
            for line in _shown(stream, made, made.of(stored.of(stream))):
                target.write(line)
        self.tally.records[stream] = made.records
        self.tally.corrupt[stream] = stored.corrupt[stream] + made.unreadable
        self.tally.unread |= stored.unread

    def _copy(self, stream: str, path: Path, form: CopyForm) -> None:
        selection = self._selection
        engine = StreamCopies(selection.folder, selection.archive, target=path)
        with busy(f"Writing {stream}"):
            self.tally.records[stream] = engine.copy_stream(
                stream, path, form, selection.period, services=sorted(selection.services), trace_id=selection.trace_id
            )
        self.tally.corrupt[stream] = engine.corrupt_lines.get(stream, 0)
        self.tally.unread |= engine.unread


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """A fault in writing says to which file."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _interruptible() -> Iterator[None]:
    """The engine has an error of its own for Ctrl-C."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != _INTERRUPTED:
            raise
        raise KeyboardInterrupt from error


def _shown(stream: str, made: OtlpLines, lines: Iterator[bytes]) -> Iterator[bytes]:
    """On a terminal's stderr how far it is."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"exporting {stream}", total=None)
        for line in lines:
            yield line
            progress.update(task, description=f"{stream}: {made.records:,} records")
