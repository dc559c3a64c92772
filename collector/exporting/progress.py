"""How far a sender has come, as it is written down for the next start and for whoever looks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from collector.exporting.delivery import Settled
from collector.exporting.unsent import UnreadableError, Unsent
from processors.quantities import format_duration
from storage import State, StateError, exporter_rows
from storage.exporter_rows import Outcome, SetAside
from storage.ranges import WHOLE

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
_REST_SECONDS = 5.0
_SAME_SECONDS = 30.0
"""How often it is written down that nothing has changed: so one knows that somebody looks."""
_LONG_SECONDS = 60.0
"""An outage of which it is worth saying that it is over."""
_FAULT_SECONDS = 5.0


class StoppedError(Exception):
    """The process ends; what was not acknowledged is sent again by the next one."""


class ChangedError(Exception):
    """Somebody else changed what counts as sent."""


class Progress:
    """What is written down of a sender."""

    def __init__(
        self,
        state: State,
        key: exporter_rows.Key,
        generation: int,
        unsent: Unsent,
        *,
        clock: Callable[[], int],
        stopping: threading.Event,
        tell: Callable[[str], None],
    ) -> None:
        """`tell` hears of what fails."""
        self.unsent = unsent
        self._state = state
        self._key = key
        self._generation = generation
        self._clock = clock
        self._stopping = stopping
        self._tell = tell
        self._failures = 0
        self._looked = 0.0
        self._written = (0, 0, float("-inf"))
        self._away_since: float | None = None

    def check(self) -> None:
        """Raise ChangedError when what counts as sent is not what it was."""
        if exporter_rows.generation(self._state, self._key) != self._generation:
            raise ChangedError

    def settle(self, segment: str, settled: Settled, left_out: int) -> None:
        piece, now = settled.piece, self._clock()
        taken = settled.records if not settled.refusal else 0
        rejected = min(taken, settled.taken.rejected)
        aside = settled.records - taken
        problem = settled.refusal or self._said(settled.taken.message, rejected)
        if settled.unreadable:
            self._tell(f"{settled.unreadable} lines of {segment} hold no record and are passed over")
        counts = {
            "sent_records": taken - rejected,
            "rejected_records": rejected,
            "set_aside_records": aside,
            "sampled_out_records": left_out,
            "unreadable_records": settled.unreadable,
            "failed_requests": self._failures,
        }
        part = SetAside(*self._key, segment, piece.start, piece.stop, aside, settled.refusal, now)
        outcome = Outcome(
            counts=counts,
            done=(segment, (piece.start, piece.stop)),
            set_aside=(part,) if aside else (),
            problem=(problem, now) if problem else None,
            sent_unix_nano=now if taken else 0,
        )
        self._failures = 0
        self._write(outcome, segment, piece.start, piece.stop)
        if taken:
            self._is_back()

    def _said(self, message: str, rejected: int) -> str:
        """What a viewer says to what it takes; it is a problem where it has rejected records."""
        if rejected:
            problem = f"{rejected} records were refused for good: {message or 'no reason was given'}"
            self._tell(problem)
            return problem
        if message:
            self._tell(f"all was taken, with the words: {message}")
        return ""

    def _is_back(self) -> None:
        since, self._away_since = self._away_since, None
        if since is not None and time.monotonic() - since > _LONG_SECONDS:
            lasted = format_duration(round(time.monotonic() - since))
            _log.info("%s %s: it is taken again, after %s", *self._key, lasted)

    def give_up(self, error: UnreadableError) -> None:
        """What can't be read to its end must not hold up the rest."""
        now = self._clock()
        part = SetAside(*self._key, error.segment, error.start, WHOLE, 1, str(error), now)
        done = (error.segment, (error.start, WHOLE))
        # One at least: how many there are nobody can read, and somebody should hear of it.
        outcome = Outcome({"set_aside_records": 1}, done=done, set_aside=(part,), problem=(str(error), now))
        self._write(outcome, error.segment, error.start, WHOLE)

    def note_ends(self) -> None:
        """That nothing is left of a segment; else retention waits for what was sent and a power cut took."""
        for segment, start in self.unsent.found_ended():
            self._write(Outcome(done=(segment, (start, WHOLE))), segment, start, WHOLE)

    def failed(self, message: str) -> None:
        """An attempt; whoever looks meanwhile should see why nothing comes. Raise ChangedError."""
        self._failures += 1
        self._away_since = self._away_since or time.monotonic()
        self._tell(message)
        outcome = Outcome(counts={"failed_requests": self._failures}, problem=(message, self._clock()))
        try:
            if not exporter_rows.record(self._state, self._key, outcome, None, self._generation):
                raise ChangedError
            self._failures = 0
        except StateError as error:
            self._tell(f"what fails can't be written down: {error}")
        self.look()

    def wait(self, seconds: float) -> None:
        """Looking meanwhile; raise StoppedError."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._stopping.wait(min(left, _REST_SECONDS)):
                raise StoppedError
            self.look()

    def note(self, problem: str) -> None:
        """For whoever looks; raise StateError."""
        exporter_rows.record(self._state, self._key, Outcome(problem=(problem, self._clock())), None, self._generation)

    def look(self) -> None:
        """How much waits, every few seconds."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        waiting, oldest = self.unsent.waiting()
        if (waiting, oldest) == self._written[:2] and self._looked - self._written[2] < _SAME_SECONDS:
            return
        self._written = (waiting, oldest, self._looked)
        try:
            exporter_rows.looked(
                self._state,
                self._key,
                waiting_bytes=waiting,
                oldest_unix_nano=oldest,
                now_unix_nano=self._clock(),
            )
        except StateError as error:
            self._tell(f"how much waits can't be written down: {error}")

    def _write(self, outcome: Outcome, segment: str, start: int, stop: int) -> None:
        """Until it is written: what was acknowledged must not be forgotten because the disk is full for a while."""
        ranges = self.unsent.done(segment, start, stop)
        while True:
            try:
                if not exporter_rows.record(self._state, self._key, outcome, ranges, self._generation):
                    raise ChangedError
            except StateError as error:
                self._tell(f"can't write down how far it is, and tries again: {error}")
                if self._stopping.wait(_FAULT_SECONDS):
                    raise StoppedError from error
            else:
                return
