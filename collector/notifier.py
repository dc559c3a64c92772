"""The notifier's thread: alerting between judge, state database and channels."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import NamedTuple

from alerting import records
from alerting.channels import Channel, ChannelError, ReceiptState
from alerting.dispatcher import Dispatcher
from alerting.notification import Delivery
from alerting.rule_note import RuleNote
from alerting.settings import AlertingSettings
from collector.asked import KINDS, Asked
from collector.channel_worker import ChannelWorker, Result
from collector.value_history import ValueHistory
from processors.evaluation import Evaluation, Transition
from storage import State, StateError, audit
from storage.names import OWN_FOLDER

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
"""How often timers and the state database are looked at; it must be within a second."""
_END_SECONDS = 1.5
"""How long the end waits for what channels are doing."""
_POLL_AGAIN_SECONDS = 30.0
_HISTORY_NANO = 300 * 1_000_000_000
_PRUNE_NANO = 86_400 * 1_000_000_000
_KEPT_NANO = 90 * _PRUNE_NANO
"""As long as the runbook keeps telemetry."""
_WAITING_TICKS = 30
_MOST_TICKS = 360


class _Tick(NamedTuple):
    time_unix_nano: int
    evaluations: list[Evaluation]
    transitions: list[Transition]
    done: Future[None]


class Notifier:
    """`evaluated` and `finish` are for the judge; everything else happens in the notifier's own thread."""

    def __init__(
        self,
        settings: AlertingSettings,
        notes: Mapping[str, RuleNote],
        channels: Mapping[str, Channel],
        folder: Path,
        *,
        history: ValueHistory | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._channels = channels
        self._history = history or ValueHistory()
        self.problems = {name: problem for name, channel in channels.items() if (problem := channel.problem())}
        self.dispatcher = Dispatcher(settings, notes, self.problems)
        self._asked = Asked(settings, notes, self.problems, self.dispatcher)
        self._changed = threading.Condition()
        self._ticks: deque[_Tick] = deque()
        self._results: deque[Result] = deque()
        self._stopping = False
        self._workers: dict[str, ChannelWorker] = {}
        self._thread = threading.Thread(target=self._run, name="notifier")
        self._data_version = -1
        self._saved_history = self._pruned = 0
        self._told_disk = False
        self.failed = False
        """Whether it has ended by a fault of ours."""
        self.sent: dict[str, int] = dict.fromkeys(channels, 0)
        self.failures: dict[str, int] = dict.fromkeys(channels, 0)
        """Attempts that failed, by receiver."""

    def start(self) -> None:
        self._thread.start()

    def evaluated(
        self, tick_unix_nano: int, evaluations: list[Evaluation], transitions: list[Transition]
    ) -> Future[None]:
        tick = _Tick(tick_unix_nano, evaluations, transitions, Future())
        with self._changed:
            if self.failed or not self._thread.is_alive():
                tick.done.set_result(None)
                return tick.done
            self._ticks.append(tick)
            if len(self._ticks) > _MOST_TICKS:  # each says how things stand: the old ones are not needed
                self._ticks.popleft().done.set_exception(StateError("alerting does not keep up"))
            oldest = self._ticks[0]
            waits = len(self._ticks) > _WAITING_TICKS
            self._changed.notify()
        if waits:
            wait([oldest.done], timeout=_LOOK_SECONDS)  # judging that catches up must not outrun us
        return tick.done

    def finish(self) -> None:
        """Decide and save what there is; what waits for a channel is sent by the next run."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def waiting(self) -> dict[str, int]:
        """Notifications on their way, by receiver."""
        return {name: self.dispatcher.outbox.waiting(name) for name in self._channels}

    def _run(self) -> None:
        try:
            while (state := self._opened()) is None:
                with self._changed:
                    if self._stopping:
                        return
                    self._changed.wait(_LOOK_SECONDS)
            try:
                self._begin()
                while not self._stopping:
                    self._round(state, _LOOK_SECONDS)
                self._end(state)
            finally:
                state.close()
        except Exception:  # noqa: BLE001  # receiving and judging go on
            _log.exception("alerting has stopped: nobody is told of anything until a restart")
            with self._changed:
                self.failed = True
                for tick in self._ticks:
                    tick.done.set_result(None)

    def _opened(self) -> State | None:
        """With what the last run left; None as long as the disk refuses."""
        try:
            state = State.open(self._folder / OWN_FOLDER / "state.db")
            try:
                records.restore(self.dispatcher, state)
                self._history.restore(state, self._clock())
            except BaseException:
                state.close()
                raise
        except StateError as error:
            if not self._told_disk:
                _log.warning("alerting waits for its state: %s", error)
            self._told_disk = True
            return None
        self._told_disk = False
        return state

    def _begin(self) -> None:
        for receiver in self.dispatcher.outbox.receivers - self._channels.keys():
            self.dispatcher.outbox.drop(receiver, "this receiver is no more in the configuration", self._clock())
        for name, channel in self._channels.items():
            if name not in self.problems:
                self._workers[name] = ChannelWorker(name, channel, self._report)

    def _end(self, state: State) -> None:
        until = time.monotonic() + _END_SECONDS
        while self._ticks or (any(worker.busy for worker in self._workers.values()) and time.monotonic() < until):
            self._round(state, 0.05)
        for worker in self._workers.values():
            worker.end()
        try:
            self._history.save(state)
        except StateError as error:
            _log.warning("the values for charts were not saved: %s", error)

    def _report(self, result: Result) -> None:
        with self._changed:
            self._results.append(result)
            self._changed.notify()

    def _round(self, state: State, seconds: float) -> None:
        with self._changed:
            if not self._ticks and not self._results and not self._stopping:
                self._changed.wait(seconds)
            ticks, self._ticks = list(self._ticks), deque()
            results, self._results = list(self._results), deque()
        now = self._clock()
        for result in results:
            self._take(result, now)
        for tick in ticks:
            self._history.take(tick.evaluations)
            self.dispatcher.take(tick.time_unix_nano, tick.evaluations, tick.transitions)
        self._look_at_requests(state, now)
        self.dispatcher.advance(now)
        error = self._save(state)
        for tick in ticks:
            if error is None:
                tick.done.set_result(None)
            else:
                tick.done.set_exception(error)
        if not self._stopping:
            self._give_work(now)
        self._keep(state, now)

    def _save(self, state: State) -> StateError | None:
        """What is decided is told also when the disk is full: better twice after a crash than never."""
        try:
            records.save(self.dispatcher, state)
        except StateError as error:
            if not self._told_disk:
                _log.warning("alerting goes on from memory, its state can't be saved: %s", error)
            self._told_disk = True
            return error
        self._told_disk = False
        return None

    def _give_work(self, now: int) -> None:
        for name, worker in self._workers.items():
            if not worker.busy:
                job = self.dispatcher.outbox.next_job(name, now)
                if job is not None:
                    worker.give(job)

    def _take(self, result: Result, now: int) -> None:
        """What a channel has answered."""
        self._workers[result.receiver].busy = False
        number, outcome = result.job.queued.notification.id, result.outcome
        outbox = self.dispatcher.outbox
        if result.job.act == "send":
            self._sent(result, now)
        elif isinstance(outcome, ChannelError):
            if outcome.permanent:
                outbox.silent(number, "receipt lost", str(outcome), now)
            else:
                outbox.postponed(number, now, max(outcome.retry_after or 0.0, _POLL_AGAIN_SECONDS))
        elif result.job.act == "cancel":
            outbox.silent(number, "cancelled", "it rings no more", now)
        elif isinstance(outcome, ReceiptState) and outcome.acknowledged_by:
            outbox.silent(number, "receipt acknowledged", outcome.acknowledged_by, now)
            for alert in result.job.queued.alert_ids:
                self.dispatcher.acknowledge(alert, outcome.acknowledged_by, "", now)
        elif isinstance(outcome, ReceiptState) and outcome.expired:
            outbox.silent(number, "receipt expired", "nobody acknowledged it", now)

    def _sent(self, result: Result, now: int) -> None:
        queued, outcome = result.job.queued, result.outcome
        if isinstance(outcome, Delivery):
            self.sent[result.receiver] += 1
            self.dispatcher.outbox.accepted(queued.notification.id, outcome, now)
            self._asked.answered(queued.notification.id, f"sent: {outcome.answer}", ok=True)
            if outcome.receipt:
                self.dispatcher.ring(queued)
        elif isinstance(outcome, ChannelError):
            self.failures[result.receiver] += 1
            once = queued.notification.kind in {"test", "message"}  # somebody waits for the answer
            self.dispatcher.outbox.refused(
                queued.notification.id,
                str(outcome),
                now,
                permanent=outcome.permanent or once,
                retry_after=outcome.retry_after,
                jitter=random.random(),  # noqa: S311  # no secret
            )
            self._asked.answered(queued.notification.id, f"failed: {outcome}", ok=False)
            _log.warning("%s: %s", result.receiver, outcome)

    def _look_at_requests(self, state: State, now: int) -> None:
        """Silences, acknowledgements and commands that other processes have written."""
        try:
            version = state.data_version()
            if version != self._data_version:
                self._data_version = version
                self.dispatcher.silences.replace(records.silences(state))
                found = records.acknowledgements(state)
                for one in found:
                    self.dispatcher.acknowledge(one.alert, one.by, one.note, one.time_unix_nano)
                if found:
                    records.take_acknowledgements(state, found)
                self._asked.take(records.commands(state, self._asked.not_before(now), KINDS), now)
            for number, answer in self._asked.answers(now):
                records.answer(state, number, answer, now)
        except StateError as error:
            _log.warning("requests of other processes wait: %s", error)

    def _keep(self, state: State, now: int) -> None:
        """The values for charts every five minutes; once a day what is too old goes."""
        try:
            if now - self._saved_history >= _HISTORY_NANO:
                self._saved_history = now
                self._history.save(state)
            if now - self._pruned >= _PRUNE_NANO:
                self._pruned = now
                records.prune(state, now - _KEPT_NANO)
                audit.prune(state, now - _KEPT_NANO)
        except StateError as error:
            _log.warning("state.db could not be kept in order: %s", error)
