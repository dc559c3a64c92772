"""Random valid export requests, and decoding them for tests."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.decoding import Decoder, DecodingLimits, Encoding
from instrumentation.redaction import Redactor
from processors.observation import Observation, Projection

REQUESTS: dict[str, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
RECEIVED = 1_795_435_200_000_000_000
PROFILES_ONLY = {"key_strindex", "string_value_strindex"}
IDS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
UNLIMITED = DecodingLimits(attribute_count=10**6, attribute_value_length=10**6)


def decode(
    signal: str,
    body: bytes,
    *,
    encoding: Encoding = "protobuf",
    redactor: Redactor | None = None,
    limits: DecodingLimits = UNLIMITED,
    projection: Projection | None = None,
    slice_bytes: int = 2**20,
) -> tuple[list[dict[str, Any]], list[Observation], int, str]:
    """Records, observations, how many were refused, and why."""
    decoder = Decoder(redactor=redactor, limits=limits, slice_bytes=slice_bytes)
    run = getattr(decoder, f"decode_{signal}")
    batches = list(run(body, projection or Projection(), encoding=encoding, received_unix_nano=RECEIVED))
    records = [orjson.loads(line) for batch in batches for line in batch.lines.splitlines()]
    assert [batch.stream for batch in batches] == [signal] * len(batches)
    assert len(records) == sum(batch.records for batch in batches)
    observations = [observation for batch in batches for observation in batch.observations]
    reasons = "; ".join(dict.fromkeys(batch.rejection for batch in batches if batch.rejection))
    return records, observations, sum(batch.rejected for batch in batches), reasons


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = st.sampled_from(["a", "b", "bytesValue", "doubleValue", "kvlistValue", "", "ü"]) | TEXTS
RANGES = {
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: st.integers(0, 2**32 - 1),
    # One NaN is as good as another: only its being none is kept.
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=True) | st.just(float("nan")),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_ENUM: st.integers(0, 7),
    FieldDescriptor.TYPE_STRING: TEXTS,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=9),
}


@st.composite
def messages(draw: st.DrawFn, kind: type[Message], depth: int = 0) -> Any:
    """Any message of the kind: each field absent, at its default or anything that fits, by its descriptor."""
    message = kind()
    fields = list(kind.DESCRIPTOR.fields)
    oneofs = {oneof.name: draw(st.sampled_from([None, *oneof.fields])) for oneof in kind.DESCRIPTOR.oneofs}
    for field in fields:
        oneof = field.containing_oneof
        if field.name in PROFILES_ONLY or (oneof is not None and oneofs[oneof.name] is not field):
            continue
        if oneof is None and draw(st.integers(0, 3)) == 0:
            continue
        _fill(draw, message, field, depth)
    return message


def _fill(draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
    if field.message_type is not None:
        if depth > 9:
            return
        kind = field.message_type._concrete_class
        if field.is_repeated:
            for _ in range(draw(st.integers(0, 2))):
                getattr(message, field.name).append(draw(messages(kind, depth + 1)))
        else:
            getattr(message, field.name).CopyFrom(draw(messages(kind, depth + 1)))
            getattr(message, field.name).SetInParent()
        return
    values = RANGES[field.type]
    if field.name in IDS and field.type == FieldDescriptor.TYPE_BYTES:
        values = st.sampled_from([b"", bytes(range(IDS[field.name]))])
    elif field.name == "key":
        values = KEYS
    if field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(values, max_size=3)))
    else:
        setattr(message, field.name, draw(values))


def to_json(message: Message) -> bytes:
    """OTLP/JSON of a message, written apart from the reader under test."""
    return json.dumps(_plain(message)).encode()


def _plain(message: Any) -> dict[str, Any]:
    return {
        field.json_name: [_one(field, item) for item in content] if field.is_repeated else _one(field, content)
        for field, content in message.ListFields()
    }


def _one(field: FieldDescriptor, content: Any) -> Any:
    if field.message_type is not None:
        return _plain(content)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return content.hex() if field.name in IDS else base64.b64encode(content).decode()
    if field.type == FieldDescriptor.TYPE_DOUBLE and content - content != 0:
        return "NaN" if content != content else "Infinity" if content > 0 else "-Infinity"  # noqa: PLR0124  # NaN
    return str(content) if "64" in str(RANGES.get(field.type)) or abs_large(content) else content


def abs_large(content: Any) -> bool:
    """Whether the mapping writes it as a string: integers beyond what a double holds."""
    return isinstance(content, int) and not isinstance(content, bool) and abs(content) > 2**31
