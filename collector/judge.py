"""The judge's thread: follows the store, live or from its files, and saves where it is."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple, Protocol

import orjson

from alerting.records import journal_after, last_of_journal
from alerting.severity import rank
from collector.journal_lines import tell_journal
from collector.stored_baselines import StoredBaselines
from collector.stored_observations import fill_windows, observed
from processors.derived import STREAMS as DERIVED
from processors.evaluation import Evaluation, Transition
from processors.judgement import GAP_NANO, STATE_FORMAT, Judgement
from processors.observation import Observation
from storage import State, StateError, StoreError
from storage.names import OWN_FOLDER, segments
from storage.reader import Span, StoredRecord, plain_name, read, unread
from storage.state import Checkpoint, Published
from storage.store import Stored

_log = logging.getLogger(__name__)

FOLLOWED = ("traces", "logs", "metrics", "health")
"""The streams that are judged."""
_QUEUE_RECORDS = 100_000
"""Observations that wait in memory; beyond it the files are read instead."""
_FLUSH_SECONDS = 1.0
_CHECKPOINT_SECONDS = 10.0
_MOST_PUBLISHED = 5_000
"""Evaluations that others can read; in a flood the worst."""
_REST = 4
"""Times as long as a checkpoint took."""
_WRITE_SECONDS = 3.0
"""How long a checkpoint waits for its lines to reach the disk."""
_UNWRITTEN_BYTES = 64 * 2**20
"""Derived lines that the disk refuses; beyond it judging waits."""
_LOOK_SECONDS = 0.25
_LOOK_RECORDS = 512
"""While reading files, how often it is time to look up."""

Append = Callable[[str, bytes, Sequence[int]], "Future[None]"]


def _refuse(stream: str, _lines: bytes, _times_unix_nano: Sequence[int]) -> Future[None]:
    raise StoreError(f"{stream}: the judge has not been started")


class _Write(NamedTuple):
    stream: str
    lines: bytes
    times_unix_nano: Sequence[int]
    done: Future[None]


class Listener(Protocol):
    """Who is told what each tick gave."""

    def evaluated(
        self, tick_unix_nano: int, evaluations: list[Evaluation], transitions: list[Transition]
    ) -> Future[None]:
        """Take it; done when it is safe."""

    def finish(self) -> None:
        """There will be no more."""


class Judge:
    """`stored` may be called by any thread; everything else of the judgement happens in its own."""

    def __init__(
        self,
        judgement: Judgement,
        folder: Path,
        *,
        followed: Iterable[str] = FOLLOWED,
        listener: Listener | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.judgement = judgement
        self._listener = listener
        self._told: Future[None] | None = None
        """Of the last tick; what failed for an earlier one is in it."""
        self._journaled = 0
        """The last entry of alerting's journal that the stream `alerts` has."""
        self._folder = folder
        self._clock = clock
        self._append: Append = _refuse
        self._baselines = StoredBaselines()
        self._thread = threading.Thread(target=self._run, name="judge")
        self._event = self._farewell = ""
        """What is told at the beginning and at the end."""
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._queue: deque[Stored] = deque()
        self._queued = 0
        self._skipped: dict[tuple[str, str], int] = {}
        """Ends of the segments that were not queued, and are read from their files."""
        self._positions: dict[str, dict[str, int]] = {stream: {} for stream in followed}
        self._lengths: dict[str, dict[str, int]] = {stream: {} for stream in DERIVED}
        self._saved: dict[tuple[str, str], int] = {}
        self._writes: list[_Write] = []
        self._looked = 0
        self._reading = False
        """Whether files are being read, while what comes is queued."""
        self._began = clock()
        self._judged_unix_nano = 0
        self._flushed = self._checkpointed = time.monotonic()
        self._saved_tick = 0
        self._rest_seconds = _FLUSH_SECONDS
        """So long after a checkpoint there is no other: a large state must not be all that we do."""
        self.judged_records = 0
        self.failed_records = 0
        """Records that judging stumbled over; a fault of ours."""
        self.failed = False
        """Whether judging has ended by a fault of ours."""
        self.drops = 0
        """How often the queue was dropped because judging lagged."""

    def recover(self) -> Mapping[str, Mapping[str, int]]:
        """Take up the last checkpoint; what the derived streams are to be cut back to. Raise StateError."""
        state = State.open(self._folder / OWN_FOLDER / "state.db")
        try:
            self._journaled = last_of_journal(state)
            checkpoint = state.checkpoint()
            if checkpoint is not None and self._take_up(checkpoint):
                gone = [(stream, segment) for stream, segment in self._saved if not self._exists(stream, segment)]
                state.forget_segments(gone)
                for known in gone:
                    del self._saved[known]
                return self._lengths
        finally:
            state.close()
        if any((self._folder / stream).is_dir() for stream in DERIVED):
            _log.warning("no checkpoint, but derived streams: judging goes on with what comes from now on")
            for span in unread(self._folder, self._positions, {}):
                self._positions[span.stream][span.segment] = span.path.stat().st_size
            for stream in DERIVED:  # as they are: the next start must not take them for what came after a checkpoint
                for name, path in segments(self._folder / stream):
                    if not name.compressed:
                        self._lengths[stream][plain_name(name)] = path.stat().st_size
        return {}

    def _take_up(self, checkpoint: Checkpoint) -> bool:
        try:
            content = orjson.loads(checkpoint.content)
            if content["format"] != STATE_FORMAT:
                raise ValueError(f"its format is {content['format']}, not {STATE_FORMAT}")  # noqa: TRY301  # one way out
            self.judgement.restore(content)
            self._journaled = min(self._journaled, content.get("journaled", 0))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("the checkpoint can't be read (%r): alerts begin anew, windows are filled from records", error)
            self.judgement = self.judgement.afresh()
        for stream, lengths in checkpoint.segment_bytes.items():
            kept = self._positions if stream in self._positions else self._lengths
            kept.setdefault(stream, {}).update(lengths)
            self._saved.update({(stream, segment): length for segment, length in lengths.items()})
        return True

    def _exists(self, stream: str, segment: str) -> bool:
        path = self._folder / stream / segment
        return path.exists() or path.with_name(f"{segment}.gz").exists()

    def start(self, append: Append, *, unclean: bool, event: str = "collector.started") -> None:
        """Judge what the last run left, then what comes. The store is open; `unclean`: the last run did not stop."""
        self._append = append
        self._event = "collector.restarted" if unclean else event
        for span in unread(self._folder, self._positions, self._positions):
            packed = span.path.suffix == ".gz"  # nobody knows how long it is
            self._skipped[span.stream, span.segment] = sys.maxsize if packed else span.path.stat().st_size
        self._unclean = unclean
        self._thread.start()

    def stored(self, stored: Stored) -> None:
        """Lines have come to the disk, with their observations."""
        if stored.stream in self._lengths:
            self._lengths[stored.stream][stored.segment] = stored.end
            return
        if stored.stream not in self._positions:
            return
        with self._changed:
            if self._skipped or self._queued > _QUEUE_RECORDS:
                self._skip(stored)
            else:
                self._queue.append(stored)
                self._queued += len(stored.tag or ())
            self._changed.notify()

    def _skip(self, stored: Stored) -> None:
        if self._queue:
            self.drops += 1
        for waiting in (*self._queue, stored):
            self._skipped[waiting.stream, waiting.segment] = waiting.end
        self._queue.clear()
        self._queued = 0

    def lag_seconds(self) -> float:
        """How long ago the record arrived that was judged last, or judging began; 0 when nothing waits."""
        if not (self._queue or self._skipped or self._reading):
            return 0.0
        return max(0.0, (self._clock() - (self._judged_unix_nano or self._began)) / 1e9)

    def stop(self, event: str = "collector.stopped") -> None:
        """Judge what is stored, save, tell the event if any, end. Nothing may be appended meanwhile by others."""
        self._farewell = event
        if self._thread.ident is None:
            return
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            state = State.open(self._folder / OWN_FOLDER / "state.db")
            try:
                self._judge_until_stopped(state)
            finally:
                state.close()
        except Exception:  # noqa: BLE001  # receiving goes on
            self.failed = True
            _log.exception("judging has stopped; what is received is kept, and judged after a restart")

    def _judge_until_stopped(self, state: State) -> None:
        self._begin(state)
        while not self._stopping.is_set():
            self._round(state)
        self._end(state)

    def _begin(self, state: State) -> None:
        self.judgement.on_evaluated = self._evaluated
        self._baselines.tell(self.judgement.judges.baselines, state)
        self._save(state)  # from here on a derived segment that no checkpoint names came after it
        fill_windows(self.judgement, self._folder, self._positions, self._clock(), self._stopping.is_set)
        self._catch_up(state)
        self.judgement.resume(self._clock())
        self.judgement.tell(self._event, self._clock(), after_crash=self._unclean)
        self._save(state)
        self._looked = self._clock()

    def _end(self, state: State) -> None:
        if not self._skipped:  # else what is left is judged at the next start
            self._follow(self._take())
            self.judgement.advance(self._clock())
        if self._listener is not None:
            self._listener.finish()
        self.judgement.close_rollups(self._clock())
        if self._farewell:
            self.judgement.tell(self._farewell, self._clock())
        self._save(state)

    def _round(self, state: State) -> None:
        with self._changed:
            if not self._queue and not self._skipped:
                self._changed.wait(_LOOK_SECONDS)
        now = self._clock()
        if now - self._looked > GAP_NANO:
            self.judgement.resume(now)  # the machine slept
        elif now < self.judgement.tick_unix_nano - GAP_NANO:
            _log.warning("the clock was set back by %.0f s", (self.judgement.tick_unix_nano - now) / 1e9)
            self.judgement.rewind(now)
        self._catch_up(state)
        self._follow(self._take())
        if not self._queue and not self._skipped:
            self.judgement.advance(now)
        self._flush_and_save(state)
        while self._unwritten_bytes() > _UNWRITTEN_BYTES and not self._stopping.wait(_FLUSH_SECONDS):
            self._flush_and_save(state)
        self._looked = self._clock()

    def _evaluated(self, tick: int, evaluations: list[Evaluation], transitions: list[Transition]) -> None:
        if self._listener is not None:
            self._told = self._listener.evaluated(tick, evaluations, transitions)

    def _take(self) -> list[Stored]:
        with self._changed:
            taken = list(self._queue)
            self._queue.clear()
            self._queued = 0
        return taken

    def _follow(self, batches: Iterable[Stored]) -> None:
        for batch in batches:
            known = self._positions[batch.stream].get(batch.segment, 0)
            if batch.end <= known:
                continue
            if batch.start != known:  # lines that no queue held
                for stored in read([self._span(batch.stream, batch.segment, batch.start)]):
                    self._judge_stored(stored)
            if batch.tag:
                self._observe(batch.tag)
            self._positions[batch.stream][batch.segment] = batch.end

    def _observe(self, observations: Sequence[Observation]) -> None:
        received = observations[0].received_unix_nano
        self.judgement.advance(received)
        for observation in observations:
            try:
                self.judgement.observe(observation)
            except Exception:  # noqa: BLE001  # one record must not stop the rest
                self.failed_records += 1
                _log.exception("a record could not be judged; it is kept in its stream")
        self.judged_records += len(observations)
        self._judged_unix_nano = received

    def _catch_up(self, state: State) -> None:
        """Read from the files what was not queued; what comes meanwhile is queued again."""
        while self._skipped:
            with self._changed:
                skipped, self._skipped = self._skipped, {}
                self._reading = True
            for count, stored in enumerate(read([self._span(*known, end) for known, end in sorted(skipped.items())])):
                self._judge_stored(stored)
                if count % _LOOK_RECORDS == 0:
                    self._flush_and_save(state)
                    if self._stopping.is_set():
                        self._skipped = {**skipped, **self._skipped}
                        return
        self._reading = False

    def _span(self, stream: str, segment: str, end: int) -> Span:
        path = self._folder / stream / segment
        if not path.exists():
            path = path.with_name(f"{segment}.gz")
        return Span(stream, segment, path, self._positions[stream].get(segment, 0), end)

    def _judge_stored(self, stored: StoredRecord) -> None:
        observation = observed(stored, self.judgement)
        if observation is not None:
            self._observe((observation,))
        self._positions[stored.stream][stored.segment] = stored.end

    def _flush_and_save(self, state: State) -> None:
        now = time.monotonic()
        if now - self._flushed >= _FLUSH_SECONDS:
            self._flush(state)
            self._flushed = now
        ticked = self.judgement.tick_unix_nano != self._saved_tick and now - self._checkpointed >= self._rest_seconds
        if ticked or now - self._checkpointed >= _CHECKPOINT_SECONDS:
            self._baselines.tell(self.judgement.judges.baselines, state)
            self._save(state)
            self._checkpointed, self._saved_tick = time.monotonic(), self.judgement.tick_unix_nano
            taken = self._checkpointed - now
            self._rest_seconds = min(max(_FLUSH_SECONDS, _REST * taken), _CHECKPOINT_SECONDS)

    def _flush(self, state: State) -> None:
        """Hand the derived lines on, and again those that the disk refused."""
        try:
            decided = journal_after(state, self._journaled)
        except StateError as error:
            _log.warning("alerting's decisions come to the stream later: %s", error)
        else:
            self._journaled = tell_journal(self.judgement.lines, decided, self._journaled)
        refused = [write for write in self._writes if write.done.done() and write.done.exception()]
        self._writes = [write for write in self._writes if not write.done.done()]
        lines = [(write.stream, write.lines, write.times_unix_nano) for write in refused]
        for stream, content, times in (*lines, *self.judgement.lines.take()):
            self._writes.append(_Write(stream, content, times, self._append(stream, content, times)))

    def _unwritten_bytes(self) -> int:
        return sum(len(write.lines) for write in self._writes)

    def _save(self, state: State) -> None:
        """A checkpoint, unless the disk refuses what belongs to it."""
        try:
            if self._told is not None:
                self._told.result(_WRITE_SECONDS)
            self._flush(state)
            for write in self._writes:
                write.done.result(_WRITE_SECONDS)
        except (StoreError, StateError, TimeoutError) as error:
            _log.warning("derived records wait for the disk: %s", error)
            return
        self._writes.clear()
        current = {
            (stream, segment): length
            for streams in (self._positions, self._lengths)
            for stream, segments in streams.items()
            for segment, length in segments.items()
        }
        changed = [(*known, length) for known, length in current.items() if self._saved.get(known) != length]
        resumed = {**self.judgement.to_state(), "journaled": self._journaled}
        content = orjson.dumps(resumed, option=orjson.OPT_NON_STR_KEYS)
        try:
            state.save_checkpoint(self._clock(), content, changed, self._published())
        except StateError as error:
            _log.warning("no checkpoint: %s", error)
            return
        self._saved = current

    def _published(self) -> Published | None:
        tick = self.judgement.tick_unix_nano
        worst = self.judgement.evaluations
        if len(worst) > _MOST_PUBLISHED:
            worst = sorted(worst, key=lambda one: rank(one.severity), reverse=True)[:_MOST_PUBLISHED]
        return Published(tick, [evaluation.to_json() for evaluation in worst]) if tick else None
