"""What `forecourt store` says and does: by the sidecar that runs on the folder, else with its lock."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import Progress

from alerting import records
from analysis.schema import STREAMS
from collector.retention import one_pass, pruned, told, with_floor
from operations.alert_state import loaded, opened
from operations.collector_requests import ask, runs_on
from operations.configuration import Configuration
from operations.reading import archive_of
from operations.tables import show_table
from processors.evaluation import format_value
from storage import FolderInUseError, StateError, Store, StoreFormatError
from storage.holding import Held, held_in
from storage.inventory import inventory
from storage.names import OWN_FOLDER
from storage.retention import GRACE_NANO, Policy, Step, plan
from storage.usage import Usage, usage
from storage.verify import Verified, verify

_YEARS_DAYS = 1000
_LONG_SECONDS = 3600.0
_GRACE_SECONDS = GRACE_NANO / 1e9 + 1
_SLACK_NANO = 3600 * 1_000_000_000
"""What was due within the last hour is not overdue."""


def _places(config: Path | None, logs: Path | None) -> tuple[Configuration, Path, Policy]:
    configuration = loaded(config)
    folder = logs or configuration.exporters.jsonl.path
    if not folder.is_dir():
        raise click.UsageError(f"{folder}: no such folder. Name the one with the records: --logs DIR")
    policy = configuration.exporters.jsonl.retention.policy()
    return configuration, folder, _at(policy, archive_of(folder, configuration.exporters.jsonl))


def _at(policy: Policy, archive: Path) -> Policy:
    return Policy(archive, policy.ages, policy.streams, policy.plain_limit_bytes, policy.floor_bytes)


def _echo_json(content: Any) -> None:
    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (StoreFormatError, FolderInUseError, StateError, OSError) as error:
        raise click.ClickException(str(error)) from error


def tell_usage(*, config: Path | None, logs: Path | None, as_json: bool) -> None:
    _, folder, policy = _places(config, logs)
    with _faults():
        found = usage(folder, policy.archive, time.time_ns())
        free = shutil.disk_usage(folder).free
    growing = sum(one.last_day_bytes for one in found)
    content = {
        "folder": str(folder),
        "archive": str(policy.archive),
        "free_bytes": free,
        "bytes": sum(one.bytes for one in found),
        "bytes_a_day": growing,
        "streams": [{**asdict(one), "bytes": one.bytes} for one in found],
    }
    if as_json:
        _echo_json(content)
    else:
        _show_usage(found, free, growing)


def _show_usage(found: Sequence[Usage], free: int, growing: int) -> None:
    columns = ("stream", "segments", "records", "plain", "compressed", "archived", "last 24 h", "oldest", "newest")
    rows = [
        (
            one.stream,
            f"{one.segments:,}",
            f"{one.records:,}",
            *(
                format_value(float(size), "By")
                for size in (one.plain_bytes, one.compressed_bytes, one.archived_bytes, one.last_day_bytes)
            ),
            one.oldest_hour,
            one.newest_hour,
        )
        for one in found
    ]
    show_table(columns, rows, right=columns[1:7], spare=("oldest", "segments", "archived", "newest"))
    whole = format_value(float(sum(one.bytes for one in found)), "By")
    click.echo(f"{whole} in all, {format_value(float(growing), 'By')} in the last 24 h; {_room(free, growing)}")


def _room(free: int, growing: int) -> str:
    told_free = f"{format_value(float(free), 'By')} free"
    if not growing or free / growing > _YEARS_DAYS:
        return told_free
    return f"{told_free}, enough for {free / growing:.0f} days as it grows"


def tell_verified(
    *,
    streams: Sequence[str],
    rotation: bool,
    config: Path | None,
    logs: Path | None,
    as_json: bool,
) -> None:
    _, folder, policy = _places(config, logs)
    _check_names(streams, folder, policy.archive)
    with _faults():
        overdue = _overdue(folder, policy, streams)
        found = [] if rotation else list(_read_through(folder, policy.archive, streams))
    problems = [*overdue, *(problem for one in found for problem in one.problems)]
    content = {"ok": not problems, "streams": [asdict(one) for one in found], "overdue": overdue}
    if as_json:
        _echo_json(content)
    else:
        _show_verified(found)
        for problem in problems:
            click.echo(problem, err=True)
        click.echo("all is well" if not problems else f"{len(problems)} problems")
    sys.exit(1 if problems else 0)


def _show_verified(found: Sequence[Verified]) -> None:
    columns = ("stream", "segments", "records", "bytes", "corrupt lines", "problems")
    rows = [
        (one.stream, one.segments, f"{one.records:,}", f"{one.bytes:,}", one.corrupt_lines, len(one.problems))
        for one in found
    ]
    if rows:
        show_table(columns, rows, right=columns[1:])


def _read_through(folder: Path, archive: Path, streams: Sequence[str]) -> list[Verified]:
    found = []
    wanted = list(streams) or sorted({piece.stream for piece in inventory(folder, archive)})
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=len(wanted))
        for verified in verify(folder, archive, wanted):
            found.append(verified)
            progress.advance(task)
    return found


def _overdue(folder: Path, policy: Policy, streams: Sequence[str]) -> list[str]:
    """What retention should have done an hour ago."""
    then = time.time_ns() - _SLACK_NANO
    steps = plan(inventory(folder, policy.archive), policy, then, lambda _piece: True, _held(folder))
    return [
        f"{step.piece.path}: {step.reason}, and still to {step.act}"
        for step in steps
        if not streams or step.piece.stream in streams
    ]


def _held(folder: Path) -> Held:
    """Nothing where no sidecar has been yet."""
    return held_in(folder) if (folder / OWN_FOLDER / "state.db").exists() else Held()


def tell_maintained(
    *,
    dry_run: bool,
    floor: int | None,
    config: Path | None,
    logs: Path | None,
    as_json: bool,
) -> None:
    _, folder, policy = _places(config, logs)
    with _faults():
        if runs_on(folder):
            done = ask(folder, "maintain", {"dry_run": dry_run, "floor_bytes": floor}, _LONG_SECONDS)
        else:
            done = _maintain(folder, policy if floor is None else with_floor(policy, floor), dry_run=dry_run)
    _tell_done(done, dry_run=dry_run, as_json=as_json)


def _maintain(folder: Path, policy: Policy, *, dry_run: bool) -> dict[str, Any]:
    """With the lock of the folder; a second pass removes what lay there for readers."""
    with _owned(folder) as store:
        done = _pass(folder, policy, store, dry_run=dry_run)
        if not dry_run and any(step["act"] == "compress" for step in done["steps"]):
            click.echo(
                "a minute for readers that have the plain segments open (Ctrl-C leaves them to the next run)", err=True
            )
            try:
                time.sleep(_GRACE_SECONDS)
            except KeyboardInterrupt:
                return done
            second = _pass(folder, policy, store, dry_run=False)
            done = {
                "steps": [*done["steps"], *second["steps"]],
                "failures": [*done["failures"], *second["failures"]],
                "freed_bytes": done["freed_bytes"] + second["freed_bytes"],
            }
    return done


def _pass(folder: Path, policy: Policy, store: Store, *, dry_run: bool) -> dict[str, Any]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def on_step(step: Step) -> None:
            progress.update(task, description=f"{step.act} {step.piece.stream}/{step.piece.path.name}")

        return told(one_pass(folder, store.upkeep(policy), time.time_ns(), dry_run=dry_run, on_step=on_step))


@contextmanager
def _owned(folder: Path) -> Iterator[Store]:
    store = Store(folder)
    store.open()
    try:
        store.wait_until_listed()
        yield store
    finally:
        store.close()


def _tell_done(done: Mapping[str, Any], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        _echo_json(done)
    else:
        for step in done["steps"]:
            size = format_value(float(step["bytes"]), "By")
            click.echo(f"{step['act']:<8}  {step['segment']}  {size}  ({step['reason']})")
        counts = Counter(step["act"] for step in done["steps"])
        told_steps = ", ".join(f"{act} {count}" for act, count in counts.items())
        if not counts:
            click.echo("nothing to do")
        elif dry_run:
            click.echo(f"would {told_steps}")
        else:
            freed = max(0.0, float(done["freed_bytes"]))  # what is compressed frees its room a minute later
            click.echo(f"{told_steps}; {format_value(freed, 'By')} freed")
        for failure in done["failures"]:
            click.echo(f"failed: {failure}", err=True)
    sys.exit(1 if done["failures"] else 0)


def tell_pruned(
    *,
    older_than: float,
    streams: Sequence[str],
    dry_run: bool,
    config: Path | None,
    logs: Path | None,
    as_json: bool,
) -> None:
    _, folder, policy = _places(config, logs)
    before = time.time_ns() - int(older_than * 1e9)
    with _faults():
        if not streams:
            _tell_rows(_prune_rows(folder, before, dry_run=dry_run), dry_run=dry_run, as_json=as_json)
            return
        _check_names(streams, folder, policy.archive)
        if runs_on(folder):
            arguments = {"streams": list(streams), "before_unix_nano": before, "dry_run": dry_run}
            done = ask(folder, "prune", arguments, _LONG_SECONDS)
        else:
            with _owned(folder) as store:
                upkeep = store.upkeep(policy)
                done = told(pruned(folder, upkeep, streams, before, time.time_ns(), dry_run=dry_run))
    _tell_done(done, dry_run=dry_run, as_json=as_json)


def _check_names(streams: Sequence[str], folder: Path, archive: Path) -> None:
    """Raise click.UsageError for what is no stream; one that has no records yet is one."""
    known = STREAMS.keys() | {piece.stream for piece in inventory(folder, archive)}
    for stream in streams:
        if stream not in known:
            raise click.UsageError(f"--stream {stream}: there is none, expected one of {', '.join(sorted(known))}")


def _prune_rows(folder: Path, before: int, *, dry_run: bool) -> int:
    if not (folder / OWN_FOLDER / "state.db").is_file():
        return 0
    with opened(folder) as state:
        return records.prunable(state, before) if dry_run else records.prune(state, before)


def _tell_rows(rows: int, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        _echo_json({"rows": rows, "dry_run": dry_run})
    else:
        click.echo(f"{'would forget' if dry_run else 'forgot'} {rows} rows about alerts, notifications and silences")
