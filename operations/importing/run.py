"""One import from beginning to end: where to begin, what each chunk says, where it goes, how far it came."""

from __future__ import annotations

import time
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Protocol

import click
import orjson
import urllib3
from rich.console import Console
from rich.progress import Progress

from collector.decoding import MalformedBodyError
from collector.offline import opened as offline
from operations.alert_state import is_running, loaded
from operations.configuration import Configuration
from operations.importing.entry import Entry, NotUnderstoodError
from operations.importing.fossawork import FossaWork
from operations.importing.jsonl import JsonLines
from operations.importing.reading import Imported, Line, chunks, where_it_ended
from operations.importing.reading import opened as opened_file
from operations.importing.requests import request
from operations.importing.sshd import Sshd, years_of
from storage import FolderInUseError, State, StateError, StoreError, StoreFormatError
from storage.names import OWN_FOLDER

_SHOWN = 5
_SERVICES = {"sshd": "sshd", "jsonl": "imported", "fossawork": "fossawork-backend"}
_RETRIES = urllib3.Retry(total=8, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=None)


class Form(Protocol):
    def entries(self, line: str) -> Iterator[Entry]: ...


@dataclass(frozen=True, slots=True)
class _Source:
    """A file and how its lines are understood; `begins` tells where a message of several lines begins."""

    file: Path
    form: str
    reader: Form

    @property
    def begins(self) -> Callable[[str], bool] | None:
        return FossaWork.begins if self.form == "fossawork" else None

    @property
    def is_stream(self) -> bool:
        return str(self.file) == "-"


@dataclass(slots=True)
class _Result:
    lines: int = 0
    records: int = 0
    not_understood: int = 0
    skipped_bytes: int = 0
    problems: list[str] = field(default_factory=list)
    """Of the first lines that were not understood."""


def run(
    *,
    file: Path,
    form: str,
    service: str,
    year: int | None,
    timezone: str,
    mapping: Sequence[str],
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
    try:
        source = _Source(file, form, _form(form, file, zone, year, _mapped(mapping)))
        if dry_run:
            _read(source, result, Imported(0, ""), lambda *_: None)
        else:
            name = service or _SERVICES[form]
            with _target(configuration, folder) as send:
                _import(source, result, folder, lambda entries, line: send(request(entries, name, line)))
    except (OSError, EOFError, StoreError, StateError, StoreFormatError, FolderInUseError, MalformedBodyError) as error:
        raise click.ClickException(f"{file}: {error}") from error
    except urllib3.exceptions.HTTPError as error:
        raise click.ClickException(f"the sidecar did not take it: {error}; run it again to go on") from error
    _tell(result, dry_run=dry_run, as_json=as_json)


def _zone(name: str) -> tzinfo:
    if name == "local":
        return datetime.now().astimezone().tzinfo or UTC
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


def _form(form: str, file: Path, zone: tzinfo, year: int | None, mapping: Mapping[str, str]) -> Form:
    if form == "jsonl":
        return JsonLines(mapping, zone)
    if form == "fossawork":
        return FossaWork(zone)
    now = datetime.now(UTC)
    reader = Sshd(now, zone, year)
    if str(file) != "-":
        with opened_file(file) as lines:
            texts = (line.decode("utf-8", errors="replace").rstrip("\r\n") for line in lines)
            reader.begin(years_of(texts, now, zone, year))
    return reader


@contextmanager
def _target(configuration: Configuration, folder: Path) -> Iterator[Callable[[bytes], object]]:
    """The sidecar that runs on the folder, else the folder itself."""
    endpoint = _endpoint(folder)
    if endpoint is None:
        with offline(configuration, folder) as taking:
            yield taking.accept_logs
        return
    extension = configuration.extensions.bearertokenauth
    tokens = extension.values() if extension else ()
    headers = {"Content-Type": "application/x-protobuf"} | ({"Authorization": f"Bearer {tokens[0]}"} if tokens else {})
    http = configuration.receivers.otlp.protocols.http
    tls = http is not None and http.tls is not None
    with urllib3.PoolManager(retries=_RETRIES, timeout=30.0) as pool:
        url = f"{'https' if tls else 'http'}://{endpoint}/v1/logs"

        def send(body: bytes) -> None:
            answer = pool.request("POST", url, body=body, headers=headers)
            if answer.status != 200:  # noqa: PLR2004  # OK
                raise OSError(f"the sidecar answers {answer.status}: {answer.data[:200].decode(errors='replace')}")

        yield send


def _endpoint(folder: Path) -> str | None:
    """Where the sidecar of the folder takes OTLP over HTTP; None when none runs."""
    path = folder / OWN_FOLDER / "state.db"
    if not path.is_file():
        return None
    state = State.open(path)
    try:
        row = state.collector() if is_running(state) else None
    finally:
        state.close()
    if row is not None and "http" not in row.endpoints:
        raise OSError("the running sidecar has no OTLP/HTTP receiver (receivers.otlp.protocols.http) to import through")
    return None if row is None else row.endpoints["http"]


def _import(source: _Source, result: _Result, folder: Path, send: Callable[[Sequence[Entry], int], object]) -> None:
    state = State.open(folder / OWN_FOLDER / "state.db")
    try:
        known = [Imported(*row) for row in state.rows("SELECT bytes, digest FROM imports")]
        start = Imported(0, "") if source.is_stream else where_it_ended(source.file, known)

        def taken(entries: Sequence[Entry], lines: Sequence[Line], imported: Imported) -> None:
            if entries:
                send(entries, lines[0].number)
            if not source.is_stream:
                _remember(state, imported, source.form, len(entries))

        _read(source, result, start, taken)
    finally:
        state.close()


def _remember(state: State, imported: Imported, form: str, records: int) -> None:
    row = (imported.bytes, imported.digest, form, records, time.time_ns())
    with state.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO imports VALUES (?, ?, ?, ?, ?)", row)


def _read(
    source: _Source,
    result: _Result,
    start: Imported,
    taken: Callable[[Sequence[Entry], Sequence[Line], Imported], None],
) -> None:
    result.skipped_bytes = start.bytes
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("importing", total=None)
        for lines, imported in chunks(source.file, start.bytes, source.begins):
            entries = [entry for line in lines for entry in _entries(source.reader, line, result)]
            taken(entries, lines, imported)
            result.lines += len(lines)
            result.records += len(entries)
            progress.update(task, description=f"{result.records:,} records")


def _entries(reader: Form, line: Line, result: _Result) -> list[Entry]:
    try:
        return list(reader.entries(line.text))
    except NotUnderstoodError as error:
        result.not_understood += 1
        if len(result.problems) < _SHOWN:
            result.problems.append(f"line {line.number}: {error}")
        return []


def _tell(result: _Result, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        content = {
            "lines": result.lines,
            "records": result.records,
            "not_understood": result.not_understood,
            "skipped_bytes": result.skipped_bytes,
            "problems": result.problems,
            "dry_run": dry_run,
        }
        click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        return
    for problem in result.problems:
        click.echo(problem, err=True)
    if result.not_understood > len(result.problems):
        click.echo(f"… and {result.not_understood - len(result.problems)} more lines", err=True)
    before = f"; {result.skipped_bytes:,} bytes were taken in before" if result.skipped_bytes else ""
    did = "would be taken in" if dry_run else "taken in"
    click.echo(f"{result.lines:,} lines, {result.records:,} records {did}{before}")
