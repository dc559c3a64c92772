"""The outbox: what waits for each receiver's channel, what has been accepted, and which receipts still ring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

from alerting.journal import Journal
from alerting.notification import Delivery, Notification, Queued
from alerting.settings import DeliverySettings
from alerting.severity import rank

_NANO = 1_000_000_000
_FIRST_DELAY_SECONDS = 5.0
_MOST_DELAY_SECONDS = 300.0
_POLL_NANO = 15 * _NANO
"""Pushover wants at least 5 s between two looks at a receipt."""


class Job(NamedTuple):
    """What a channel is to do next; `cancel` and `poll` are about the notification's receipt."""

    act: Literal["send", "cancel", "poll"]
    queued: Queued


def backoff_seconds(attempts: int, jitter: float) -> float:
    """Doubling from 5 s to 5 min, of which `jitter` (0 to 1) takes up to the half."""
    delay = min(_MOST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0 ** min(attempts - 1, 10))
    return delay * (1 - jitter / 2)


class Outbox:
    def __init__(self, settings: DeliverySettings, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal
        self.next_id = 1
        self._waiting: dict[int, Queued] = {}
        self._counts: Counter[str] = Counter()
        self._ringing: dict[int, Queued] = {}
        self._cancels: dict[int, Queued] = {}
        self._polled: dict[int, int] = {}
        self._resting: dict[str, tuple[int, int]] = {}
        """By receiver: how often in a row it failed, and until when it rests."""
        self.changed: dict[int, Queued] = {}

    def waiting(self, receiver: str) -> int:
        return self._counts.get(receiver, 0)

    def add(self, notification: Notification, alert_ids: Iterable[str]) -> bool:
        """Whether there was room for it."""
        if self.waiting(notification.receiver) >= self._settings.queue_size:
            return False
        queued = Queued(notification, due=notification.created_unix_nano, alert_ids=tuple(alert_ids))
        self._wait(queued)
        self.changed[notification.id] = queued
        return True

    def _wait(self, queued: Queued) -> None:
        self._waiting[queued.notification.id] = queued
        self._counts[queued.notification.receiver] += 1

    def _leave(self, number: int) -> Queued:
        queued = self._waiting.pop(number)
        self._counts[queued.notification.receiver] -= 1
        return queued

    def next_job(self, receiver: str, now: int) -> Job | None:
        """Cancels first; then what waits, the worst first, but of the same alert in order; then receipts."""
        for queued in self._cancels.values():
            if queued.notification.receiver == receiver and queued.due <= now:
                return Job("cancel", queued)
        _, rests_until = self._resting.get(receiver, (0, 0))
        if rests_until <= now:
            best = self._best(receiver, now)
            if best is not None:
                return Job("send", best)
        for number, queued in self._ringing.items():
            if queued.notification.receiver == receiver and now - self._polled.get(number, 0) >= _POLL_NANO:
                self._polled[number] = now
                return Job("poll", queued)
        return None

    def _best(self, receiver: str, now: int) -> Queued | None:
        """The most severe that is due and about no alert of which something older still waits.

        While the receiver refuses, each in its turn: it may be one message that it does not take.
        """
        best: tuple[tuple[int, int], Queued] | None = None
        blocked: set[str] = set()
        for queued in self._waiting.values():
            if queued.notification.receiver != receiver:
                continue
            free = queued.due <= now and blocked.isdisjoint(queued.alert_ids)
            blocked.update(queued.alert_ids)
            tried = queued.attempts if receiver in self._resting else 0
            precedence = (-tried, rank(queued.notification.severity))
            if free and (best is None or precedence > best[0]):
                best = precedence, queued
        return best[1] if best else None

    def accepted(self, number: int, delivery: Delivery, now: int) -> None:
        queued = self._leave(number)
        queued.status, queued.answer, queued.ended_at = "sent", delivery.answer, now
        queued.attempts += 1
        if delivery.receipt:
            queued.receipt, queued.receipt_open = delivery.receipt, True
            self._ringing[number] = queued
            self._polled[number] = now
        self._resting.pop(queued.notification.receiver, None)
        self._tell(queued, "sent", delivery.answer, now)

    def refused(
        self, number: int, problem: str, now: int, *, permanent: bool, retry_after: float | None, jitter: float
    ) -> None:
        """It is tried again, unless that is pointless or it has been waiting for too long."""
        queued = self._waiting[number]
        receiver = queued.notification.receiver
        queued.attempts += 1
        queued.answer = problem
        failures = self._resting.get(receiver, (0, 0))[0] + 1
        delay = max(backoff_seconds(queued.attempts, jitter), retry_after or 0.0)
        queued.due = now + int(delay * _NANO)
        gives_up = queued.notification.created_unix_nano + int(self._settings.give_up_after * _NANO)
        if permanent or queued.due > gives_up:
            self._leave(number)
            queued.status, queued.ended_at = "failed", now
            reason = "" if permanent else f" (given up: it would have to wait {delay:.0f} s more)"
            self._tell(queued, "failed permanently", problem + reason, now)
            return
        rest = max(backoff_seconds(failures, jitter), retry_after or 0.0)
        self._resting[receiver] = (failures, now + int(rest * _NANO))
        self._tell(queued, "retrying", f"{problem}; again in {delay:.0f} s", now)

    def cancel(self, alert_ids: Iterable[str]) -> None:
        """Have receipts withdrawn that are about these alerts, all of which need nobody any more."""
        over = set(alert_ids)
        for number, queued in self._ringing.items():
            if over.issuperset(queued.alert_ids):
                self._cancels[number] = queued

    def ringing(self, alert_id: str) -> list[Queued]:
        """Of this alert."""
        return [queued for queued in self._ringing.values() if alert_id in queued.alert_ids]

    def silent(self, number: int, outcome: str, answer: str, now: int) -> None:
        """Its receipt rings no more: cancelled, acknowledged, expired, or nobody knows it."""
        queued = self._ringing.pop(number, None)
        self._cancels.pop(number, None)
        self._polled.pop(number, None)
        if queued is not None:
            queued.receipt_open = False
            self._tell(queued, outcome, answer, now)

    def postponed(self, number: int, now: int, seconds: float) -> None:
        """A receipt could not be asked about or cancelled; later."""
        queued = self._ringing.get(number)
        if queued is not None:
            queued.due = now + int(seconds * _NANO)
            self._polled[number] = queued.due - _POLL_NANO

    def drop(self, receiver: str, reason: str, now: int) -> None:
        """The receiver is no more."""
        for number, queued in list(self._waiting.items()):
            if queued.notification.receiver == receiver:
                self._leave(number)
                queued.status, queued.ended_at = "failed", now
                self._tell(queued, "failed permanently", reason, now)

    def shift(self, nano: int) -> None:
        """The clock has stepped."""
        for queued in (*self._waiting.values(), *self._ringing.values()):
            queued.due += nano
        self._polled = {number: time + nano for number, time in self._polled.items()}
        self._resting = {name: (failures, until + nano) for name, (failures, until) in self._resting.items()}

    def restore(self, queued: Queued) -> None:
        if queued.status == "queued":
            self._wait(queued)
        elif queued.receipt_open:
            self._ringing[queued.notification.id] = queued

    @property
    def receivers(self) -> set[str]:
        """Those for whom something waits."""
        return {queued.notification.receiver for queued in self._waiting.values()}

    def _tell(self, queued: Queued, outcome: str, reason: str, now: int) -> None:
        self.changed[queued.notification.id] = queued
        notification = queued.notification
        self._journal.channel(
            outcome,
            reason,
            now,
            notification=notification.id,
            receiver=notification.receiver,
            kind=notification.kind,
            severity=notification.severity,
            alerts=[alert.name for alert in notification.alerts[:3]],
        )
