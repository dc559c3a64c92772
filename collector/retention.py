"""Retention while the collector runs: every few minutes, in a thread of its own, and when somebody asks."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from storage import State, StateError
from storage.holding import Deletions, held_in
from storage.names import OWN_FOLDER
from storage.retention import Policy, Step
from storage.upkeep import Done, Judged, Upkeep, judged_bytes

_log = logging.getLogger(__name__)

_EVERY_SECONDS = 300.0
_FIRST_SECONDS = 60.0
"""After a start, which has enough to do."""


class Retention:
    """`run` may be called by any thread; one pass is made at a time."""

    def __init__(
        self, folder: Path, policy: Policy, upkeep: Callable[[Policy], Upkeep], clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._folder = folder
        self._policy = policy
        self._upkeep = upkeep
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run_until_stopped, name="retention", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the file at hand."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        with self._one_at_a_time:  # what somebody asked for ends too before the folder is another's
            pass

    def run(self, *, dry_run: bool = False, floor_bytes: int | None = None) -> dict[str, Any]:
        """One pass, told as a value for JSON; raise OSError or StateError."""
        policy = self._policy if floor_bytes is None else with_floor(self._policy, floor_bytes)
        with self._one_at_a_time:
            upkeep = self._upkeep(policy)
            return told(one_pass(self._folder, upkeep, self._clock(), dry_run=dry_run, stopped=self._stopping.is_set))

    def prune(self, streams: Sequence[str], before_unix_nano: int, *, dry_run: bool) -> dict[str, Any]:
        """Delete what these streams have from before then; as `run`."""
        with self._one_at_a_time:
            upkeep = self._upkeep(self._policy)
            return told(pruned(self._folder, upkeep, streams, before_unix_nano, self._clock(), dry_run=dry_run))

    def _run_until_stopped(self) -> None:
        seconds = _FIRST_SECONDS
        while not self._stopping.wait(seconds):
            seconds = _EVERY_SECONDS
            try:
                given = self.run()
            except (OSError, StateError) as error:
                _log.warning("retention is tried again in 5 minutes: %s", error)
                continue
            except Exception:  # noqa: BLE001  # a fault of ours must not end it for good: the disk would fill
                _log.exception("retention stumbled; it is tried again in 5 minutes")
                continue
            if given["steps"]:
                counts = Counter(step["act"] for step in given["steps"])
                _log.info("retention: %s", ", ".join(f"{act} {count}" for act, count in counts.items()))


def one_pass(
    folder: Path,
    upkeep: Upkeep,
    now_unix_nano: int,
    *,
    dry_run: bool,
    on_step: Callable[[Step], None] = lambda _step: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Done:
    """Retention that waits for judging and for exporters, and counts what they lose all the same.

    Raise OSError or StateError.
    """
    deletions = Deletions(folder)

    def begun(step: Step) -> None:
        on_step(step)
        if step.act == "delete":
            deletions.before(step.piece)
        deletions.settle()

    judged, held = judged_in(folder), held_in(folder)
    try:
        return upkeep.run(now_unix_nano, judged, held=held, dry_run=dry_run, on_step=begun, stopped=stopped)
    finally:
        deletions.settle()


def pruned(
    folder: Path,
    upkeep: Upkeep,
    streams: Sequence[str],
    before_unix_nano: int,
    now_unix_nano: int,
    *,
    dry_run: bool,
) -> Done:
    """What somebody wants to be deleted waits for judging, not for exporters; as `one_pass`."""
    deletions = Deletions(folder)

    def begun(step: Step) -> None:
        deletions.before(step.piece)
        deletions.settle()

    judged = judged_in(folder)
    try:
        return upkeep.prune(streams, before_unix_nano, now_unix_nano, judged, dry_run=dry_run, on_step=begun)
    finally:
        deletions.settle()


def judged_in(folder: Path) -> Judged:
    """How far judging has come; raise StateError."""
    state = State.open(folder / OWN_FOLDER / "state.db")
    try:
        return judged_bytes(state)
    finally:
        state.close()


def with_floor(policy: Policy, floor_bytes: int) -> Policy:
    return Policy(policy.archive, policy.ages, policy.streams, policy.plain_limit_bytes, floor_bytes)


def told(done: Done) -> dict[str, Any]:
    """A value for JSON."""
    steps = [
        {
            "act": step.act,
            "segment": f"{step.piece.stream}/{step.piece.path.name}",
            "bytes": step.piece.bytes,
            "reason": step.reason,
        }
        for step in done.steps
    ]
    return {"steps": steps, "failures": done.failures, "freed_bytes": done.freed_bytes}
