from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from instrumentation.export.attributes import AttributeEncoder
from instrumentation.export.log_encoding import LogEncoder, LogItem
from instrumentation.export.request import Scopes, request, resource_message
from instrumentation.export.span_encoding import SpanEncoder
from instrumentation.redaction import Redactor


class _Plain(Redactor):
    """Hides nothing, so that what comes out can be compared with what went in."""

    def __init__(self) -> None:
        super().__init__()
        self.text = lambda text: text
        self.is_sensitive = lambda _key: False


names = st.text(max_size=20)
values = st.one_of(
    st.text(max_size=20),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.lists(st.text(max_size=5), min_size=1, max_size=3),
)
attributes = st.dictionaries(st.text(min_size=1, max_size=12), values, max_size=5)
times = st.integers(0, 2**63 - 1)
untold = st.just(TraceState())  # the SDK's encoder forgets it of links
told = st.sampled_from([TraceState(), TraceState([("ot", "th:8")])])


def contexts(trace_states: st.SearchStrategy[TraceState]) -> st.SearchStrategy[SpanContext]:
    return st.builds(
        SpanContext,
        trace_id=st.integers(1, 2**128 - 1),
        span_id=st.integers(1, 2**64 - 1),
        is_remote=st.booleans(),
        trace_flags=st.just(TraceFlags(0)),  # which the SDK's encoder leaves out,
        trace_state=trace_states,
    )


resource = Resource({"service.name": "x", "pid": 7}, "https://example.com/schema")
spans = st.builds(
    ReadableSpan,
    name=names,
    context=contexts(told),
    parent=st.none() | contexts(untold),
    resource=st.just(resource),
    attributes=attributes,
    events=st.lists(st.builds(Event, name=names, attributes=attributes, timestamp=times), max_size=2),
    links=st.lists(st.builds(Link, context=contexts(untold), attributes=attributes), max_size=2),
    kind=st.sampled_from(SpanKind),
    instrumentation_scope=st.just(InstrumentationScope("scope", "1", "https://example.com/scope", {"a": "b"})),
    status=st.one_of(
        st.sampled_from([Status(), Status(StatusCode.OK)]), st.builds(Status, st.just(StatusCode.ERROR), names)
    ),
    start_time=times,
    end_time=times,
)


@given(st.lists(spans, min_size=1, max_size=4))
def test_spans_are_encoded_as_the_sdk_does(given_spans: list[ReadableSpan]) -> None:
    """Every field of a span arrives as OpenTelemetry's own encoder would have sent it."""
    encoder = AttributeEncoder(_Plain())
    encode = SpanEncoder(encoder).encode
    scope = Scopes(encoder).of(given_spans[0].instrumentation_scope)
    body = request(
        resource_message(resource.attributes, encoder).SerializeToString(),
        resource.schema_url,
        {scope: [encode(span) for span in given_spans]},
    )
    assert ExportTraceServiceRequest.FromString(body) == encode_spans(given_spans)


@given(attributes, times, st.integers(0, 24), names, names | st.dictionaries(names, names, max_size=2))
def test_log_records_keep_every_field(given: dict[str, Any], time: int, severity: int, text: str, body: Any) -> None:
    """What the item holds is what the protocol's own classes read back."""
    encoder = AttributeEncoder(_Plain())
    item = LogItem("logger", time, time + 1, severity, text, body, given, ("/app/a.py", "f", 7), 1 << 100, 9, 1, "e")
    sent = request(b"", "", {Scopes(encoder).named("logger"): [LogEncoder(encoder).encode(item)]})
    scope_logs = ExportLogsServiceRequest.FromString(sent).resource_logs[0].scope_logs[0]
    record = scope_logs.log_records[0]
    assert scope_logs.scope.name == "logger"
    assert (record.time_unix_nano, record.observed_time_unix_nano) == (time, time + 1)
    assert (record.severity_number, record.severity_text, record.event_name) == (severity, text, "e")
    assert (record.trace_id, record.span_id, record.flags) == ((1 << 100).to_bytes(16, "big"), bytes(7) + b"\x09", 1)
    found = {attribute.key: attribute.value for attribute in record.attributes}
    assert found["code.file.path"].string_value == "/app/a.py"
    assert found["code.line.number"].int_value == 7
    assert found.keys() == {*given, "code.file.path", "code.function.name", "code.line.number"}
    if isinstance(body, str):
        assert record.body.string_value == body
    else:
        assert {pair.key: pair.value.string_value for pair in record.body.kvlist_value.values} == body


def test_what_otlp_cannot_carry_becomes_text() -> None:
    """Lone surrogates, huge integers, endless nesting and unknown types cost nobody the record."""
    endless: dict[str, Any] = {}
    endless["again"] = endless
    strange = {"a": "\udc80", "b": 2**70, "c": endless, "d": object, "e": {1, 2}, "f": b"\xff", "g": {"k": None}}
    item = LogItem("x", 1, 1, 9, "INFO", "\udc80", strange, None, 0, 0, 0)
    sent = request(b"", "", {(b"", ""): [LogEncoder(AttributeEncoder(Redactor())).encode(item)]})
    record = ExportLogsServiceRequest.FromString(sent).resource_logs[0].scope_logs[0].log_records[0]
    found = {attribute.key: attribute.value for attribute in record.attributes}
    assert record.body.string_value == "\\udc80"
    assert found["a"].string_value == "\\udc80"
    assert found["b"].string_value == str(2**70)
    assert found["d"].string_value == "<class 'object'>"
    assert sorted(element.int_value for element in found["e"].array_value.values) == [1, 2]
    assert found["f"].bytes_value == b"\xff"


def test_true_and_one_are_told_apart() -> None:
    """They are equal to Python, and so to a memo that does not look at their types."""
    encoder = AttributeEncoder(Redactor())
    fields = (
        encoder.fields(b"\x4a", {"k": True}) + encoder.fields(b"\x4a", {"k": 1}) + encoder.fields(b"\x4a", {"k": 1.0})
    )
    assert len(set(fields)) == 3
