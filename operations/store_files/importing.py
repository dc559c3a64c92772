"""One import from beginning to end: where it goes, file after file, and what became of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import orjson

from collector.settings import HttpSettings
from operations.alert_state import folder_of, loaded
from operations.configuration import Configuration
from operations.importing.journal import Before, known
from operations.importing.journal import opened as journal_of
from operations.importing.reading import is_stream
from operations.importing.taken import Taken, broken_off
from operations.importing.taking import alone, opened
from operations.store_files.file_import import Bounds, FileImport, Result
from operations.store_files.lines import refuse_folder
from storage import FolderInUseError, StateError, StoreError, StoreFormatError
from storage.manifest import DAMAGED

_FAULTS = (*DAMAGED, StoreError, StateError, StoreFormatError, FolderInUseError)


def run(
    *,
    files: Sequence[Path],
    form: str,
    again: bool,
    dry_run: bool,
    as_json: bool,
    config: Path | None,
    logs: Path | None,
) -> None:
    """Raise click.ClickException; Ctrl-C ends it after the group at hand, and the next run goes on there."""
    configuration = loaded(config)
    folder = folder_of(configuration, logs)
    for file in files:
        if file.is_dir():
            refuse_folder(file)
    result = Result()
    try:
        _take_in(files, result, configuration, folder, form, again=again, dry_run=dry_run)
    except _FAULTS as error:
        is_kept = not again and not dry_run and not any(map(is_stream, files))
        raise click.ClickException(f"{folder}: {broken_off(error, result.records, is_kept=is_kept)}") from error
    _tell(result, dry_run=dry_run, as_json=as_json)
    sys.exit(0 if result.is_whole else 1)


def _take_in(
    files: Sequence[Path],
    result: Result,
    configuration: Configuration,
    folder: Path,
    form: str,
    *,
    again: bool,
    dry_run: bool,
) -> None:
    bounds = _bounds(configuration)
    if dry_run:
        for file in files:
            before = Before() if again or is_stream(file) else known(folder, file, form)
            FileImport(file, result, None, _nowhere, bounds).run(before)
        return
    with opened(configuration, folder) as take, alone(folder), journal_of(folder, form) as journal:
        for file in files:
            before = Before() if again or is_stream(file) else journal.before(file)
            kept = None if is_stream(file) else journal
            FileImport(file, result, kept, take, bounds).run(before)


def _bounds(configuration: Configuration) -> Bounds:
    http = configuration.receivers.otlp.protocols.http or HttpSettings()
    return Bounds(configuration.processors.limits.records_per_request, http.max_request_body_size)


def _nowhere(*_: object) -> Taken:
    return Taken(0, "")


def _tell(result: Result, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        content = {
            "lines": result.lines,
            "records": result.records,
            "malformed_lines": result.malformed,
            "rejected_records": result.rejected,
            "skipped_bytes": result.skipped_bytes,
            "known_files": result.known_files,
            "damaged_files": result.damaged_files,
            "problems": result.problems,
            "dry_run": dry_run,
        }
        click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        return
    for problem in result.problems:
        click.echo(problem, err=True)
    for damaged, reason in result.damaged_files.items():
        click.echo(f"{damaged}: {reason}; nothing more of it is taken in", err=True)
    for file in result.known_files:
        click.echo(f"{file} was taken in before; --again takes it in once more", err=True)
    before = f"; {result.skipped_bytes:,} bytes were taken in before" if result.skipped_bytes else ""
    did = "would be taken in" if dry_run else "taken in"
    click.echo(f"{result.lines:,} lines, {result.records:,} records {did}{before}")
    if result.malformed or result.rejected:
        lines = f"{result.malformed:,} lines" if result.malformed else ""
        records = f"{result.rejected:,} {'more ' if lines else ''}records" if result.rejected else ""
        lost = " and ".join(filter(None, (lines, records)))
        click.echo(f"{lost} {'would not be' if dry_run else 'were not'} taken", err=True)
