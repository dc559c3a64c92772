"""One export from beginning to end: which streams, where to, all of it or nothing."""

from __future__ import annotations

import difflib
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import orjson

from analysis.period import Period
from analysis.schema import STREAMS
from operations.period import period_of
from operations.reading import ARCHIVE, Reading, archive_of, told_faults
from operations.store_files.destinations import STANDARD_OUTPUT, Destination, all_or_none, destinations
from operations.store_files.writing import Form, Tally, Writer
from operations.stored_segments import Selection
from operations.stored_services import told_names, told_services
from operations.tables import show_table
from storage.names import segments

_SIGNALS = ("traces", "metrics", "logs")
_SUFFIXES: dict[Form, str] = {"otlp-jsonl": ".jsonl", "csv": ".csv", "parquet": ".parquet"}
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_END = 2**63 - 1
"""In the year 2262; the columns have no room for more."""


def run(
    *,
    form: Form,
    streams: tuple[str, ...],
    services: tuple[str, ...],
    trace_id: str,
    output: str,
    packed: bool,
    overwrite: bool,
    last: float | None,
    since: int | None,
    until: int | None,
    as_json: bool,
    config: Path | None,
    logs: Path | None,
) -> None:
    """Raise click.ClickException; exit code 1 when something could not be read."""
    if packed and form == "parquet":
        raise click.UsageError("--gzip: a Parquet file is compressed by itself (zstd)")
    period, trace_id = _period(last, since, until), _trace_id(trace_id)
    with told_faults():
        reading = Reading(period or Period(0, _END), config, logs)
        archive = _archive(reading, config, logs)
        selection = Selection(reading.folder, archive, period, frozenset(services), trace_id)
        chosen = _streams(form, streams, selection)
        writer = Writer(selection, form, packed=packed)
        if output == STANDARD_OUTPUT:
            _to_standard_output(writer, form, chosen)
            _tell(writer.tally, [], as_json=as_json)
        else:
            suffix = _SUFFIXES[form] + (".gz" if packed else "")
            files = destinations(output, chosen, suffix, overwrite=overwrite)
            with all_or_none(files):
                for file in files:
                    writer.write(file.stream, file.part)
                _refuse_no_trace(writer.tally, selection.trace_id)
            _tell(writer.tally, files, as_json=as_json)
        if selection.services and not any(writer.tally.records.values()):
            _tell_services(selection, chosen)
    sys.exit(1 if writer.tally.unread else 0)


def _period(last: float | None, since: int | None, until: int | None) -> Period | None:
    """All there is without options, be it of a clock that is ahead."""
    given = period_of(last, since, until)
    if not given.start_unix_nano and given.end_unix_nano is None:
        return None
    return Period(given.start_unix_nano, _END if given.end_unix_nano is None else given.end_unix_nano)


def _trace_id(given: str) -> str:
    trace_id = given.strip().lower()
    if trace_id and not _TRACE_ID.fullmatch(trace_id):
        raise click.UsageError(f"--trace-id {given[:80]!r}: expected 32 hexadecimal digits")
    return trace_id


def _archive(reading: Reading, config: Path | None, logs: Path | None) -> Path | None:
    """Where nothing else is asked of a configuration, none is loaded."""
    folder = reading.folder
    unasked = logs is not None and config is None
    archive = folder.resolve().parent / ARCHIVE if unasked else archive_of(folder, reading.store)
    return archive if archive.is_dir() else None


def _streams(form: Form, named: Sequence[str], selection: Selection) -> list[str]:
    """Those that were named, else those that there are; raise click.ClickException for what can't be."""
    possible = _SIGNALS if form == "otlp-jsonl" else tuple(STREAMS)
    for stream in named:
        if stream not in STREAMS:
            close = difflib.get_close_matches(stream, STREAMS, 1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"there is no stream {stream[:80]!r}.{meant} There are {', '.join(STREAMS)}")
        if stream not in possible:
            raise click.UsageError(f"{stream} has no OTLP form. Say --format parquet or --format csv")
        if selection.trace_id and "trace_id" not in STREAMS[stream]:
            raise click.UsageError(f"{stream} has no trace ids, so --trace-id finds nothing in it")
    wanted = tuple(dict.fromkeys(named)) or (("traces",) if selection.trace_id else possible)
    folders = [folder for folder in (selection.folder, selection.archive) if folder is not None]
    there = [stream for stream in wanted if any(next(segments(folder / stream), None) for folder in folders)]
    missing = [stream for stream in wanted if stream not in there]
    if (named and missing) or not there:
        raise click.ClickException(f"{folders[0]} has no records of {', '.join(missing)}. Name another folder: --logs")
    return there


def _to_standard_output(writer: Writer, form: Form, streams: Sequence[str]) -> None:
    if form == "parquet":
        raise click.UsageError("--format parquet needs a file or a folder: --output")
    if len(streams) > 1:
        raise click.UsageError(
            f"standard output takes one stream, and there are {', '.join(streams)}: name one with --stream"
        )
    if form == "otlp-jsonl":
        writer.write_lines(streams[0], sys.stdout.buffer)
    else:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "copy")
            writer.write(streams[0], copy)
            with copy.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _refuse_no_trace(tally: Tally, trace_id: str) -> None:
    if trace_id and not any(tally.records.values()):
        raise click.ClickException(f"nothing of trace {trace_id} is recorded in this time")


def _tell_services(selection: Selection, streams: Sequence[str]) -> None:
    there = told_services(selection, streams)
    if there:
        click.echo(f"nothing of {told_names(selection.services)} in this time; there is of: {there}", err=True)


def _tell(tally: Tally, files: Sequence[Destination], *, as_json: bool) -> None:
    written = [
        {
            "stream": one.stream,
            "file": str(one.path),
            "records": tally.records[one.stream],
            "bytes": one.path.stat().st_size,
        }
        for one in files
    ]
    if not files:
        click.echo(" ".join(f"{stream}: {count:,} records" for stream, count in tally.records.items()), err=True)
    elif as_json:
        content = {"files": written, "corrupt_lines": tally.corrupt, "unread": tally.unread}
        click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    else:
        rows = [[row["stream"], f"{row['records']:,}", f"{row['bytes']:,}", row["file"]] for row in written]
        show_table(("stream", "records", "bytes", "file"), rows, right=("records", "bytes"))
    for stream, count in tally.corrupt.items():
        if count:
            lines = "1 line is" if count == 1 else f"{count:,} lines are"
            click.echo(f"{stream}: {lines} no record and passed over; see: forecourt store verify", err=True)
    for segment, reason in tally.unread.items():
        click.echo(f"{segment} is not all in it: {reason}", err=True)
