"""A replay at work: lines gathered into batches, delivered, and the position kept after each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from operations.replaying.journal import Journal
from operations.replaying.pace import Pace
from operations.replaying.progress import Signs
from operations.replaying.sending import Deliver, Delivery
from operations.replaying.wanted import Wanted
from operations.stored_lines import Found, found
from operations.stored_segments import Part

_BATCH_BYTES = 2 * 2**20
_SAVE_SECONDS = 1.0


@dataclass(slots=True)
class Result:
    """Of this run; `records` by signal."""

    records: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    delivery: Delivery = field(default_factory=Delivery)
    unread: dict[str, str] = field(default_factory=dict)
    """Segments that could not be read to their end, and why."""

    def add(self, signal: str, delivery: Delivery) -> None:
        self.records[signal] += delivery.records
        whole = self.delivery
        whole.records += delivery.records
        whole.unreadable += delivery.unreadable
        whole.refused += delivery.refused
        whole.note(delivery.reasons)

    @property
    def is_whole(self) -> bool:
        return not self.delivery.refused and not self.unread


@dataclass(slots=True)
class _Batch:
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0
    repeated: int = 0

    def add(self, one: Found) -> None:
        self.ends[one.segment] = one.end
        self.unreadable += one.unreadable
        self.repeated += one.repeated
        if one.line:
            self.lines.append(one.line)
            self.size += len(one.line)


class Replay:
    """`shift` gives by how much times move, of the time at which the first record happened."""

    def __init__(
        self,
        wanted: Wanted,
        journal: Journal,
        deliver: Deliver,
        pace: Pace,
        *,
        shift: Callable[[int], int],
        save: Callable[[Journal], None],
        signs: Signs,
    ) -> None:
        self.result = Result()
        self._wanted = wanted
        self._journal = journal
        self._deliver = deliver
        self._pace = pace
        self._shift = shift
        self._save = save
        self._signs = signs
        self._saved = float("-inf")
        self._batches = {signal: _Batch() for signal in wanted.signals}

    def run(self, sequences: Sequence[Sequence[Part]]) -> None:
        """Raise StoppedError, or OSError when the position can't be kept; it is kept whatever happens."""
        try:
            for one in found(self._wanted.selection, sequences, self.result.unread):
                self._take(one)
            self._deliver_all()
        finally:
            self._save(self._journal)

    def _take(self, one: Found) -> None:
        if one.line:
            if self._journal.shift_nano is None:
                self._journal.shift_nano = self._shift(one.happened_unix_nano)
            if self._pace.is_due_later(one.happened_unix_nano):
                self._deliver_all()
                self._pace.hold()
        batch = self._batches[one.stream]
        batch.add(one)
        if batch.size >= _BATCH_BYTES or not batch.lines:
            self._deliver_batch(one.stream)

    def _deliver_all(self) -> None:
        for signal, batch in self._batches.items():
            if batch.ends:
                self._deliver_batch(signal)

    def _deliver_batch(self, signal: str) -> None:
        batch, journal = self._batches[signal], self._journal
        delivery = Delivery(unreadable=batch.unreadable)
        if batch.lines:
            delivery = self._deliver(signal, batch.lines, journal.shift_nano or 0)
            delivery.unreadable += batch.unreadable
        self._batches[signal] = _Batch()
        self.result.add(signal, delivery)
        self.result.repeated += batch.repeated
        journal.sent[signal] = journal.sent.get(signal, 0) + delivery.records
        self._signs.advance(journal.advance(signal, batch.ends), delivery.records)
        now = time.monotonic()
        if now - self._saved >= _SAVE_SECONDS:
            self._save(journal)
            self._saved = now
