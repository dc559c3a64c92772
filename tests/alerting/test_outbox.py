"""The outbox: in which order, how often, and for how long notifications are tried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.journal import Journal
from alerting.notification import Delivery
from alerting.outbox import Outbox, backoff_seconds
from alerting.settings import DeliverySettings
from tests.support.notifications import START, notification, view

NANO = 1_000_000_000


def outbox(size: int = 1000, give_up_after: str = "24h") -> Outbox:
    settings = DeliverySettings.model_validate({"queue_size": size, "give_up_after": give_up_after})
    return Outbox(settings, Journal())


def add(box: Outbox, number: int, severity: str = "high", *alerts: str, receiver: str = "mail") -> bool:
    found = notification(view(severity=severity), id=number, receiver=receiver, created_unix_nano=START)
    return box.add(found, alerts or (f"alert{number}",))


def next_id(box: Outbox, after_seconds: float = 0, receiver: str = "mail") -> int | None:
    job = box.next_job(receiver, START + int(after_seconds * NANO))
    return job.queued.notification.id if job else None


def refuse(box: Outbox, number: int, after_seconds: float = 0, **given: object) -> None:
    what = {"permanent": False, "retry_after": None, "jitter": 0.0, **given}
    box.refused(number, "no", START + int(after_seconds * NANO), **what)  # type: ignore[arg-type]  # a test's


def test_the_worst_goes_first() -> None:
    """And what is as bad in order."""
    box = outbox()
    for number, severity in enumerate(["low", "high", "critical", "high"]):
        add(box, number, severity)
    order = []
    while (found := next_id(box)) is not None:
        order.append(found)
        box.accepted(found, Delivery("taken"), START)
    assert order == [2, 1, 3, 0]


def test_one_that_is_refused_again_and_again_holds_nothing_back() -> None:
    """It may be that message alone; once another is taken, the worst that is due goes first again."""
    box = outbox()
    add(box, 1, "critical")
    add(box, 2, "high")
    add(box, 3, "low")
    refuse(box, next_id(box) or 0)
    assert next_id(box, 5) == 2
    box.accepted(2, Delivery("taken"), START + 5 * NANO)
    assert next_id(box, 5) == 1
    refuse(box, 1, 5)
    assert next_id(box, 10) == 3


def test_of_the_same_alert_nothing_overtakes() -> None:
    """An end is not told before its beginning, however long that waits."""
    box = outbox()
    add(box, 1, "low", "a")
    add(box, 2, "critical", "a", "b")
    add(box, 3, "critical", "c")
    assert next_id(box) == 3
    box.accepted(3, Delivery("taken"), START)
    assert next_id(box) == 1
    refuse(box, 1)
    assert next_id(box, 4) is None
    assert next_id(box, 5) == 1
    box.accepted(1, Delivery("taken"), START)
    assert next_id(box, 5) == 2


def test_a_receiver_that_fails_rests_and_no_other_does() -> None:
    """Doubling, as long as it goes on failing."""
    box = outbox()
    add(box, 1)
    add(box, 2)
    add(box, 3, receiver="phone")
    refuse(box, 1)
    assert (next_id(box, 4.9), next_id(box, 4.9, "phone")) == (None, 3)
    assert next_id(box, 5) == 2
    refuse(box, 2, 5)
    assert next_id(box, 14.9) is None
    assert next_id(box, 15) == 1


def test_retry_after_is_honoured() -> None:
    """For the whole receiver: it has asked for a pause."""
    box = outbox()
    add(box, 1)
    add(box, 2)
    refuse(box, 1, retry_after=120.0)
    assert next_id(box, 119) is None
    assert next_id(box, 120) == 2


@pytest.mark.parametrize("given_up", [{"permanent": True}, {"retry_after": 90_000.0}])
def test_what_is_pointless_is_given_up(given_up: dict[str, object]) -> None:
    """For good, or because it would be too late."""
    box = outbox()
    add(box, 1)
    refuse(box, 1, **given_up)
    assert next_id(box, 10**6) is None
    assert box.changed[1].status == "failed"


def test_after_a_day_it_is_given_up() -> None:
    """It has been tried some three hundred times by then."""
    box = outbox()
    add(box, 1)
    at, attempts = 0.0, 0
    while box.changed[1].status == "queued":
        assert next_id(box, at) == 1
        refuse(box, 1, at, jitter=1.0)
        attempts += 1
        at = (box.changed[1].due - START) / NANO
    assert 250 < attempts < 700
    assert 86_000 < at < 87_000


def test_a_full_queue_takes_no_more() -> None:
    """Of this receiver."""
    box = outbox(size=2)
    assert [add(box, number) for number in range(3)] == [True, True, False]
    assert add(box, 4, receiver="phone")


@given(attempts=st.integers(1, 10_000), jitter=st.floats(0, 1))
def test_pauses_are_bounded(attempts: int, jitter: float) -> None:
    """Never less than half of 5 s, never more than 5 min, and longer the longer it fails."""
    pause = backoff_seconds(attempts, jitter)
    assert 2.5 <= pause <= 300
    assert backoff_seconds(attempts + 1, jitter) >= pause
