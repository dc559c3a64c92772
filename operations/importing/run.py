"""One import from beginning to end: where to begin, what each chunk says, where it goes, how far it came."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Protocol

import click
import orjson
from rich.console import Console
from rich.progress import Progress

from collector.decoding import MalformedBodyError
from collector.signals import LOGS
from operations.alert_state import loaded
from operations.importing.entry import Entry, NotUnderstoodError
from operations.importing.fossawork import FossaWork
from operations.importing.journal import Before, known, opened
from operations.importing.jsonl import JsonLines
from operations.importing.local_zone import LocalZone
from operations.importing.reading import Imported, Line, chunks, is_stream
from operations.importing.requests import request
from operations.importing.sshd import Sshd
from operations.importing.taken import Taken, broken_off, counted_records
from operations.importing.taking import alone
from operations.importing.taking import opened as taking
from storage import FolderInUseError, StateError, StoreError, StoreFormatError
from storage.manifest import DAMAGED

_SHOWN = 5
_SERVICES = {"sshd": "sshd", "jsonl": "imported", "fossawork": "fossawork-backend"}
_ALL = Taken(0, "")
_FAULTS = (*DAMAGED, StoreError, StateError, StoreFormatError, FolderInUseError, MalformedBodyError)


class Form(Protocol):
    def entries(self, line: str) -> Iterator[Entry]: ...


@dataclass(frozen=True, slots=True)
class _Source:
    """A file and how its lines are understood; `begins` tells where a message of several lines begins."""

    file: Path
    form: str
    reader: Form
    is_stream: bool
    """It has no other beginning to be known by."""

    @property
    def begins(self) -> Callable[[str], bool] | None:
        return FossaWork.begins if self.form == "fossawork" else None


@dataclass(slots=True)
class _Result:
    lines: int = 0
    records: int = 0
    not_understood: int = 0
    refused: int = 0
    """Records that are beyond the limits."""
    skipped_bytes: int = 0
    problems: list[str] = field(default_factory=list)
    """Of the first lines that were not understood, or refused."""

    def problem(self, told: str) -> None:
        if len(self.problems) < _SHOWN:
            self.problems.append(told)


def run(
    *,
    file: Path,
    form: str,
    service: str,
    year: int | None,
    timezone: str,
    mapping: Sequence[str],
    again: bool,
    dry_run: bool,
    as_json: bool,
    config: Path | None,
    logs: Path | None,
) -> None:
    """Raise click.ClickException; Ctrl-C ends it after the chunk at hand, and the next run goes on there."""
    configuration = loaded(config)
    folder = logs or configuration.exporters.jsonl.path
    zone = _zone(timezone)
    result = _Result()
    reader = _form(form, zone, year, _mapped(mapping))
    try:
        with _readable(file, form) as path:
            source = _Source(path, form, reader, is_stream=is_stream(file))
            if dry_run:
                before = Before() if source.is_stream or again else known(folder, path, form)
                _read(source, result, before, lambda *_: _ALL)
            else:
                name = service or _SERVICES[form]
                with taking(configuration, folder) as take:
                    _import(
                        source, result, folder, lambda made, line: take(LOGS, request(made, name, line)), again=again
                    )
    except _FAULTS as error:
        is_kept = not again and not dry_run and not is_stream(file)
        told = broken_off(error, 0 if dry_run else result.records, is_kept=is_kept)
        raise click.ClickException(f"{file}: {told}") from error
    _tell(result, dry_run=dry_run, as_json=as_json)
    sys.exit(1 if result.refused or (result.lines and not result.records) else 0)


def _zone(name: str) -> tzinfo:
    if name == "local":
        return LocalZone()
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise click.UsageError(f"--timezone {name!r}: expected for example UTC or Europe/Berlin") from error


def _mapped(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for name, _, key in pairs:
        if not name or not key:
            raise click.UsageError(f"--map {name!r}: expected FIELD=KEY, for example time=ts or user.id=login")
    return {name: key for name, _, key in pairs}


def _form(form: str, zone: tzinfo, year: int | None, mapping: Mapping[str, str]) -> Form:
    if form == "jsonl":
        return JsonLines(mapping, zone)
    return FossaWork(zone) if form == "fossawork" else Sshd(datetime.now(UTC), zone, year)


@contextmanager
def _readable(file: Path, form: str) -> Iterator[Path]:
    """A pipe too, where a form has to be looked through before it is read."""
    if form != "sshd" or not is_stream(file):
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.log")
        with copy.open("wb") as target, sys.stdin.buffer if str(file) == "-" else file.open("rb") as source:
            shutil.copyfileobj(source, target)
        os.utime(copy, (0, 0))  # nobody writes to it any more
        yield copy


def _import(
    source: _Source, result: _Result, folder: Path, send: Callable[[Sequence[Entry], int], Taken], *, again: bool
) -> None:
    with alone(folder), opened(folder, source.form) as journal:
        before = Before() if source.is_stream or again else journal.before(source.file)

        def taken(entries: Sequence[Entry], lines: Sequence[Line], imported: Imported) -> Taken:
            # What has told nothing may have been read as the wrong form: it can be tried again.
            tells = not source.is_stream and bool(entries or result.records or before.ended.bytes)
            answer = _ALL
            if entries:
                if tells:
                    journal.sending(imported)
                answer = send(entries, lines[0].number)
            if tells:
                journal.sent(imported, len(entries))
            return answer

        _read(source, result, before, taken)


def _read(
    source: _Source,
    result: _Result,
    before: Before,
    taken: Callable[[Sequence[Entry], Sequence[Line], Imported], Taken],
) -> None:
    start = result.skipped_bytes = before.ended.bytes
    if isinstance(source.reader, Sshd):
        source.reader.begin(_texts(source.file, start))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("importing", total=None)
        for lines, imported in chunks(source.file, start, source.begins, before.sending):
            entries = [entry for line in lines for entry in _entries(source.reader, line, result)]
            answer = taken(entries, lines, imported)
            result.lines += len(lines)
            result.records += len(entries) - answer.rejected
            result.refused += answer.rejected
            if answer.rejected:
                place = f"lines {lines[0].number}-{lines[-1].number}"
                result.problem(f"{place}: {counted_records(answer.rejected)} refused: {answer.message}")
            progress.update(task, description=f"{result.records:,} records")


def _texts(file: Path, start: int) -> Iterator[str]:
    with suppress(*DAMAGED):  # it is told when its lines are taken in
        yield from (line.text for lines, _ in chunks(file, start) for line in lines)


def _entries(reader: Form, line: Line, result: _Result) -> list[Entry]:
    try:
        return list(reader.entries(line.text))
    except NotUnderstoodError as error:
        result.not_understood += 1
        result.problem(f"line {line.number}: {error}")
        return []


def _tell(result: _Result, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        content = {
            "lines": result.lines,
            "records": result.records,
            "not_understood": result.not_understood,
            "refused": result.refused,
            "skipped_bytes": result.skipped_bytes,
            "problems": result.problems,
            "dry_run": dry_run,
        }
        click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        return
    for problem in result.problems:
        click.echo(problem, err=True)
    if result.not_understood > _SHOWN:
        click.echo(f"{result.not_understood:,} lines were not understood", err=True)
    if result.refused:
        click.echo(f"{counted_records(result.refused)} refused", err=True)
    before = f"; {result.skipped_bytes:,} bytes were taken in before" if result.skipped_bytes else ""
    did = "would be taken in" if dry_run else "taken in"
    click.echo(f"{result.lines:,} lines, {result.records:,} records {did}{before}")
    if result.lines and not result.records and not result.refused:
        click.echo("nothing was understood, so nothing is remembered: try another --format or --map", err=True)
