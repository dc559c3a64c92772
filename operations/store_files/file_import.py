"""One file taken in: where in it to begin, what goes out together, how far it came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from collector.decoding import MalformedBodyError
from collector.signals import Signal
from operations.importing.journal import Before, Journal
from operations.importing.reading import Imported
from operations.importing.taken import Take, Taken, counted_records
from operations.store_files.lines import MAX_LINE_BYTES, Line, lines
from operations.store_files.requests import Parsed, Request, parse
from storage.manifest import DAMAGED

_SHOWN = 10
_UNFINISHED = " (the file ends here; if it is being written, the next import takes this line in)"
_GROUP_BYTES = 4 << 20
_GROUP_LINES = 2000


@dataclass(slots=True)
class Result:
    """Of all files."""

    lines: int = 0
    records: int = 0
    malformed: int = 0
    """Lines that nothing was taken of."""
    rejected: int = 0
    """Records of other lines that were not taken."""
    skipped_bytes: int = 0
    known_files: list[str] = field(default_factory=list)
    """In which there was nothing new."""
    damaged_files: dict[str, str] = field(default_factory=dict)
    """Of which only the beginning was taken, and why."""
    problems: list[str] = field(default_factory=list)

    def problem(self, place: str, reason: str) -> None:
        if len(self.problems) < _SHOWN:
            self.problems.append(f"{place}: {reason}")

    @property
    def is_whole(self) -> bool:
        return not (self.malformed or self.rejected or self.damaged_files)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one request, as the receiver has them."""

    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Understood:
    line: Line
    parsed: Parsed

    @property
    def size(self) -> int:
        """Of its requests, in bytes."""
        return sum(len(request.body) for request in self.parsed.requests)

    @property
    def records(self) -> int:
        return sum(request.records for request in self.parsed.requests)


@dataclass(slots=True)
class _Group:
    """Lines that go out together; those that told nothing are not among them."""

    lines: list[_Understood] = field(default_factory=list)
    read: int = 0
    size: int = 0
    records: int = 0

    def takes(self, one: _Understood, bounds: Bounds) -> bool:
        """Whether this one may go along."""
        requests = one.parsed.requests
        return self.read < _GROUP_LINES and (
            not requests
            or not self.lines
            or (
                _signal(one) == _signal(self.lines[-1])
                and self.size + one.size <= min(_GROUP_BYTES, bounds.bytes)
                and self.records + one.records <= bounds.records
            )
        )

    def add(self, one: _Understood) -> None:
        self.read += 1
        self.size += one.size
        self.records += one.records
        if one.parsed.requests:
            self.lines.append(one)


class FileImport:
    """Of one file; neighbours of one signal go out together, since each answer waits for the disk."""

    def __init__(self, file: Path, result: Result, journal: Journal | None, take: Take, bounds: Bounds) -> None:
        self._file = file
        self._result = result
        self._journal = journal
        self._take = take
        self._bounds = bounds
        self._tells = False

    def run(self, before: Before) -> None:
        """Raise what journal and `take` do, or click.ClickException for what is no such file."""
        result = self._result
        result.skipped_bytes += before.ended.bytes
        self._tells = before.ended.bytes > 0
        console = Console(stderr=True)
        read = 0
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("importing", total=None)
            for group, ended in self._groups(before):
                read += 1
                self._send(group, ended)
                progress.update(task, description=f"{result.records:,} records")
        if not read and before.ended.bytes and str(self._file) not in result.damaged_files:
            result.known_files.append(str(self._file))

    def _groups(self, before: Before) -> Iterator[tuple[list[_Understood], Imported]]:
        """A group ends where one ended that was being sent when an import broke off: sent again, it counts once."""
        group = _Group()
        ended: Imported | None = None
        for line in self._lines(before.ended.bytes):
            understood = self._understood(line)
            if ended is not None and (ended.bytes == before.sending or not group.takes(understood, self._bounds)):
                yield group.lines, ended
                group = _Group()
            ended = line.ended
            group.add(understood)
        if ended is not None:
            yield group.lines, ended

    def _lines(self, start: int) -> Iterator[Line]:
        """As far as they can be read."""
        try:
            yield from lines(self._file, start)
        except DAMAGED as error:
            self._result.damaged_files[str(self._file)] = str(error)

    def _understood(self, line: Line) -> _Understood:
        result = self._result
        result.lines += 1
        place = f"{self._file}:{line.number}"
        try:
            parsed = parse(_short(line))
        except MalformedBodyError as error:
            result.malformed += 1
            result.problem(place, f"{error}{'' if line.is_whole or line.content is None else _UNFINISHED}")
            return _Understood(line, Parsed([], 0))
        if parsed.oversized:
            result.rejected += parsed.oversized
            result.problem(place, f"{counted_records(parsed.oversized)} over 4 MiB")
        return _Understood(line, parsed)

    def _send(self, group: Sequence[_Understood], ended: Imported) -> None:
        # What has told nothing may be no such file: it can be tried again.
        self._tells = self._tells or bool(group)
        journal = self._journal if self._tells else None
        if journal is not None and group:
            journal.sending(ended)
        requests = [request for one in group for request in one.parsed.requests]
        taken = self._sent_together(group, requests) if len(group) > 1 else sum(map(self._sent, group))
        self._result.records += taken
        if journal is not None:
            journal.sent(ended, taken)

    def _sent_together(self, group: Sequence[_Understood], requests: Sequence[Request]) -> int:
        """How many records were taken; where one line spoils the others each goes alone."""
        body = b"".join(request.body for request in requests)
        try:
            taken = self._take(requests[0].signal, body)
        except MalformedBodyError:
            return sum(map(self._sent, group))
        self._reject(taken, f"{self._file}:{group[0].line.number}-{group[-1].line.number}")
        return sum(request.records for request in requests) - taken.rejected

    def _sent(self, one: _Understood) -> int:
        place = f"{self._file}:{one.line.number}"
        records = 0
        try:
            for request in one.parsed.requests:
                taken = self._take(request.signal, request.body)
                records += request.records - taken.rejected
                self._reject(taken, place)
        except MalformedBodyError as error:
            self._result.malformed += 1
            self._result.problem(place, str(error))
        return records

    def _reject(self, taken: Taken, place: str) -> None:
        if taken.rejected:
            self._result.rejected += taken.rejected
            self._result.problem(place, f"{counted_records(taken.rejected)} refused: {taken.message}")


def _short(line: Line) -> bytes:
    if line.content is None:
        raise MalformedBodyError(f"is over {MAX_LINE_BYTES >> 20} MiB; write its records as several lines")
    return line.content


def _signal(one: _Understood) -> Signal:
    return one.parsed.requests[0].signal
