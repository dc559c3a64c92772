"""E-mail: one message to all recipients, text and HTML, in one thread an incident."""

from __future__ import annotations

import smtplib
import socket
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from alerting.channels.channel import ChannelError
from alerting.message import Message, Messages
from alerting.notification import Delivery, Notification
from alerting.plain_text import plain
from alerting.settings import EmailSettings, SmtpSettings, secret

_PERMANENT = 500
_PRIORITIES = {"critical": "1 (Highest)", "high": "2 (High)"}


class Email:
    def __init__(self, settings: EmailSettings, smtp: SmtpSettings, messages: Messages) -> None:
        self._settings = settings
        self._smtp = smtp
        self._messages = messages

    def problem(self) -> str:
        if not self._smtp.host:
            return "alerting.smtp.host is empty (SMTP_HOST)"
        if not self._settings.to:
            return "nobody is in its list of addresses (FORECOURT_EMAIL_OPS, FORECOURT_EMAIL_ONCALL)"
        return "" if self._smtp.sender else "alerting.smtp.sender is empty (SMTP_SENDER)"

    def send(self, notification: Notification) -> Delivery:
        return self.deliver(self._mail(notification, self._messages.message(notification)))

    def send_document(self, title: str, text: str, html: str, now_unix_nano: int) -> Delivery:
        """A report, as text with the HTML file attached; raise ChannelError."""
        mail = self._addressed(title, f"report.{now_unix_nano}", now_unix_nano)
        mail.set_content(text)
        name = "".join(letter if letter.isalnum() else "-" for letter in title.lower())
        mail.add_attachment(html, subtype="html", filename=f"{name}.html")
        return self.deliver(mail)

    def deliver(self, mail: EmailMessage) -> Delivery:
        """Hand it to the server; raise ChannelError."""
        try:
            with self._connected() as server:
                self._log_in(server)
                refused = server.send_message(mail, self._smtp.sender, list(self._settings.to))
        except smtplib.SMTPException as error:
            if isinstance(error.__context__, TimeoutError):
                raise ChannelError(f"{self._place}: {self._too_late}", permanent=False) from error
            raise _understood(error) from error
        except ssl.SSLError as error:
            raise ChannelError(f"{self._place}: its certificate can't be trusted: {error}", permanent=False) from error
        except OSError as error:
            reason = self._too_late if isinstance(error, TimeoutError) else _reason(error)
            raise ChannelError(f"{self._place}: {reason}", permanent=False) from error
        accepted = [address for address in self._settings.to if address not in refused]
        answer = f"accepted for {', '.join(accepted)}"
        return Delivery(f"{answer}; refused: {_refusals(refused)}" if refused else answer)

    @property
    def _too_late(self) -> str:
        return f"did not answer within {self._smtp.timeout:g} s"

    @property
    def _place(self) -> str:
        return f"{self._smtp.host}:{self._smtp.port}"

    def _connected(self) -> smtplib.SMTP:
        smtp = self._smtp
        context = ssl.create_default_context(cafile=smtp.ca_file)
        if smtp.security == "tls":
            return smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=smtp.timeout, context=context)
        server = smtplib.SMTP(smtp.host, smtp.port, timeout=smtp.timeout)
        try:
            if smtp.security == "starttls":
                server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server

    def _log_in(self, server: smtplib.SMTP) -> None:
        if self._smtp.username:
            server.login(self._smtp.username, secret(self._smtp.password, self._smtp.password_file))

    @property
    def _domain(self) -> str:
        return self._smtp.sender.rpartition("@")[2]

    def _addressed(self, title: str, number: int | str, time_unix_nano: int) -> EmailMessage:
        mail = EmailMessage(SMTP)
        mail["From"] = f"Forecourt <{self._smtp.sender}>"
        mail["To"] = ", ".join(self._settings.to)
        mail["Subject"] = title
        mail["Date"] = format_datetime(datetime.fromtimestamp(time_unix_nano / 1e9, UTC))
        mail["Message-ID"] = make_msgid(idstring=f"forecourt.{number}", domain=self._domain)
        mail["Auto-Submitted"] = "auto-generated"
        return mail

    def _mail(self, notification: Notification, message: Message) -> EmailMessage:
        mail = self._addressed(message.title, notification.id, notification.created_unix_nano)
        if notification.threads:
            # The first of a thread is a message that nobody has: every client puts its answers together all the same.
            references = [f"<{thread}@{self._domain}>" for thread in notification.threads]
            mail["References"] = " ".join(references)
            mail["In-Reply-To"] = references[0]
        if notification.severity in _PRIORITIES and notification.kind != "resolved":
            mail["X-Priority"] = _PRIORITIES[notification.severity]
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        return mail


def _understood(error: smtplib.SMTPException) -> ChannelError:
    """Whether to try again, and what to tell."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        permanent = all(code >= _PERMANENT for code, _ in error.recipients.values())
        return ChannelError(f"refused: {_refusals(error.recipients)}", permanent=permanent)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return ChannelError(f"{error} Check alerting.smtp.security and username", permanent=True)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        permanent = error.smtp_code >= _PERMANENT
        return ChannelError(f"login refused: {_answer(error)}. Check SMTP_USERNAME, SMTP_PASSWORD", permanent=permanent)
    if isinstance(error, smtplib.SMTPResponseException):
        return ChannelError(f"answered {_answer(error)}", permanent=error.smtp_code >= _PERMANENT)
    return ChannelError(f"broke off: {plain(error)}", permanent=False)


def _answer(error: smtplib.SMTPResponseException) -> str:
    return f"{error.smtp_code} {_text(error.smtp_error)}"


def _refusals(refused: dict[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{address} ({code} {_text(reason)})" for address, (code, reason) in refused.items())


def _text(given: bytes | str) -> str:
    return plain(given.decode("utf-8", "replace") if isinstance(given, bytes) else given, 200)


def _reason(error: OSError) -> str:
    return "no such host" if isinstance(error, socket.gaierror) else error.strerror or str(error)
