"""Everything else goes through Apprise; here to a server on loopback."""

from __future__ import annotations

import pytest

from alerting.channels import ChannelError
from alerting.channels.apprise import Apprise
from alerting.message import Messages
from alerting.settings import AppriseSettings
from tests.support.notifications import Asked, answering, ended, notification, view

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


def channel(*urls: str) -> Apprise:
    return Apprise(AppriseSettings.model_validate({"urls": urls}), Messages("http://127.0.0.1:9090"))


def test_title_text_and_kind_arrive() -> None:
    """By any service that Apprise knows."""
    asked: list[Asked] = []

    def answer(one: Asked) -> tuple[int, dict[str, str], bytes]:
        asked.append(one)
        return 200, {}, b"ok"

    with answering(answer) as url:
        sender = channel(url.replace("http", "json"))
        assert sender.send(notification(view(summary="<b>{{ x }}</b> *y*"))).answer == "taken by 1 of 1"
        sender.send(notification(ended(), kind="resolved"))
    first, second = (one.json for one in asked)
    assert first["title"] == "[CRITICAL] <b>{{ x }}</b> *y* (backend)"
    assert "Wants an answer at once" in first["message"]
    assert (first["type"], second["type"]) == ("failure", "success")


def test_one_that_fails_does_not_repeat_the_others() -> None:
    """It is said which."""
    with answering(lambda _: (200, {}, b"ok")) as good, answering(lambda _: (500, {}, b"no")) as bad:
        sender = channel(good.replace("http", "json"), bad.replace("http", "json"))
        answer = sender.send(notification(view())).answer
        assert answer.startswith("taken by 1 of 2; URL 2 of them failed: ")
        with pytest.raises(ChannelError, match="Apprise could not send it") as refused:
            channel(bad.replace("http", "json")).send(notification(view()))
    assert not refused.value.permanent


def test_a_url_that_it_does_not_know_is_for_good() -> None:
    """Trying again would not mend it."""
    with pytest.raises(ChannelError, match="one of its urls is none that Apprise knows") as refused:
        channel("nonsense").send(notification(view()))
    assert refused.value.permanent
    assert channel().problem() == "its urls are empty"
    assert channel("json://localhost").problem() == ""
