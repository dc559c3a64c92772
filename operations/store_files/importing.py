"""One import from beginning to end: where it goes, file after file, and what became of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import orjson
import urllib3

from operations.alert_state import folder_of, loaded
from operations.importing.journal import Before, known
from operations.importing.journal import opened as journal_of
from operations.importing.taking import Taken, alone, opened
from operations.store_files.file_import import FileImport, Result
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
        if file.suffix == ".zst":
            raise click.ClickException(f"{file}: unpack it first, for example: zstd -d {file}")
    result = Result()
    if dry_run:
        for file in files:
            with _told(file):
                before = Before() if again or _is_stream(file) else known(folder, file, form)
                FileImport(file, result, None, _nowhere).run(before)
    else:
        with _told(folder), opened(configuration, folder) as take, alone(folder), journal_of(folder, form) as journal:
            for file in files:
                with _told(file):
                    before = Before() if again or _is_stream(file) else journal.before(file)
                    FileImport(file, result, None if _is_stream(file) else journal, take).run(before)
    _tell(result, dry_run=dry_run, as_json=as_json)
    sys.exit(0 if result.is_whole else 1)


def _is_stream(file: Path) -> bool:
    """Standard input has no other beginning to be known by."""
    return str(file) == "-"


def _nowhere(*_: object) -> Taken:
    return Taken(0, "")


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        raise click.ClickException(f"{file}: {error}") from error
    except urllib3.exceptions.HTTPError as error:
        raise click.ClickException(f"the sidecar did not take it: {error}; run it again to go on") from error


def _tell(result: Result, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        content = {
            "lines": result.lines,
            "records": result.records,
            "malformed_lines": result.malformed,
            "rejected_records": result.rejected,
            "skipped_bytes": result.skipped_bytes,
            "known_files": result.known_files,
            "problems": result.problems,
            "dry_run": dry_run,
        }
        click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        return
    for problem in result.problems:
        click.echo(problem, err=True)
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
