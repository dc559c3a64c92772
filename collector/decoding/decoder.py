"""From the body of an export request to finished lines: validate everything, then flatten slice by slice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.decoding.batch import Batch, DecodingLimits, MalformedBodyError
from collector.decoding.logs import log_record, log_records
from collector.decoding.messages import LogsRequest, MetricsRequest, TraceRequest
from collector.decoding.metrics import data_points, point_record
from collector.decoding.otlp_json import parse_json
from collector.decoding.request import Request, Scoped
from collector.decoding.slices import MAX_RECORD_BYTES, POINTS, RECORDS, SLICE_BYTES, Slice, Slicer
from collector.decoding.traces import span_record, spans
from collector.decoding.values import Values
from instrumentation.redaction import Redactor
from processors.observation import (
    Attributes,
    Observation,
    Projection,
    observe_log,
    observe_point,
    observe_span,
    project,
)
from processors.timestamps import Timestamps

Encoding = Literal["protobuf", "json"]


@dataclass(frozen=True, slots=True)
class _Signal:
    """How the requests of one signal are read."""

    stream: str
    message: type[Any]
    """The real request, which validates."""
    lean: type[Any]
    """The same with serialised attributes, which is read."""
    path: tuple[tuple[int, ...], ...]
    scoped: Callable[[Any, Request], Iterator[Scoped]]
    record: Callable[[Any, Scoped, Request, int], tuple[dict[str, Any], int]]
    observe: Callable[[Mapping[str, Any], Attributes, str, Projection], Observation]


_TRACES = _Signal("traces", ExportTraceServiceRequest, TraceRequest, RECORDS, spans, span_record, observe_span)
_METRICS = _Signal(
    "metrics", ExportMetricsServiceRequest, MetricsRequest, POINTS, data_points, point_record, observe_point
)
_LOGS = _Signal("logs", ExportLogsServiceRequest, LogsRequest, RECORDS, log_records, log_record, observe_log)


class Decoder:
    """Safe for several threads. Each method raises MalformedBodyError before it yields anything, or never."""

    def __init__(self, *, redactor: Redactor | None, limits: DecodingLimits, slice_bytes: int = SLICE_BYTES) -> None:
        self._limits = limits
        self._slice_bytes = slice_bytes
        self._values = Values(redactor, limits)
        self._timestamps = Timestamps()

    def decode_traces(
        self, body: bytes, projection: Projection, *, encoding: Encoding, received_unix_nano: int
    ) -> Iterator[Batch]:
        return self._decode(_TRACES, body, projection, encoding, received_unix_nano)

    def decode_metrics(
        self, body: bytes, projection: Projection, *, encoding: Encoding, received_unix_nano: int
    ) -> Iterator[Batch]:
        return self._decode(_METRICS, body, projection, encoding, received_unix_nano)

    def decode_logs(
        self, body: bytes, projection: Projection, *, encoding: Encoding, received_unix_nano: int
    ) -> Iterator[Batch]:
        return self._decode(_LOGS, body, projection, encoding, received_unix_nano)

    def _decode(
        self,
        signal: _Signal,
        body: bytes,
        projection: Projection,
        encoding: Encoding,
        received_unix_nano: int,
    ) -> Iterator[Batch]:
        request = Request(
            batch_id=hashlib.blake2b(body, digest_size=8).hexdigest(),
            received_unix_nano=received_unix_nano,
            projection=projection,
            values=self._values,
            limits=self._limits,
            timestamps=self._timestamps,
        )
        if encoding == "protobuf" and len(body) <= self._slice_bytes:
            # Flattened whole before its one batch is yielded: reading it is validation enough.
            return _Flattening(signal, request).batches([_Parsed(_parse(signal.lean, body))])
        return self._decode_slices(signal, request, body, encoding)

    def _decode_slices(self, signal: _Signal, request: Request, body: bytes, encoding: Encoding) -> Iterator[Batch]:
        """Validate all slices, then read them one by one."""
        lean = signal.lean.FromString
        slices: list[Slice] | Slicer
        if encoding == "json":
            slices = [*parse_json(body, signal.message, slice_bytes=self._slice_bytes)]
        else:
            slices = Slicer(body, signal.path, self._slice_bytes)
        count = 0
        for count, piece in enumerate(slices, 1):  # noqa: B007  # how many there are
            _parse(signal.message, piece.request)
            for _ in signal.scoped(lean(piece.request), request):
                pass  # what the records share can't be refused record by record
        parsed = (_Parsed(lean(piece.request), piece.oversized) for piece in slices)
        return _Flattening(signal, request, refuses=count > 1).batches(parsed)


class _Parsed(NamedTuple):
    message: Any
    oversized: bool = False


class _Flattening:
    """The course of one request through its records."""

    def __init__(self, signal: _Signal, request: Request, *, refuses: bool = False) -> None:
        """`refuses`: a record that can't be read is refused alone, since others may be stored already."""
        self._signal = signal
        self._request = request
        self._refuses = refuses
        self._index = 0

    def batches(self, messages: Iterable[_Parsed]) -> Iterator[Batch]:
        for parsed in messages:
            slice_ = _Lines()
            for shared in self._signal.scoped(parsed.message, self._request):
                if parsed.oversized:
                    self._refuse(slice_, len(shared.records), f"is longer than {MAX_RECORD_BYTES} bytes")
                else:
                    self._flatten(shared, slice_)
            if slice_.times or slice_.rejected:
                yield slice_.batch(self._signal.stream)

    def _flatten(self, shared: Scoped, slice_: _Lines) -> None:
        request, signal = self._request, self._signal
        room = max(0, request.limits.records_per_request - self._index)
        read, observe, projection = signal.record, signal.observe, request.projection
        resource = project(shared.resource.attributes, projection.resource)
        scope = shared.scope.name
        limit = request.limits.record_bytes
        for message in shared.records[:room]:
            try:
                record, time = read(message, shared, request, self._index)
            except MalformedBodyError as error:
                if not self._refuses:
                    raise
                self._refuse(slice_, 1, f"can't be read: {error}")
                continue
            line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
            if len(line) > limit:
                self._refuse(slice_, 1, f"is over {limit} bytes as a line (processors.limits.record_bytes)")
                continue
            self._index += 1
            slice_.lines.append(line)
            slice_.times.append(time)
            slice_.observations.append(observe(record, resource, scope, projection))
        if len(shared.records) > room:
            limit = request.limits.records_per_request
            reason = f"is beyond {limit} of one request (processors.limits.records_per_request)"
            self._refuse(slice_, len(shared.records) - room, reason)

    def _refuse(self, slice_: _Lines, records: int, reason: str) -> None:
        self._index += records
        slice_.rejected += records
        slice_.reasons.setdefault(reason)


class _Lines:
    """What becomes a Batch."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.times: list[int] = []
        self.observations: list[Observation] = []
        self.rejected = 0
        self.reasons: dict[str, None] = {}

    def batch(self, stream: str) -> Batch:
        return Batch(
            stream,
            b"".join(self.lines),
            self.times,
            self.observations,
            self.rejected,
            "; ".join(f"a record {reason}" for reason in self.reasons),
        )


def _parse(message: type[Any], body: bytes) -> Any:
    try:
        return message.FromString(body)
    except DecodeError as error:
        raise MalformedBodyError(
            f"not a valid {message.DESCRIPTOR.name}: it is cut off, nested deeper than 31 levels, or has text that "
            f"is not UTF-8 ({str(error)[:80]})",
        ) from error
