"""How HTTP is read from a connection: in bounded memory and time also before anybody knows who sends it."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_HEAD_BYTES = 2**16
_HEAD_SECONDS = 30.0


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's, which keeps a head of any length, and puts it together anew with each piece, for any time."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._unread_bytes = 0
        """Of a request line, of headers or of trailers that have not ended yet."""
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._unread_bytes > _MOST_HEAD_BYTES:
            self.send_400_response(f"The head of the request is larger than {_MOST_HEAD_BYTES // 1024} KiB.")
            return
        self._unread_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._wait_no_more()
        self._unread_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread_bytes = 0
        super().on_message_complete()

    def _wait_for_head(self) -> None:
        self._wait_no_more()
        self._patience = self.loop.call_later(_HEAD_SECONDS, self._lose_patience)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        if getattr(self.cycle, "response_complete", True):
            self.transport.close()
        else:
            self._wait_for_head()  # an earlier request is still being answered, and nothing read meanwhile
