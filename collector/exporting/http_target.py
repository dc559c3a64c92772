"""OTLP/HTTP: a POST for each request, and what its answer means."""

from __future__ import annotations

import gzip
import time
from http import HTTPStatus
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import zstandard

from alerting.channels.http import retry_after
from collector.encoding.json_lines import json_line
from collector.exporting import answers
from collector.exporting.settings import Compression, OtlpHttpSettings
from collector.exporting.target import Failure, SendError, Taken

if TYPE_CHECKING:
    from collector.exporting.http_exchange import Answer

_JSON = "application/json"
_PROTOBUF = "application/x-protobuf"
_FAILURES = {
    400: Failure.MALFORMED,
    413: Failure.TOO_LARGE,
    422: Failure.MALFORMED,
    429: Failure.AGAIN,
    500: Failure.MALFORMED,
    502: Failure.AGAIN,
    503: Failure.AGAIN,
    504: Failure.AGAIN,
}
"""OTLP/HTTP, "Retryable Response Codes": 429, 502, 503 and 504, and no other.

So the same request never follows a 500; since one record may be what the receiver stumbled over, parts of it may.
"""


class HttpTarget:
    """A Target over HTTP; proxies of the environment are used, but not for addresses of this machine."""

    def __init__(self, settings: OtlpHttpSettings) -> None:
        from collector.exporting.http_exchange import HttpExchange  # noqa: PLC0415  # requests: 7 MB and 0.1 s

        self._settings = settings
        self._discretion = answers.Discretion(settings.headers)
        self._headers = _headers(settings)
        self._exchange = HttpExchange(settings.tls, settings.timeout)

    def send(self, signal: str, body: bytes) -> Taken:
        url = self._settings.url(signal)
        if url is None:
            raise SendError(f"no endpoint for {signal}", Failure.REFUSED)
        ends = time.monotonic() + self._settings.timeout
        content = json_line(signal, body) if self._settings.encoding == "json" else body
        answer = self._exchange.post(url, _compressed(content, self._settings.compression), self._headers, ends)
        if 200 <= answer.status < 300:  # noqa: PLR2004  # HTTP's successes
            return self._taken(signal, url, answer)
        raise self._failure(url, answer)

    def close(self) -> None:
        self._exchange.close()

    def _taken(self, signal: str, url: str, answer: Answer) -> Taken:
        if not answer.whole:
            raise SendError(f"{url} gave half an answer: nobody knows whether it took the request", Failure.AGAIN)
        if not answer.content:
            return Taken()
        kind = _kind(answer)
        parse = answers.taken_json if kind == _JSON else answers.taken
        try:
            if kind in (_JSON, _PROTOBUF, ""):
                return parse(signal, answer.content, self._discretion)
        except ValueError:
            pass  # told below, with the type
        shown = self._discretion.told(kind) or "none"
        raise SendError(f"{url} is no OTLP receiver: it answered {answer.status} of type {shown}", Failure.AGAIN)

    def _failure(self, url: str, answer: Answer) -> SendError:
        said = self._discretion.told(_said(answer))
        message = f"{url} answered {answer.status}" + (f": {said}" if said else "")
        wanted = retry_after(answer.headers)
        return SendError(
            message,
            _FAILURES.get(answer.status, Failure.REFUSED),
            wanted,
            unknown_signal=answer.status == HTTPStatus.NOT_FOUND,
            own_fault=answer.status == HTTPStatus.INTERNAL_SERVER_ERROR,
        )


def _headers(settings: OtlpHttpSettings) -> dict[str, bytes]:
    """As bytes: HTTP would otherwise take Latin-1 only."""
    ours = {
        "Accept-Encoding": "identity",
        "Content-Type": _JSON if settings.encoding == "json" else _PROTOBUF,
        **({} if settings.compression == "none" else {"Content-Encoding": settings.compression}),
    }
    kept = {name.lower() for name in ours} | {"content-length", "transfer-encoding"}
    given = {name: value.get_secret_value() for name, value in settings.headers.items() if name.lower() not in kept}
    if "user-agent" not in {name.lower() for name in given}:
        ours["User-Agent"] = f"forecourt/{metadata.version('forecourt')}"
    return {name: value.encode() for name, value in (ours | given).items()}


def _compressed(content: bytes, compression: Compression) -> bytes:
    if compression == "gzip":
        return gzip.compress(content, 1)  # the fastest: what is received meanwhile needs the processor too
    if compression == "zstd":
        return zstandard.compress(content)
    return content


def _kind(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _said(answer: Answer) -> str:
    kind = _kind(answer)
    if 300 <= answer.status < 400:  # noqa: PLR2004  # HTTP's redirects
        return _elsewhere(answer.headers.get("Location", ""))
    if kind.endswith("json"):
        return answers.status_message_json(answer.content)
    if kind == "text/html":
        return answers.title(answer.content)
    if kind == "text/plain":
        return answer.content.decode("utf-8", "replace")
    return answers.status_message(answer.content)


def _elsewhere(location: str) -> str:
    """Where a redirect points, without query and user: they may be secret."""
    try:
        address = urlsplit(location)
    except ValueError:
        return ""
    where = address._replace(netloc=address.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return f"it has moved to {where}, redirects are not followed" if where else ""
