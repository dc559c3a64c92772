"""E-mail through a real SMTP server, with TLS, login, refusals and faults."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from alerting.channels import ChannelError
from alerting.channels.email import Email
from alerting.message import Messages
from alerting.settings import EmailSettings, SmtpSettings
from tests.support.notifications import ended, evidence, notification, view
from tests.support.smtp import Mailbox, smtp_server

MESSAGES = Messages("http://127.0.0.1:9090", None, evidence)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def plain_server(mailbox: Mailbox) -> Iterator[int]:
    with smtp_server(mailbox) as port:
        yield port


@pytest.fixture
def starttls_server(mailbox: Mailbox, authority: trustme.CA) -> Iterator[int]:
    context = _context(authority)
    login = {"authenticator": mailbox.authenticate, "auth_required": True}
    with smtp_server(mailbox, require_starttls=True, tls_context=context, **login) as port:
        yield port


@pytest.fixture
def tls_server(mailbox: Mailbox, authority: trustme.CA) -> Iterator[int]:
    with smtp_server(mailbox, tls=_context(authority)) as port:
        yield port


def _context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def channel(port: int, *, to: str = "ops@example.com, oncall@example.com", **given: Any) -> Email:
    smtp = {"host": "localhost", "port": port, "security": "none", "sender": "forecourt@example.com", "timeout": "5s"}
    settings = SmtpSettings.model_validate({**smtp, **given})
    return Email(EmailSettings.model_validate({"to": to}), settings, MESSAGES)


def test_one_message_goes_to_all_with_text_and_html(plain_server: int, mailbox: Mailbox) -> None:
    """And is marked as what a machine wrote."""
    delivery = channel(plain_server).send(notification(view()))
    assert delivery.answer == "accepted for ops@example.com, oncall@example.com"
    assert mailbox.recipients == [["ops@example.com", "oncall@example.com"]]
    mail = mailbox.last()
    assert mail["Subject"] == "[CRITICAL] 11.3 % of requests fail (backend)"
    assert mail["From"] == "Forecourt <forecourt@example.com>"
    assert mail["Date"] == "Mon, 23 Nov 2026 12:02:05 +0000"
    assert (mail["Auto-Submitted"], mail["X-Priority"]) == ("auto-generated", "1 (Highest)")
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "28.2 times the usual" in text.get_content()
    assert html.get_content().count('<div style="width:6px') == 60


def test_beginning_and_end_are_in_one_thread(plain_server: int, mailbox: Mailbox) -> None:
    """Both refer to the same message, and each is a message of its own."""
    sender = channel(plain_server)
    sender.send(notification(view(), id=1))
    sender.send(notification(ended(), kind="resolved", id=2))
    first, second = mailbox.mails
    assert first["References"] == second["References"] == "<bf3fbe8026.1795435200000@example.com>"
    assert first["Message-ID"] != second["Message-ID"]
    assert second["X-Priority"] is None


def test_starttls_and_login(starttls_server: int, mailbox: Mailbox, ca_file: Path) -> None:
    """The certificate is checked before the password goes out."""
    sender = channel(starttls_server, security="starttls", username="ops", password="right", ca_file=ca_file)
    assert sender.send(notification(view())).answer.startswith("accepted for ops@example.com")
    assert mailbox.logins == ["ops"]


def test_a_certificate_nobody_trusts_gets_no_password(starttls_server: int, mailbox: Mailbox) -> None:
    """It may be mended on the other side, so it is tried again."""
    sender = channel(starttls_server, security="starttls", username="ops", password="right")
    with pytest.raises(ChannelError, match="its certificate can't be trusted") as refused:
        sender.send(notification(view()))
    assert not refused.value.permanent
    assert mailbox.logins == []


def test_tls_from_the_first_byte(tls_server: int, mailbox: Mailbox, ca_file: Path) -> None:
    """As port 465 has it."""
    channel(tls_server, security="tls", ca_file=ca_file).send(notification(view()))
    assert len(mailbox.mails) == 1


def test_a_wrong_password_is_for_good_and_says_where_to_look(
    starttls_server: int, mailbox: Mailbox, ca_file: Path, tmp_path: Path
) -> None:
    """From a file as well."""
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    sender = channel(starttls_server, security="starttls", username="ops", password_file=secret, ca_file=ca_file)
    with pytest.raises(ChannelError) as refused:
        sender.send(notification(view()))
    assert str(refused.value).startswith("login refused: 535 ")
    assert str(refused.value).endswith("Check SMTP_USERNAME, SMTP_PASSWORD")
    assert refused.value.permanent
    assert mailbox.mails == []
    secret.write_text("right\n")
    sender.send(notification(view()))
    assert len(mailbox.mails) == 1


def test_a_server_without_starttls_is_told_from_one_that_is_away(plain_server: int) -> None:
    """It needs another configuration."""
    with pytest.raises(ChannelError, match=r"Check alerting\.smtp\.security") as refused:
        channel(plain_server, security="starttls").send(notification(view()))
    assert refused.value.permanent


def test_one_refused_recipient_is_told_and_the_others_have_it(plain_server: int, mailbox: Mailbox) -> None:
    """Who left the company does not keep it from those who stayed."""
    mailbox.refused = {"oncall@example.com": "550 no such user"}
    delivery = channel(plain_server).send(notification(view()))
    assert delivery.answer == "accepted for ops@example.com; refused: oncall@example.com (550 no such user)"


@pytest.mark.parametrize(("code", "permanent"), [("550 no such user", True), ("450 greylisted", False)])
def test_if_all_are_refused_it_depends_on_why(
    plain_server: int, mailbox: Mailbox, code: str, *, permanent: bool
) -> None:
    """What is greylisted is tried again."""
    mailbox.refused = {"ops@example.com": code}
    with pytest.raises(ChannelError) as refused:
        channel(plain_server, to="ops@example.com").send(notification(view()))
    assert str(refused.value) == f"refused: ops@example.com ({code})"
    assert refused.value.permanent is permanent


@pytest.mark.parametrize(("answer", "permanent"), [("554 spam", True), ("452 mailbox full", False)])
def test_a_message_that_is_not_taken(plain_server: int, mailbox: Mailbox, answer: str, *, permanent: bool) -> None:
    """5xx is for good, 4xx is for now (RFC 5321)."""
    mailbox.answer = answer
    with pytest.raises(ChannelError, match=f"answered {answer}") as refused:
        channel(plain_server).send(notification(view()))
    assert refused.value.permanent is permanent


def test_a_connection_that_breaks_in_the_middle_of_the_message(plain_server: int, mailbox: Mailbox) -> None:
    """Nobody knows whether it was taken: it is sent again."""
    mailbox.breaks = True
    with pytest.raises(ChannelError, match=r"^broke off: ") as refused:
        channel(plain_server).send(notification(view()))
    assert not refused.value.permanent


def test_a_server_that_is_not_there() -> None:
    """The address is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ChannelError, match=f"localhost:{port}: Connection refused") as refused:
            channel(port).send(notification(view()))
    assert not refused.value.permanent


