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
from operations.importing.taking import Take, Taken
from operations.store_files.lines import MAX_LINE_BYTES, Line, lines
from operations.store_files.requests import Parsed, Request, parse

_SHOWN = 10
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
    problems: list[str] = field(default_factory=list)

    def problem(self, place: str, reason: str) -> None:
        if len(self.problems) < _SHOWN:
            self.problems.append(f"{place}: {reason}")

    @property
    def is_whole(self) -> bool:
        return not (self.malformed or self.rejected or self.known_files)


@dataclass(frozen=True, slots=True)
class _Understood:
    line: Line
    parsed: Parsed


class FileImport:
    """Of one file; neighbours of one signal go out together, since each answer waits for the disk."""

    def __init__(self, file: Path, result: Result, journal: Journal | None, take: Take) -> None:
        self._file = file
        self._result = result
        self._journal = journal
        self._take = take
        self._tells = False

    def run(self, before: Before) -> None:
        """Raise what reading, journal and `take` do."""
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
        if not read and before.ended.bytes:
            result.known_files.append(str(self._file))

    def _groups(self, before: Before) -> Iterator[tuple[list[_Understood], Imported]]:
        """A group ends where one ended that was being sent when an import broke off: sent again, it counts once."""
        group: list[_Understood] = []
        size = 0
        ended: Imported | None = None
        for line in lines(self._file, before.ended.bytes):
            understood = self._understood(line)
            added = sum(len(one.body) for one in understood.parsed.requests)
            other = bool(group and added) and _signal(group[-1]) != _signal(understood)
            full = len(group) >= _GROUP_LINES or size + added > _GROUP_BYTES
            if ended is not None and (other or full or ended.bytes == before.sending):
                yield group, ended
                group, size = [], 0
            ended = line.ended
            size += added
            if understood.parsed.requests:
                group.append(understood)
        if ended is not None:
            yield group, ended

    def _understood(self, line: Line) -> _Understood:
        result = self._result
        result.lines += 1
        place = f"{self._file}:{line.number}"
        try:
            parsed = parse(_short(line))
        except MalformedBodyError as error:
            result.malformed += 1
            result.problem(place, str(error))
            return _Understood(line, Parsed([], 0))
        if parsed.oversized:
            result.rejected += parsed.oversized
            result.problem(place, f"{_records(parsed.oversized)} over 4 MiB")
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
            self._result.problem(place, f"{_records(taken.rejected)} refused: {taken.message}")


def _short(line: Line) -> bytes:
    if line.content is None:
        raise MalformedBodyError(f"is over {MAX_LINE_BYTES >> 20} MiB; write its records as several lines")
    return line.content


def _signal(one: _Understood) -> Signal:
    return one.parsed.requests[0].signal


def _records(count: int) -> str:
    return "1 record is" if count == 1 else f"{count:,} records are"
