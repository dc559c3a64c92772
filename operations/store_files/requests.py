"""Lines of OTLP JSON as protobuf requests that say of their records that they were taken in from a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.decoding import MalformedBodyError
from collector.decoding.otlp_json import parse_json
from collector.decoding.slices import Slice
from collector.signals import LOGS, METRICS, TRACES, Signal
from processors.presence import IMPORTED

_SIGNAL = re.compile(rb'"(resourceSpans|resourceMetrics|resourceLogs)"\s*:')
_SIGNALS = {b"resourceSpans": TRACES, b"resourceMetrics": METRICS, b"resourceLogs": LOGS}
_MESSAGES: dict[str, type[Any]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
_JOINED_BYTES = 1 << 18
_MARK = KeyValue(key=IMPORTED, value=AnyValue(bool_value=True))


@dataclass(frozen=True, slots=True)
class Request:
    """A serialised export request; bodies of one signal, one after the other, are one body too."""

    signal: Signal
    body: bytes
    records: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a line holds; `oversized` records are too long to be taken."""

    requests: list[Request]
    oversized: int


def parse(line: bytes) -> Parsed:
    """Of TracesData, MetricsData or LogsData; raise MalformedBodyError, which names the place."""
    signal = _signal(line)
    refused: list[Slice] = []
    pieces = parse_json(line, _MESSAGES[signal.name])
    requests = [_marked(signal, body) for body in _joined(pieces, refused)]
    return Parsed(requests, len(refused))


def _joined(pieces: Iterable[Slice], refused: list[Slice]) -> Iterator[bytes]:
    """A few bodies, be there a million scopes; pieces that are oversized are put into `refused`."""
    bodies: list[bytes] = []
    size = 0
    for piece in pieces:
        if piece.oversized:
            refused.append(piece)
            continue
        if bodies and size + len(piece.request) > _JOINED_BYTES:
            yield b"".join(bodies)
            bodies, size = [], 0
        bodies.append(piece.request)
        size += len(piece.request)
    if bodies:
        yield b"".join(bodies)


def _signal(line: bytes) -> Signal:
    found = {_SIGNALS[one] for one in _SIGNAL.findall(line)}
    if not found:
        raise MalformedBodyError("expected an object with resourceSpans, resourceMetrics or resourceLogs")
    if len(found) > 1:
        raise MalformedBodyError(f"holds {' and '.join(sorted(one.name for one in found))}, expected one of them")
    return found.pop()


def _marked(signal: Signal, body: bytes) -> Request:
    message = _MESSAGES[signal.name].FromString(body)
    records = 0
    for resource in getattr(message, f"resource_{_FIELDS[signal.name][0]}"):
        attributes = resource.resource.attributes
        kept = [pair for pair in attributes if pair.key != IMPORTED]
        attributes.clear()
        attributes.extend([_MARK, *kept])  # first, where the limit of attributes spares it
        records += sum(1 for _ in _records(signal, resource))
    return Request(signal, message.SerializeToString(deterministic=True), records)


_FIELDS = {"traces": ("spans", "spans"), "metrics": ("metrics", "metrics"), "logs": ("logs", "log_records")}
"""The rest of the names of `resource_…` and `scope_…`, and the records below them."""


def _records(signal: Signal, resource: Any) -> Iterator[Any]:
    scopes, records = _FIELDS[signal.name]
    for scope in getattr(resource, f"scope_{scopes}"):
        for record in getattr(scope, records):
            if signal is METRICS:
                kind = record.WhichOneof("data")
                yield from getattr(record, kind).data_points if kind else ()
            else:
                yield record
