"""One exporter of one stream: what comes into its segments is sent on, for as long as the process lives."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from collector.exporting.choosing import Choice, Chosen, Everything, WholeTraces, looking_back
from collector.exporting.delivery import Delivery
from collector.exporting.progress import ChangedError, Progress, StoppedError
from collector.exporting.settings import ExporterSettings
from collector.exporting.tail_sampling import TailSampler
from collector.exporting.target import Target
from collector.exporting.unsent import Part, UnreadableError, Unsent
from storage import State, StateError, exporter_rows
from storage.names import OWN_FOLDER
from storage.ranges import Ranges

_log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.5
_FAULT_SECONDS = 5.0
_TOLD_AGAIN_SECONDS = 300.0
_MOST_KINDS = 10
_VARYING = re.compile(r"[0-9a-fA-F-]{8,}|\d+")
"""Counts, times and the numbers of requests that receivers tell: the rest says what is wrong."""
_UNDECIDED = "traces are sent without a decision: raise tail_sampling.num_traces, or shorten decision_wait"


@dataclass(frozen=True, slots=True)
class Forwarded:
    """Of which exporter which stream below which folder."""

    exporter: str
    stream: str
    folder: Path

    @property
    def key(self) -> tuple[str, str]:
        return self.exporter, self.stream

    @property
    def state_path(self) -> Path:
        return self.folder / OWN_FOLDER / "state.db"


class _ForgottenError(Exception):
    """The collector does not know this exporter any more."""


class Sender(threading.Thread):
    """Ends when `stopping` is set, at the latest after the request that is under way."""

    def __init__(
        self,
        forwarded: Forwarded,
        settings: ExporterSettings,
        target: Target,
        stopping: threading.Event,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(name=f"{forwarded.exporter} {forwarded.stream}", daemon=True)
        self._forwarded = forwarded
        self._settings = settings
        self._target = target
        self._stopping = stopping
        self._clock = clock
        self._told: dict[str, float] = {}

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    with closing(State.open(self._forwarded.state_path)) as state:
                        self._forward(state)
                except StoppedError:
                    return
                except _ForgottenError:
                    _log.info("%s: ends; the running collector knows none of that name", self.name)
                    return
                except ChangedError:
                    continue
                except (OSError, StateError) as error:
                    self._tell(f"is tried again in {_FAULT_SECONDS:.0f} s: {error}")
                except Exception:  # noqa: BLE001  # a fault of ours must not end it for good: the viewer would see nothing
                    _log.exception("%s stumbled; it goes on in %.0f s", self.name, _FAULT_SECONDS)
                self._stopping.wait(_FAULT_SECONDS)
        finally:
            self._target.close()

    def _tell(self, message: str) -> None:
        """Once, and again every five minutes, whatever numbers it holds; of others not more than a few meanwhile."""
        now, kind = time.monotonic(), _VARYING.sub("#", message)
        self._told = {one: when for one, when in self._told.items() if now - when < _TOLD_AGAIN_SECONDS}
        if kind not in self._told and len(self._told) < _MOST_KINDS:
            self._told[kind] = now
            _log.warning("%s: %s", self.name, message)

    def _forward(self, state: State) -> None:
        """Raise StoppedError, _ForgottenError, ChangedError, OSError or StateError."""
        generation = exporter_rows.generation(state, self._forwarded.key)
        if generation is None:
            raise _ForgottenError
        sent = exporter_rows.sent(state, self._forwarded.key)
        with closing(self._reader(sent)) as unsent, closing(self._reader(looking_back(sent))) as ahead:
            progress = Progress(
                state,
                self._forwarded.key,
                generation,
                unsent,
                clock=self._clock,
                stopping=self._stopping,
                tell=self._tell,
            )
            delivery = Delivery(
                self._forwarded.stream,
                self._target,
                self._settings.retry_on_failure,
                progress.wait,
                progress.failed,
            )
            try:
                self._send_all(progress, delivery, self._choice(ahead))
            except OSError as error:
                progress.note(str(error))
                raise

    def _reader(self, sent: Mapping[str, Ranges]) -> Unsent:
        queue = self._settings.sending_queue
        folder = self._forwarded.folder / self._forwarded.stream
        return Unsent(folder, sent, order=queue.order, part_bytes=queue.batch_size)

    def _choice(self, ahead: Unsent) -> Choice:
        sampling = self._settings.tail_sampling
        if sampling is None or self._forwarded.stream != "traces":
            return Everything()
        return WholeTraces(TailSampler(sampling), ahead, sampling.decision_wait, self._clock)

    def _send_all(self, progress: Progress, delivery: Delivery, choice: Choice) -> None:
        undecided = 0
        while not self._stopping.is_set():
            progress.look()
            try:
                part = progress.unsent.next()
            except UnreadableError as error:
                self._tell(f"passes over the rest of {error.segment}: {error}")
                progress.give_up(error)
                continue
            progress.note_ends()
            chosen = choice.choose(part) if part is not None else None
            if choice.undecided > undecided:
                undecided = choice.undecided
                self._tell(_UNDECIDED)
            if part is None or chosen is None:
                self._stopping.wait(_IDLE_SECONDS)
                progress.check()
            else:
                self._send(progress, delivery, part, chosen)

    def _send(self, progress: Progress, delivery: Delivery, part: Part, chosen: Chosen) -> None:
        left_out = chosen.left_out
        began = time.monotonic()
        for settled in delivery.deliver(chosen.piece):
            if not part.still_there():
                return  # what was sent is not what stands there now: that is sent too
            progress.settle(part.segment, settled, left_out)
            left_out = 0
        rate = self._settings.sending_queue.rate_limit
        if rate:
            progress.wait(began + len(chosen.piece.lines) / rate - time.monotonic())
