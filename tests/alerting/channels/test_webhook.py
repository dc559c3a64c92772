"""Webhooks: what is posted, that it is signed, and what answers mean."""

from __future__ import annotations

import hmac
import socket
from hashlib import sha256
from http.server import BaseHTTPRequestHandler

import pytest

from alerting.channels import ChannelError
from alerting.channels.webhook import Webhook
from alerting.message import Messages
from alerting.settings import WebhookSettings
from tests.support.hostile_receiver import Behaviour, scripted_http
from tests.support.notifications import TRACE, Asked, answering, ended, notification, view

MESSAGES = Messages("http://127.0.0.1:9090")


def channel(url: str, **given: object) -> Webhook:
    return Webhook(WebhookSettings.model_validate({"url": url, "timeout": "500ms", **given}), MESSAGES)


def test_the_json_is_alertmanagers_with_more() -> None:
    """Whoever takes Alertmanager's webhooks takes ours."""
    asked: list[Asked] = []
    with answering(lambda one: (asked.append(one), (202, {}, b""))[1]) as url:  # type: ignore[func-returns-value]  # brief
        assert channel(url).send(notification(view(), ended(id="0123456789"))).answer == "answered 202"
    content = asked[0].json
    assert {name: content[name] for name in ("version", "status", "receiver", "commonLabels", "groupKey")} == {
        "version": "4",
        "status": "firing",
        "receiver": "mail",
        "commonLabels": {
            "alertname": "http.server.error_rate",
            "service_name": "backend",
            "severity": "critical",
        },
        "groupKey": "critical:bf3fbe8026.1795435200000",
    }
    assert content["alerts"][0] == {
        "status": "firing",
        "labels": content["commonLabels"],
        "annotations": {
            "summary": "11.3 % of requests fail",
            "value": "11.3 %",
            "next_steps": "forecourt logs errors --last 1h",
            "trace_ids": TRACE,
        },
        "startsAt": "2026-11-23T12:00:00.000Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "bf3fbe8026",
        "value": 0.113,
        "unit": "ratio",
    }
    assert content["alerts"][1]["endsAt"] == "2026-11-23T12:10:00.000Z"
    assert content["title"] == "[CRITICAL] 11.3 % of requests fail (backend)"


def test_the_body_is_signed_with_its_time() -> None:
    """So that a receiver knows who sent it, and that it is not an old one again."""
    asked: list[Asked] = []

    def answer(one: Asked) -> tuple[int, dict[str, str], bytes]:
        asked.append(one)
        return 200, {}, b"ok"

    with answering(answer) as url:
        channel(url, secret="shared").send(notification(view()))
    headers, body = asked[0].headers, asked[0].body
    assert headers["X-Forecourt-Timestamp"] == "1795435325"
    expected = hmac.new(b"shared", b"1795435325." + body, sha256).hexdigest()
    assert headers["X-Forecourt-Signature"] == f"sha256={expected}"


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "wait"),
    [
        (429, {"Retry-After": "120"}, False, 120.0),
        (429, {"Retry-After": "Mon, 23 Nov 2026 12:01:00 GMT", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"}, False, None),
        (503, {"Retry-After": "soon"}, False, None),
        (404, {}, True, None),
        (410, {}, True, None),
        (408, {}, False, None),
    ],
)
def test_what_answers_mean(status: int, headers: dict[str, str], wait: float | None, *, permanent: bool) -> None:
    """4xx is for good but for those that say "later"."""
    with answering(lambda _: (status, headers, b"why")) as url, pytest.raises(ChannelError) as refused:
        channel(url).send(notification(view()))
    assert str(refused.value) == f"answered {status}: why"
    assert refused.value.permanent is permanent
    if wait is not None:
        assert refused.value.retry_after == wait


def test_of_a_redirect_without_end_no_more_is_read_than_of_any_answer() -> None:
    """It is not followed, so where it leads is of no interest."""
    sent: list[int] = []

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n")
        for number in range(64):
            handler.wfile.write(b"x" * 2**20)
            sent.append(number)
        handler.close_connection = True

    with scripted_http([Behaviour(act)]) as server, pytest.raises(ChannelError) as refused:
        channel(server.url).send(notification(view()))
    assert str(refused.value).startswith("answered 302: xxx")
    assert len(sent) < 32


def test_a_server_that_says_nothing_costs_its_timeout() -> None:
    """The address, which may be secret, is not told."""
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ChannelError) as refused:
        channel(f"http://127.0.0.1:{silent.getsockname()[1]}/secret-hook").send(notification(view()))
    assert str(refused.value) == "did not answer within 0.5 s"
    with pytest.raises(ChannelError) as away:
        channel("http://127.0.0.1:9/secret-hook").send(notification(view()))
    assert str(away.value) == "can't be reached"
    assert not away.value.permanent
