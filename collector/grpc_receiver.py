"""OTLP/gRPC, with handlers of raw bytes: what can't be decoded is the sender's fault, not an internal error."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
from google.rpc.status_pb2 import Status

from collector import answers
from collector.admission import Admission, OverloadedError
from collector.authentication import BearerTokens
from collector.decoding import MalformedBodyError
from collector.intake import Intake
from collector.signals import SIGNALS, Signal
from collector.telemetry import Telemetry
from storage import StoreError

_log = logging.getLogger(__name__)

_STATUS_KEY = "grpc-status-details-bin"
_RETRY_KEY = "google.rpc.retryinfo-bin"
"""Where the Python SDK looks for RetryInfo; it does not read the status' details."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    certificate: bytes
    key: bytes
    client_ca: bytes | None = None


class GrpcReceiver:
    """Serves from `start` until `stop`; `endpoint` then says where."""

    def __init__(
        self,
        intake: Intake,
        admission: Admission,
        tokens: BearerTokens,
        telemetry: Telemetry,
        *,
        endpoint: str,
        max_message_bytes: int,
        tls: TlsFiles | None = None,
    ) -> None:
        self._intake = intake
        self._admission = admission
        self._tokens = tokens
        self._telemetry = telemetry
        self._tls = tls
        self._server = grpc.aio.server(options=_options(max_message_bytes))
        self.endpoint = endpoint

    async def start(self) -> None:
        """Listen; raise OSError when the endpoint can't be had."""
        served = [signal for signal in SIGNALS if signal.name in self._intake.signals]
        self._server.add_generic_rpc_handlers(tuple(self._handler(signal) for signal in served))
        try:
            port = self._listen()
        except RuntimeError as error:
            raise OSError(f"{self.endpoint}: can't listen here: is the port in use?") from error
        self.endpoint = f"{self.endpoint.rpartition(':')[0]}:{port}"
        await self._server.start()

    async def stop(self, grace_seconds: float) -> None:
        """Accept nothing more, and end when what is in flight is answered or the grace is over."""
        await self._server.stop(grace_seconds)

    def _listen(self) -> int:
        if self._tls is None:
            return self._server.add_insecure_port(self.endpoint)
        credentials = grpc.ssl_server_credentials(
            [(self._tls.key, self._tls.certificate)],
            root_certificates=self._tls.client_ca,
            require_client_auth=self._tls.client_ca is not None,
        )
        return self._server.add_secure_port(self.endpoint, credentials)

    def _handler(self, signal: Signal) -> Any:
        # As a stream of requests, since only those are read when the handler asks: the token comes first.
        export = grpc.stream_unary_rpc_method_handler(self._export(signal))
        return grpc.method_handlers_generic_handler(signal.service, {"Export": export})

    def _export(self, signal: Signal) -> Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]]:
        async def export(requests: AsyncIterator[bytes], context: Any) -> bytes:
            await self._authenticate(context)
            try:
                return await self._accept(signal, requests)
            except MalformedBodyError as error:
                await self._refuse(context, "malformed", answers.bad_data(str(error)))
            except (OverloadedError, StoreError) as error:
                reason = "overloaded" if isinstance(error, OverloadedError) else "store"
                answer, retry = answers.retry_later(str(error))
                await self._refuse(context, reason, answer, [(_RETRY_KEY, retry.SerializeToString())])
            except (grpc.RpcError, grpc.aio.UsageError):
                raise  # the call itself broke: gRPC tells the client
            except Exception:  # noqa: BLE001  # the client gets an answer whatever it is
                _log.exception("%s: a request failed because of a fault of ours", signal.service)
                self._telemetry.refused("grpc", "internal")
                await context.abort(grpc.StatusCode.INTERNAL, "a fault of the collector; its log has the details")
            raise AssertionError("abort raises")

        return export

    async def _accept(self, signal: Signal, requests: AsyncIterator[bytes]) -> bytes:
        with self._admission.open() as reservation:
            # Nothing more is read while the limit is reached already.
            reservation.hold(1)
            body = await anext(aiter(requests), b"")
            reservation.hold(len(body))
            accepted = await self._intake.accept(signal, body, "protobuf")
        self._telemetry.accepted(
            signal, "grpc", body_bytes=len(body), records=accepted.records, rejected=accepted.rejected
        )
        return answers.success(signal, accepted, "protobuf")

    async def _authenticate(self, context: Any) -> None:
        authorization = dict(context.invocation_metadata() or ()).get("authorization")
        if not self._tokens.admit(authorization):
            self._telemetry.refused("grpc", "unauthenticated")
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "a valid bearer token is needed")

    async def _refuse(
        self, context: Any, reason: str, answer: Status, trailers: Sequence[tuple[str, bytes]] = ()
    ) -> NoReturn:
        self._telemetry.refused("grpc", reason)
        metadata = ((_STATUS_KEY, answer.SerializeToString()), *trailers)
        await context.abort(_CODES[answer.code], answer.message, metadata)
        raise AssertionError("abort raises")


_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def _options(max_message_bytes: int) -> list[tuple[str, int]]:
    return [
        # The limit holds for the message as it was sent and for what gzip makes of it.
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.so_reuseport", 0),
        # Exporters ping between exports; by default that would cost them the connection.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]
