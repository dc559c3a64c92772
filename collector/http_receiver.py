"""OTLP/HTTP: POST /v1/traces, /v1/metrics and /v1/logs, in protobuf and JSON."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from collector import answers
from collector.admission import Admission, OverloadedError, Reservation
from collector.authentication import BearerTokens
from collector.compression import ENCODINGS, CompressionError, TooLargeError, decompress
from collector.decoding import Encoding, MalformedBodyError
from collector.intake import Intake
from collector.signals import SIGNALS, Signal
from collector.telemetry import Telemetry
from storage import StoreError

_log = logging.getLogger(__name__)

_TYPES: dict[str, Encoding] = {"application/x-protobuf": "protobuf", "application/json": "json"}
_LABELS: dict[Encoding, str] = {encoding: label for label, encoding in _TYPES.items()}
_INLINE_COMPRESSED_BYTES = 2048


class _RefusedError(Exception):
    """An answer other than 200, on its way out."""

    def __init__(self, code: int, reason: str, answer: Status, **headers: str) -> None:
        super().__init__(answer.message)
        self.code = code
        self.reason = reason
        self.answer = answer
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class HttpSettings:
    max_body_bytes: int
    body_timeout_seconds: float = 30.0
    allowed_origins: Sequence[str] = ()
    allowed_headers: Sequence[str] = ()
    cors_max_age_seconds: int = 7200


class HttpReceiver:
    """The application; `app` is for the server."""

    def __init__(
        self, intake: Intake, admission: Admission, tokens: BearerTokens, telemetry: Telemetry, settings: HttpSettings
    ) -> None:
        self._intake = intake
        self._admission = admission
        self._tokens = tokens
        self._telemetry = telemetry
        self._settings = settings
        self.app = Starlette(
            routes=[Route(signal.path, self._endpoint(signal), methods=["POST"]) for signal in self._served()],
            middleware=self._middleware(),
            exception_handlers={HTTPException: _no_such_way},
        )

    def _served(self) -> list[Signal]:
        return [signal for signal in SIGNALS if signal.name in self._intake.signals]

    def _middleware(self) -> list[Middleware]:
        settings = self._settings
        if not settings.allowed_origins:
            return []
        return [
            Middleware(
                CORSMiddleware,
                allow_origins=settings.allowed_origins,
                allow_methods=["POST"],
                allow_headers=["content-type", "content-encoding", "authorization", *settings.allowed_headers],
                max_age=settings.cors_max_age_seconds,
            ),
        ]

    def _endpoint(self, signal: Signal) -> Any:
        async def export(request: Request) -> Response:
            encoding = _encoding_of(request)
            try:
                return _labelled(await self._export(signal, request), encoding)
            except _RefusedError as refusal:
                self._telemetry.refused("http", refusal.reason)
                content = answers.encoded(refusal.answer, encoding)
                return _labelled(content, encoding, refusal.code, refusal.headers)
            except ClientDisconnect:
                self._telemetry.refused("http", "disconnected")
                return Response(status_code=400)
            except Exception:  # noqa: BLE001  # the client gets an answer whatever it is
                _log.exception("%s: a request failed because of a fault of ours", signal.path)
                self._telemetry.refused("http", "internal")
                fault = answers.status(Code.INTERNAL, "a fault of the collector; its log has the details")
                return _labelled(answers.encoded(fault, encoding), encoding, 500)

        return export

    async def _export(self, signal: Signal, request: Request) -> bytes:
        if not self._tokens.admit(request.headers.get("authorization")):
            answer = answers.status(Code.UNAUTHENTICATED, "a valid bearer token is needed: Authorization: Bearer …")
            raise _RefusedError(401, "unauthenticated", answer, WWW_Authenticate="Bearer")
        encoding = _declared_encoding(request)
        try:
            with self._admission.open() as reservation:
                body = await self._body(request, reservation)
                accepted = await self._intake.accept(signal, body, encoding)
        except (MalformedBodyError, CompressionError) as error:
            raise _RefusedError(400, "malformed", answers.bad_data(str(error))) from error
        except TooLargeError as error:
            raise _RefusedError(413, "too_large", answers.status(Code.RESOURCE_EXHAUSTED, str(error))) from error
        except TimeoutError as error:
            late = f"the body did not arrive within {self._settings.body_timeout_seconds:.0f} s"
            raise _RefusedError(408, "timeout", answers.status(Code.DEADLINE_EXCEEDED, late)) from error
        except (OverloadedError, StoreError) as error:
            answer, retry = answers.retry_later(str(error))
            seconds = retry.retry_delay.seconds + (retry.retry_delay.nanos > 0)
            reason = "overloaded" if isinstance(error, OverloadedError) else "store"
            raise _RefusedError(503, reason, answer, Retry_After=str(seconds)) from error
        self._telemetry.accepted(
            signal, "http", body_bytes=len(body), records=accepted.records, rejected=accepted.rejected
        )
        return answers.success(signal, accepted, encoding)

    async def _body(self, request: Request, reservation: Reservation) -> bytes:
        """The decompressed body, read only as far as it may be."""
        compression = _compression(request)
        limit = self._settings.max_body_bytes
        declared = request.headers.get("content-length", "0")
        length = int(declared) if declared.isdecimal() else 0
        if length > limit:
            raise TooLargeError(limit)
        reservation.hold(length)
        received = bytearray()
        async with asyncio.timeout(self._settings.body_timeout_seconds):
            async for chunk in request.stream():
                received += chunk
                if len(received) > limit:
                    raise TooLargeError(limit)
                reservation.hold(len(received))
        body = bytes(received)
        if compression is None:
            return body
        del received
        if len(body) <= _INLINE_COMPRESSED_BYTES:
            return decompress(body, compression, limit, reservation.hold)
        return await asyncio.to_thread(decompress, body, compression, limit, reservation.hold)


def _encoding_of(request: Request) -> Encoding:
    """The type to answer in: that of the request, else protobuf."""
    return _TYPES.get(_media_type(request), "protobuf")


def _declared_encoding(request: Request) -> Encoding:
    found = _TYPES.get(_media_type(request))
    if found is None:
        message = f"Content-Type is {_media_type(request)[:80]!r}, expected {' or '.join(_TYPES)}"
        raise _RefusedError(415, "media_type", answers.status(Code.INVALID_ARGUMENT, message))
    return found


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _compression(request: Request) -> str | None:
    declared = request.headers.get("content-encoding", "identity").strip().lower()
    if declared in {"", "identity"}:
        return None
    if declared not in ENCODINGS:
        message = f"Content-Encoding is {declared[:80]!r}, expected {', '.join(ENCODINGS)} or none"
        accepted = ", ".join(ENCODINGS)
        raise _RefusedError(415, "media_type", answers.status(Code.INVALID_ARGUMENT, message), Accept_Encoding=accepted)
    return declared


def _labelled(content: bytes, encoding: Encoding, code: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(content, code, headers, media_type=_LABELS[encoding])


async def _no_such_way(request: Request, error: Exception) -> Response:
    """404 and 405, as the routes raise them."""
    code = error.status_code if isinstance(error, HTTPException) else 500
    paths = ", ".join(signal.path for signal in SIGNALS)
    message = f"{request.method} {request.url.path[:80]}: expected POST to {paths}"
    encoding = _encoding_of(request)
    content = answers.encoded(answers.status(Code.UNIMPLEMENTED, message), encoding)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return _labelled(content, encoding, code, headers)
