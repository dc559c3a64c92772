"""One request over HTTP that ends in time, whatever the other side does."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from http.client import BadStatusLine
from urllib.parse import urlsplit

import requests
from requests.exceptions import InvalidHeader
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as WireTimeoutError

from alerting.plain_text import plain
from collector.exporting.http_session import Wires, session
from collector.exporting.settings import ClientTlsSettings
from collector.exporting.target import Failure, SendError
from processors.endpoint import is_loopback

_MOST_ANSWER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """`whole` is false when the content broke off or is longer than 64 KiB."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    whole: bool


class HttpExchange:
    """Keeps its connections; one request at a time.

    A thread of its own asks: neither a name server, nor a handshake, nor bytes that drip hold the caller longer than
    wanted. What is open then is cut, which ends the thread.
    """

    def __init__(self, tls: ClientTlsSettings, timeout_seconds: float) -> None:
        self._tls = tls
        self._timeout_seconds = timeout_seconds
        self._thread: threading.Thread | None = None
        self._open()

    def post(self, url: str, content: bytes, headers: Mapping[str, bytes], ends: float) -> Answer:
        """What was answered until `ends` of the monotonic clock, redirects too; raise SendError when nothing was."""
        self._wait_for_the_last(ends)
        result: Future[Answer] = Future()
        asked = (result, self._request(url, content, headers, _left(ends)))
        self._thread = threading.Thread(target=_ask, args=asked, daemon=True)
        self._thread.start()
        try:
            return result.result(_left(ends))
        except TimeoutError as error:
            self.close()
            self._open()
            raise self._too_late(url) from error
        except (InvalidHeader, UnicodeError):  # whose text holds the value
            raise SendError("HTTP can't carry one of the configured headers", Failure.REFUSED) from None
        except (requests.Timeout, WireTimeoutError) as error:
            raise self._too_late(url) from error
        except (OSError, HTTPError, ValueError) as error:
            raise _failure(url, error) from None  # the cause may hold what the other side repeated of the headers

    def close(self) -> None:
        self._session.close()
        self._wires.cut()

    def _open(self) -> None:
        self._wires = Wires()
        self._session = session(self._tls, self._wires)

    def _too_late(self, url: str) -> SendError:
        return SendError(f"{url} did not answer within {self._timeout_seconds:g} s", Failure.AGAIN, late=True)

    def _wait_for_the_last(self, ends: float) -> None:
        if self._thread is None:
            return
        self._thread.join(_left(ends))
        if self._thread.is_alive():
            raise SendError("the request before has not ended yet: do the name servers answer?", Failure.AGAIN)

    def _request(
        self, url: str, content: bytes, headers: Mapping[str, bytes], timeout_seconds: float
    ) -> Callable[[], requests.Response]:
        tls, address = self._tls, urlsplit(url)
        self._session.trust_env = not is_loopback(f"{address.hostname}:{address.port or 0}")  # proxies and CA bundle
        return partial(
            self._session.post,
            url,
            data=content,
            headers=headers,
            timeout=timeout_seconds,
            allow_redirects=False,
            stream=True,
            verify=not tls.insecure_skip_verify and (str(tls.ca_file) if tls.ca_file else True),
            cert=(str(tls.cert_file), str(tls.key_file)) if tls.cert_file else None,
        )


def _ask(result: Future[Answer], request: Callable[[], requests.Response]) -> None:
    try:
        with request() as response:
            answer = _read(response)
    except Exception as error:  # noqa: BLE001  # the caller raises it
        result.set_exception(error)
    else:
        result.set_result(answer)


def _left(ends: float) -> float:
    return max(0.001, ends - time.monotonic())


def _read(response: requests.Response) -> Answer:
    try:
        content = response.raw.read(_MOST_ANSWER_BYTES + 1, decode_content=True)
    except WireTimeoutError:
        raise
    except HTTPError:
        return Answer(response.status_code, response.headers, b"", whole=False)
    whole = len(content) <= _MOST_ANSWER_BYTES
    return Answer(response.status_code, response.headers, content[:_MOST_ANSWER_BYTES], whole)


_NO_TLS = "WRONG_VERSION_NUMBER"
"""OpenSSL's word for an answer that is no TLS at all."""
_HTTP2 = "\0\0"
"""A server's first frame is one of settings (RFC 9113, 3.4): it begins with a length below 256."""


def _failure(url: str, error: Exception) -> SendError:
    reason = _reason(error)
    if isinstance(error, requests.exceptions.SSLError):  # nothing was sent, and a certificate may be renewed
        if _NO_TLS in reason:
            return SendError(f"{url} speaks no TLS: begin the address with http:// if that is meant", Failure.AGAIN)
        return SendError(f"no trust between this side and {url}{reason}", Failure.AGAIN)
    if any(isinstance(one, BadStatusLine) and str(one).startswith(_HTTP2) for one in _chain(error)):
        return SendError(f"{url} speaks gRPC: name its port for HTTP, or use otlp_grpc", Failure.AGAIN)
    if isinstance(error, requests.ConnectionError | HTTPError):
        return SendError(f"{url} can't be reached or broke the connection off{reason}", Failure.AGAIN)
    if isinstance(error, ValueError):
        return SendError(f"{url}, or the proxy before it, is no address to send to", Failure.REFUSED)
    return SendError(f"nothing was sent to {url}: {plain(error)}", Failure.REFUSED)  # a file of `tls` is missing


def _reason(error: BaseException) -> str:
    """Of the system or of TLS: what the libraries make of it holds their objects."""
    for one in _chain(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return f": {plain(one.verify_message)}"
        if isinstance(one, ssl.SSLError) and one.reason:
            return f": {plain(one.reason)}"
        if isinstance(one, OSError) and one.strerror:
            return f": {plain(one.strerror)}"
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        within = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((one for one in within if isinstance(one, BaseException)), None)
