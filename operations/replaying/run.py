"""One `forecourt replay` from beginning to end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from alerting.plain_text import plain
from collector.exporting.target import Target
from operations.replaying.journal import Journal, journal_path, unfinished
from operations.replaying.pace import Pace, shift_to_now
from operations.replaying.progress import Signs
from operations.replaying.replay import Replay
from operations.replaying.sending import Sender, StoppedError, counted
from operations.replaying.summary import Ended, show, told_period
from operations.replaying.target import refuse_own, target_of
from operations.replaying.wanted import Wanted, wanted_of
from operations.stored_segments import Part, sequences
from operations.stored_services import told_names, told_services
from storage import FolderInUseError, StoreFormatError
from storage.lock import FolderLock

_CTRL_C = 130
"""As shells tell it: 128 and the signal's number."""
_GOES_ON = "the same command goes on from there"


def run(
    *,
    protocol: str,
    headers: tuple[str, ...],
    insecure: bool,
    ca_file: Path | None,
    speed: Fraction | None,
    give_up_after: float,
    restart: bool,
    dry_run: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Raise click.ClickException; end with 1 when not everything was taken, with 130 after Ctrl-C or SIGTERM."""
    wanted = wanted_of(**asked)
    target = target_of(wanted.endpoint, protocol, headers, insecure=insecure, ca_file=ca_file)
    try:
        with closing(target), _stopped_by_sigterm():
            refuse_own(wanted.folder, wanted.endpoint)
            with _alone(wanted, dry_run=dry_run) as path:
                journal = _journal(path, wanted, restart=restart)
                running = _Run(replace(wanted, period=journal.period), journal, speed, dry_run=dry_run)
                code = running.go(target, give_up_after, as_json=as_json)
    except BrokenPipeError:  # who reads has seen enough; click knows
        raise
    except (OSError, StoreFormatError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        sys.exit(_CTRL_C)
    sys.exit(code)


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """As `timeout` and systemd send it: what was sent is remembered as after Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _alone(wanted: Wanted, *, dry_run: bool) -> Iterator[Path]:
    """The journal's path; two of the same at once would send everything twice."""
    path = journal_path(wanted)
    if dry_run:
        yield path
        return
    file = path.with_suffix(".lock")
    lock = FolderLock(file)
    try:
        lock.acquire()
        lock.renew()  # who ended just now may have taken the file away after it was opened here
    except FolderInUseError as error:
        raise click.ClickException(f"the same replay runs already (pid {error.pid}); wait for its end") from error
    try:
        yield path
    finally:
        if not path.exists():
            with suppress(OSError):  # Windows keeps what is open
                file.unlink()
        lock.release()


def _journal(path: Path, wanted: Wanted, *, restart: bool) -> Journal:
    now = time.time_ns()
    earlier = None if restart else unfinished(path, moves=wanted.moves, now_unix_nano=now)
    if earlier is None:
        return Journal(path, wanted.period, shift_nano=None if wanted.shift_to_now else 0)
    told = f" with {told_period(earlier.period)}" if wanted.moves else ""
    click.echo(
        f"going on{told} after {sum(earlier.sent.values()):,} records that were sent before; --restart begins anew",
        err=True,
    )
    return earlier


class _Run:
    def __init__(self, wanted: Wanted, journal: Journal, speed: Fraction | None, *, dry_run: bool) -> None:
        self._wanted = wanted
        self._journal = journal
        self._speed = speed
        self._dry_run = dry_run
        self._before = dict(journal.sent)

    def go(self, target: Target, give_up_after: float, *, as_json: bool) -> int:
        """The exit code."""
        parts = sequences(self._wanted.selection, self._wanted.signals, self._journal.positions)
        began = time.monotonic()
        problem, code = "", 0
        with Signs(_bytes(parts)) as signs:
            several = len(self._wanted.signals) > 1
            sender = Sender(target, give_up_after, tell=signs.tell, wait=signs.wait, several_signals=several)
            replay = self._replay(sender, signs)
            try:
                replay.run(parts)
            except KeyboardInterrupt:
                problem, code = "interrupted", _CTRL_C
            except StoppedError as error:
                problem = str(error)
        ended = Ended(
            replay.result,
            self._wanted.endpoint,
            self._wanted.period,
            self._journal.shift_nano or 0,
            sender.requests,
            sender.bytes,
            time.monotonic() - began,
            self._before,
            problem,
            self._dry_run,
        )
        self._tell(ended, as_json=as_json)
        return code or ended.exit_code

    def _replay(self, sender: Sender, signs: Signs) -> Replay:
        speed = None if self._dry_run else self._speed
        return Replay(
            self._wanted,
            self._journal,
            counted if self._dry_run else sender.deliver,
            Pace(speed, signs.wait),
            shift=lambda first: shift_to_now(first, self._wanted.period, self._speed, time.time_ns()),
            save=lambda journal: None if self._dry_run else journal.save(time.time_ns()),
            signs=signs,
        )

    def _tell(self, ended: Ended, *, as_json: bool) -> None:
        show(ended, as_json=as_json)
        if ended.problem:
            click.echo(f"stopped: {plain(ended.problem, 500)}" + ("" if self._dry_run else f"; {_GOES_ON}"), err=True)
            return
        if not self._dry_run:
            self._journal.remove()
        if not sum(ended.before.values()) and not ended.result.delivery.records and not ended.result.delivery.refused:
            self._tell_services()

    def _tell_services(self) -> None:
        wanted = self._wanted
        there = told_services(wanted.selection, wanted.signals) if wanted.services else ""
        if there:
            asked = told_names(wanted.services)
            signals = " or ".join(wanted.signals)
            click.echo(f"no {signals} of {asked} in this time; there are of: {there}", err=True)


def _bytes(parts: list[list[Part]]) -> int:
    return sum(max(0, (part.size or 0) - part.start) for sequence in parts for part in sequence)
