"""Stored lines as the body of an export request: what was received, after redaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf.message import EncodeError

from collector.decoding.messages import LogsRequest, MetricsRequest, TraceRequest
from collector.encoding.envelope import resource_fields, scope_fields
from collector.encoding.logs import add_log
from collector.encoding.metrics import add_metric, add_point, metric_identity
from collector.encoding.times import Moved
from collector.encoding.traces import add_span
from collector.encoding.values import Attributes

_RESOURCE = b',"resource":'
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, EncodeError)
"""What a line that no decoder of ours has written makes the rest raise."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """`body` is a serialised ExportTraceServiceRequest, ExportMetricsServiceRequest or ExportLogsServiceRequest."""

    body: bytes
    records: int
    unreadable: int
    """Lines that hold no such record; they are not in it."""


class Encoder:
    """Remembers the attributes that it has seen; for one thread."""

    def __init__(self) -> None:
        self._attributes = Attributes()

    def encode(self, stream: str, lines: Iterable[bytes], *, shift_nano: int = 0) -> Encoded:
        """Of `traces`, `metrics` or `logs`; records of one resource and scope stand together, in their order.

        Every time in them is `shift_nano` later, but for one that is 0.
        """
        request = _REQUESTS[stream](self._attributes, Moved(shift_nano))
        unreadable = records = 0
        for line in lines:
            try:
                record = orjson.loads(line)
                request.add(record, _tail(line, record))
            except _UNREADABLE:
                unreadable += 1
            else:
                records += 1
        return Encoded(request.message.SerializeToString(), records, unreadable)


def encode(stream: str, lines: Iterable[bytes], shift_nano: int = 0) -> Encoded:
    """As `Encoder.encode`, for a single time."""
    return Encoder().encode(stream, lines, shift_nano=shift_nano)


def _tail(line: bytes, record: Mapping[str, Any]) -> bytes:
    """What tells resource and scope: the line's end, where it stands as our writers have it."""
    start = line.find(_RESOURCE)
    return line[start:] if start >= 0 else orjson.dumps([record["resource"], record["scope"]])


class _Request:
    """A request that grows by records; what shares resource and scope is found by the end of its line, as it stands."""

    resources: str
    scopes: str
    message: Any

    def __init__(self, attributes: Attributes, moved: Moved) -> None:
        self._attributes = attributes
        self._moved = moved
        self._resources: dict[bytes, Any] = {}
        self._scopes: dict[bytes, Any] = {}

    def add(self, record: Mapping[str, Any], tail: bytes) -> None:
        scope = self._scopes.get(tail)
        if scope is None:
            scope = self._scopes[tail] = self._new_scope(record)
        self.add_to(scope, record)

    def add_to(self, scope: Any, record: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def _new_scope(self, record: Mapping[str, Any]) -> Any:
        fields = scope_fields(record["scope"], self._attributes)
        key = orjson.dumps(record["resource"])
        resource = self._resources.get(key)
        if resource is None:
            content = resource_fields(record["resource"], self._attributes)
            resource = self._resources[key] = getattr(self.message, self.resources).add(**content)
        return getattr(resource, self.scopes).add(**fields)


class _Traces(_Request):
    resources, scopes = "resource_spans", "scope_spans"

    def __init__(self, attributes: Attributes, moved: Moved) -> None:
        super().__init__(attributes, moved)
        self.message = TraceRequest()

    def add_to(self, scope: Any, record: Mapping[str, Any]) -> None:
        add_span(scope.spans, record, self._attributes, self._moved)


class _Logs(_Request):
    resources, scopes = "resource_logs", "scope_logs"

    def __init__(self, attributes: Attributes, moved: Moved) -> None:
        super().__init__(attributes, moved)
        self.message = LogsRequest()

    def add_to(self, scope: Any, record: Mapping[str, Any]) -> None:
        add_log(scope.log_records, record, self._attributes, self._moved)


class _Metrics(_Request):
    resources, scopes = "resource_metrics", "scope_metrics"

    def __init__(self, attributes: Attributes, moved: Moved) -> None:
        super().__init__(attributes, moved)
        self.message = MetricsRequest()
        self._points: dict[tuple[Any, ...], Any] = {}

    def add_to(self, scope: Any, record: Mapping[str, Any]) -> None:
        key = (id(scope), *metric_identity(record))
        points = self._points.get(key)
        if points is None:
            points = self._points[key] = add_metric(scope.metrics, record, self._attributes)
        add_point(points, record, self._attributes, self._moved)


_REQUESTS: dict[str, Callable[[Attributes, Moved], _Request]] = {
    "traces": _Traces,
    "metrics": _Metrics,
    "logs": _Logs,
}