def test_a_server_that_says_nothing_costs_its_timeout() -> None:
    """And no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ChannelError, match=r"did not answer within 0.3 s") as refused:
            channel(port, timeout="300ms").send(notification(view()))
    assert not refused.value.permanent


def test_a_hostile_summary_makes_no_header(plain_server: int, mailbox: Mailbox) -> None:
    """Nor a recipient."""
    hostile = "down\r\nBcc: everyone@example.com\r\nX-Evil: yes\r\n\r\nbody"
    channel(plain_server).send(notification(view(summary=hostile, key=(("service.name", hostile),))))
    mail = mailbox.last()
    assert (mail["Bcc"], mail["X-Evil"]) == (None, None)
    assert mail["Subject"].startswith("[CRITICAL] down Bcc: everyone@example.com X-Evil: yes body")
    assert mailbox.recipients == [["ops@example.com", "oncall@example.com"]]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"host": ""}, "alerting.smtp.host is empty (SMTP_HOST)"),
        ({"to": ""}, "nobody is in its list of addresses (FORECOURT_EMAIL_OPS, FORECOURT_EMAIL_ONCALL)"),
        ({"sender": ""}, "alerting.smtp.sender is empty (SMTP_SENDER)"),
        ({}, ""),
    ],
)
def test_what_is_missing_is_named(given: dict[str, str], problem: str) -> None:
    """With the variable that would set it."""
    assert channel(25, **given).problem() == problem


def test_if_one_of_the_refused_is_only_for_now_it_is_tried_again(plain_server: int, mailbox: Mailbox) -> None:
    """Nobody has the message yet."""
    mailbox.refused = {"ops@example.com": "550 no such user", "oncall@example.com": "450 greylisted"}
    with pytest.raises(ChannelError) as refused:
        channel(plain_server).send(notification(view()))
    assert not refused.value.permanent
