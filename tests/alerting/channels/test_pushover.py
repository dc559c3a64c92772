"""Pushover, against a server on loopback that answers as its documentation says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting.channels import ChannelError, ReceiptState
from alerting.channels.pushover import Pushover
from alerting.message import Messages
from alerting.settings import PushoverSettings
from tests.support.notifications import START, Answer, answering, ended, evidence, notification, view
from tests.support.pushover import RECEIPT, TOKEN, USER, PushoverCloud, over_limit

MESSAGES = Messages("http://127.0.0.1:9090", None, evidence)


@pytest.fixture
def cloud() -> PushoverCloud:
    return PushoverCloud()


@pytest.fixture
def url(cloud: PushoverCloud) -> Iterator[str]:
    with answering(cloud) as address:
        yield address


def channel(url: str, **given: object) -> Pushover:
    settings = {"token": TOKEN, "user": USER, "url": url, "timeout": "2s", **given}
    return Pushover(PushoverSettings.model_validate(settings), MESSAGES)


def test_a_critical_alert_is_an_emergency_with_a_receipt(url: str, cloud: PushoverCloud) -> None:
    """It rings every 30 s for an hour, as the runbook wants it."""
    delivery = channel(url).send(notification(view()))
    assert (delivery.answer, delivery.receipt) == ("accepted, 7495 messages left this month", RECEIPT)
    (form,) = cloud.messages
    assert (form["priority"], form["retry"], form["expire"]) == ("2", "30", "3600")
    assert form["title"] == "[CRITICAL] 11.3 % of requests fail (backend)"
    assert form["message"].startswith("11.3 %, bound > 10%; since 12:00 UTC\n")
    assert form["url"] == "http://127.0.0.1:9090/alerts/bf3fbe8026"
    assert form["timestamp"] == "1795435325"


@pytest.mark.parametrize(("severity", "priority"), [("high", "1"), ("medium", "0"), ("low", "-1")])
def test_other_severities_have_the_runbooks_priorities(
    url: str, cloud: PushoverCloud, severity: str, priority: str
) -> None:
    """And no receipt."""
    assert channel(url).send(notification(view(severity=severity))).receipt == ""
    assert cloud.messages[0]["priority"] == priority
    assert "retry" not in cloud.messages[0]


@pytest.mark.parametrize("kind", ["resolved", "digest", "test"])
def test_ends_digests_and_tests_ring_nobody(url: str, cloud: PushoverCloud, kind: str) -> None:
    """However bad the alert was."""
    assert channel(url).send(notification(ended(), kind=kind)).receipt == ""  # type: ignore[arg-type]  # a test's
    assert cloud.messages[0]["priority"] == "0"


def test_long_texts_are_cut_to_what_it_takes(url: str, cloud: PushoverCloud) -> None:
    """250 and 1,024 characters."""
    channel(url).send(notification(*[view(summary="x" * 5000, key=(("a", "y" * 5000),)) for _ in range(9)]))
    assert len(cloud.messages[0]["title"]) <= 250
    assert len(cloud.messages[0]["message"]) <= 1024


def test_a_receipt_tells_who_acknowledged(url: str, cloud: PushoverCloud) -> None:
    """Or that nobody did in time."""
    sender = channel(url)
    assert sender.look(RECEIPT) == ReceiptState("", expired=False)
    cloud.acknowledged_by = "annas-phone"
    assert sender.look(RECEIPT) == ReceiptState("Pushover (annas-phone)", expired=False)
    cloud.acknowledged_by, cloud.expired = "", True
    assert sender.look(RECEIPT) == ReceiptState("", expired=True)


def test_a_receipt_can_be_cancelled(url: str, cloud: PushoverCloud) -> None:
    """And one that nobody knows is for good."""
    channel(url).cancel(RECEIPT)
    assert cloud.cancelled == [RECEIPT]
    with pytest.raises(ChannelError, match="answered 404: receipt not found") as refused:
        channel(url).look("unknown")
    assert refused.value.permanent


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"token": "wrong"}, "answered 400: application token is invalid. Check PUSHOVER_TOKEN"),
        (
            {"user": "wrong"},
            "answered 400: user identifier is not a valid user, group, or subscribed user key. Check PUSHOVER_USER",
        ),
    ],
)
def test_wrong_keys_are_for_good_and_named(url: str, given: dict[str, str], says: str) -> None:
    """What to mend is in the message; the key itself isn't."""
    with pytest.raises(ChannelError) as refused:
        channel(url, **given).send(notification(view()))
    assert str(refused.value) == says
    assert refused.value.permanent


def test_the_months_limit_ends_when_it_says(url: str, cloud: PushoverCloud) -> None:
    """It is waited for, if that is soon enough."""
    cloud.faults = [over_limit(START // 10**9 + 125 + 3600)]
    with pytest.raises(ChannelError) as refused:
        channel(url).send(notification(view()))
    assert str(refused.value) == "the month's limit of 7500 messages is reached: application is over its quota"
    assert (refused.value.permanent, refused.value.retry_after) == (False, 3600.0)


@pytest.mark.parametrize(
    ("answer", "says", "permanent"),
    [
        ((500, {}, b"oops"), "answered 500: oops", False),
        ((503, {"Retry-After": "7"}, b""), "answered 503", False),
        ((0, {}, b""), "broke the connection off", False),
        ((302, {"Location": "http://127.0.0.1:9/"}, b""), "answered 302", True),
        ((200, {}, b"<html>a portal</html>"), "answered no success: <html>a portal</html>", True),
        ((200, {}, b'{"status": 0, "errors": ["no"]}'), "answered no success: no", True),
    ],
)
def test_other_answers(url: str, cloud: PushoverCloud, answer: Answer, says: str, *, permanent: bool) -> None:
    """A hotel's portal is no success, a redirect is not followed, the server's faults pass."""
    cloud.faults = [answer]
    with pytest.raises(ChannelError) as refused:
        channel(url).send(notification(view()))
    assert str(refused.value) == says
    assert refused.value.permanent is permanent
    assert refused.value.retry_after == (7.0 if answer[1].get("Retry-After") else None)


def test_the_token_may_be_in_a_file(url: str, cloud: PushoverCloud, tmp_path: Path) -> None:
    """And what is missing is named."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    sender = channel(url, token="", token_file=tmp_path / "token")
    assert sender.problem() == ""
    sender.send(notification(view()))
    assert len(cloud.messages) == 1
    assert channel(url, token="").problem() == "its token is empty (PUSHOVER_TOKEN)"
    assert channel(url, user="").problem() == "its user is empty (PUSHOVER_USER)"
