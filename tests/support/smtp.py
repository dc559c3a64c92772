"""A real SMTP server on loopback, and the mail that it has."""

from __future__ import annotations

import asyncio
import email
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Mailbox:
    """`refused` recipients, the `answer` to DATA and whether it `breaks` there are the test's."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.recipients: list[list[str]] = []
        self.refused: dict[str, str] = {}
        self.answer = "250 taken"
        self.logins: list[str] = []
        self.breaks = False
        self.hang_seconds = 0.0

    async def handle_RCPT(self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802  # the library's
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802  # the library's
        await asyncio.sleep(self.hang_seconds)
        if self.breaks and server.transport is not None:
            server.transport.abort()
            return "451 never heard"
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        self.recipients.append(list(envelope.rcpt_tos))
        return self.answer

    def authenticate(self, _server: SMTP, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        right = data.password == b"right"
        return AuthResult(success=right, handled=right)

    def last(self) -> EmailMessage:
        found: EmailMessage = self.mails[-1]
        return found

    def subjects(self) -> list[str]:
        return [mail["Subject"] for mail in self.mails]


@contextmanager
def smtp_server(mailbox: Mailbox, *, tls: ssl.SSLContext | None = None, **given: Any) -> Iterator[int]:
    """Its port; `given` is for aiosmtpd's SMTP."""
    loop = asyncio.new_event_loop()
    transports: list[asyncio.BaseTransport] = []

    class Session(SMTP):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transports.append(transport)
            super().connection_made(transport)

    def session() -> SMTP:
        return Session(mailbox, loop=loop, hostname="localhost", **given)

    serving = loop.run_until_complete(loop.create_server(session, "127.0.0.1", 0, ssl=tls))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield serving.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        serving.close()
        loop.run_until_complete(_end(transports))
        loop.close()


async def _end(transports: list[asyncio.BaseTransport]) -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    for transport in transports:
        transport.abort() if isinstance(transport, asyncio.WriteTransport) else transport.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
