"""A span read as an HTTP request that the service answered, in the old and the stable semantic conventions."""

from __future__ import annotations

from typing import Any, NamedTuple

from processors.observation import Attributes, SpanObservation

PROBE_USER_AGENT = "forecourt-probe"
"""What our own probes call themselves; they are no requests of anybody."""

SPAN_KEYS = frozenset(
    {
        "client.address",
        "enduser.id",
        "error.type",
        "http.client_ip",
        "http.method",
        "http.request.method",
        "http.response.body.size",
        "http.response.status_code",
        "http.response_content_length",
        "http.route",
        "http.scheme",
        "http.status_code",
        "http.user_agent",
        "network.protocol.name",
        "session.id",
        "url.scheme",
        "user.id",
        "user_agent.original",
    },
)
"""The span attributes that are looked at here."""

_SERVER_ERROR = 500
_CLIENT_ERROR = 400
_LABEL_LENGTH = 256
"""Of what keys are made of: a longer one is nobody's route."""
_CLIENT_LEFT = frozenset({"CancelledError", "ClientDisconnect", "ConnectionError"})
"""What frameworks raise, or FastAPI's own telemetry tells, when nobody waits for the rest of an answer."""
_WEBSOCKET = frozenset({"ws", "wss", "websocket"})


class HttpRequest(NamedTuple):
    """`status_code` is 0 where there was no response, or it broke off."""

    method: str
    route: str
    status_code: int
    seconds: float
    sampled: bool
    """Whether the sender kept only some of its requests."""

    @property
    def failed(self) -> bool:
        return is_failure(self.status_code)


def is_failure(status_code: int) -> bool:
    """A status of 500 or more, or no response."""
    return status_code >= _SERVER_ERROR or status_code < 1


def answered(status_code: int, error_type: str) -> int:
    """The status; 0 where an error ended the answer after its head had promised success."""
    broke = error_type and not _client_left(error_type) and 0 < status_code < _CLIENT_ERROR
    return 0 if broke else status_code


def was_left(span: SpanObservation, request: HttpRequest) -> bool:
    """Whether the client went away before the end of its answer, which is no error of the service."""
    told = span.exception is None and _client_left(str(span.attributes.get("error.type", "")))
    return told and 0 < request.status_code < _SERVER_ERROR


def _client_left(error_type: str) -> bool:
    return error_type.rpartition(".")[2] in _CLIENT_LEFT


def is_client_error(status_code: int) -> bool:
    return _CLIENT_ERROR <= status_code < _SERVER_ERROR


def read_request(span: SpanObservation) -> HttpRequest | None:
    """None for what is no request: other kinds of spans, WebSockets, our own probes."""
    if span.kind not in {"SERVER", "INTERNAL"}:
        return None
    attributes = span.attributes
    method = attributes.get("http.request.method") or attributes.get("http.method")
    if not method or _is_websocket(attributes):
        return None
    agent = attributes.get("user_agent.original") or attributes.get("http.user_agent")
    if agent and str(agent).startswith(PROBE_USER_AGENT):
        return None
    return HttpRequest(
        str(method)[:_LABEL_LENGTH],
        str(attributes.get("http.route", ""))[:_LABEL_LENGTH],
        answered(_status(attributes), _error_type(span)),
        max(0, span.end_unix_nano - span.start_unix_nano) / 1e9,
        _is_sampled(span.trace_state) if span.trace_state else False,
    )


def _is_websocket(attributes: Attributes) -> bool:
    return (
        attributes.get("url.scheme", attributes.get("http.scheme")) in _WEBSOCKET
        or attributes.get("network.protocol.name") in _WEBSOCKET
    )


def _error_type(span: SpanObservation) -> str:
    """Of what ended it; an exception counts only where no size says that the answer was sent whole."""
    if span.status != "ERROR":
        return ""
    told = span.attributes.get("error.type")
    if told or span.exception is None or "http.response.body.size" in span.attributes:
        return str(told or "")
    return span.exception.type


def _status(attributes: Attributes) -> int:
    value = attributes.get("http.response.status_code", attributes.get("http.status_code", 0))
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _is_sampled(trace_state: str) -> bool:
    """By OpenTelemetry's own member, `ot=th:…`: a rejection threshold of 0 keeps everything."""
    for member in trace_state.split(","):
        name, _, value = member.strip().partition("=")
        if name == "ot":
            thresholds = [part.removeprefix("th:") for part in value.split(";") if part.startswith("th:")]
            return any(threshold.strip("0") for threshold in thresholds)
    return False


def labels_of(span: SpanObservation, request: HttpRequest) -> dict[str, Any]:
    """What rules may match and group by, under the stable names."""
    return {
        **span.resource,
        **span.attributes,
        "service.name": span.service,
        "http.request.method": request.method,
        "http.route": request.route,
        "http.response.status_code": request.status_code,
    }


def performance_fields(span: SpanObservation, request: HttpRequest) -> dict[str, Any]:
    """As a line of the stream `performance`; times in seconds, sizes in bytes."""
    attributes = span.attributes
    return {
        "method": request.method,
        "route": request.route,
        "status_code": request.status_code or None,
        "response_time": request.seconds,
        "response_bytes": attributes.get("http.response.body.size", attributes.get("http.response_content_length")),
        "trace_id": span.trace_id,
        "client_address": attributes.get("client.address", attributes.get("http.client_ip")),
        "user_agent": attributes.get("user_agent.original", attributes.get("http.user_agent")),
        "user": attributes.get("user.id", attributes.get("enduser.id")),
        "session": attributes.get("session.id"),
    }
