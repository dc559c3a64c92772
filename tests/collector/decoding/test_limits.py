from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.decoding import Decoder, DecodingLimits, MalformedBodyError
from collector.decoding.json_slices import cut
from instrumentation.redaction import Redactor
from processors.observation import Projection
from tests.collector.decoding.requests import decode, to_json


def _traces(spans: int = 1) -> tuple[ExportTraceServiceRequest, Any]:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(spans):
        scope.spans.add(name=f"span {number}", dropped_attributes_count=3, dropped_events_count=1)
    return request, scope.spans


def test_attributes_beyond_the_limit_are_dropped_and_counted() -> None:
    """The first ones stay, equal keys count once, and what the sender dropped is added."""
    request, spans = _traces()
    for number in range(10):
        spans[0].attributes.add(key=f"key {number}").value.int_value = number
        spans[0].attributes.add(key="key 0").value.int_value = 99
    ((record,), _, _, _) = decode("traces", request.SerializeToString(), limits=DecodingLimits(attribute_count=4))
    assert record["attributes"] == {"key 0": 99, "key 1": 1, "key 2": 2, "key 3": 3}
    assert record["dropped_attributes_count"] == 3 + 6


def test_events_and_links_beyond_the_limit_are_dropped_and_counted() -> None:
    """Both keep their first ones and add to the sender's counts."""
    request, spans = _traces()
    for number in range(5):
        spans[0].events.add(name=f"event {number}")
        spans[0].links.add(trace_id=bytes(16))
    limits = DecodingLimits(event_count=2, link_count=3)
    ((record,), _, _, _) = decode("traces", request.SerializeToString(), limits=limits)
    assert [event["name"] for event in record["events"]] == ["event 0", "event 1"]
    assert (len(record["links"]), record["dropped_events_count"], record["dropped_links_count"]) == (3, 4, 2)


def test_long_values_are_cut() -> None:
    """Texts, bytes, arrays, maps, names and bodies have their bounds."""
    request = ExportLogsServiceRequest()
    log = request.resource_logs.add().scope_logs.add().log_records.add(event_name="e" * 99)
    log.body.string_value = "b" * 99
    log.attributes.add(key="text").value.string_value = "t" * 99
    log.attributes.add(key="bytes").value.bytes_value = b"b" * 99
    for number in range(99):
        log.attributes[0].value.SetInParent()
        array = log.attributes.add(key="array") if number == 0 else log.attributes[2]
        array.value.array_value.values.add().int_value = number
    limits = DecodingLimits(attribute_value_length=10, body_length=20)
    ((record,), _, _, _) = decode("logs", request.SerializeToString(), limits=limits)
    assert (record["body"], record["event_name"]) == ("b" * 20, "e" * 10)
    assert record["attributes"] == {
        "text": "t" * 10,
        "bytes": {"bytesValue": "YmJiYmJiYmJiYg=="},
        "array": list(range(10)),
    }


@pytest.mark.parametrize("offset", range(0, 60, 3))
def test_a_cut_never_leaves_half_a_secret(offset: int) -> None:
    """Wherever the limit falls in or before a token, no part of it stays."""
    request, spans = _traces()
    text = "x" * offset + " Bearer " + "s3cr3t" * 10 + " " + "y" * 5000
    spans[0].attributes.add(key="text").value.string_value = text
    limits = DecodingLimits(attribute_value_length=40)
    ((record,), _, _, _) = decode("traces", request.SerializeToString(), limits=limits, redactor=Redactor())
    assert "s3cr3t" not in record["attributes"]["text"]


def test_a_record_that_is_too_long_as_a_line_is_refused_alone() -> None:
    """The others are kept, and their places in the request stay what they were."""
    request, spans = _traces(3)
    for number in range(100):
        spans[1].attributes.add(key=f"key {number}").value.string_value = "x" * 100
    records, observations, rejected, reasons = decode(
        "traces", request.SerializeToString(), limits=DecodingLimits(record_bytes=2000)
    )
    assert [(record["name"], record["batch_index"]) for record in records] == [("span 0", 0), ("span 2", 2)]
    assert len(observations) == 2
    assert (rejected, reasons) == (1, "a record is over 2000 bytes as a line (processors.limits.record_bytes)")


@pytest.mark.parametrize("slice_bytes", [40, 2**20])
def test_records_beyond_the_limit_of_a_request_are_refused(slice_bytes: int) -> None:
    """The first ones are kept and the rest counted, in one slice or many."""
    request, _ = _traces(10)
    records, _, rejected, reasons = decode(
        "traces", request.SerializeToString(), limits=DecodingLimits(records_per_request=7), slice_bytes=slice_bytes
    )
    assert [record["batch_index"] for record in records] == list(range(7))
    assert rejected == 3
    assert reasons == "a record is beyond 7 of one request (processors.limits.records_per_request)"


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_record_over_4_mib_is_refused_unread(encoding: Any) -> None:
    """One monstrous record does not take the others with it, and is never parsed."""
    request, spans = _traces(3)
    spans[1].name = "x" * (5 * 2**20)
    if encoding == "json":
        names = ",".join(f'{{"name": "{span.name}"}}' for span in spans)
        body = f'{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{names}]}}]}}]}}'.encode()
    else:
        body = request.SerializeToString()
    records, _, rejected, reasons = decode("traces", body, encoding=encoding)
    assert [(record["name"], record["batch_index"]) for record in records] == [("span 0", 0), ("span 2", 2)]
    assert (rejected, reasons) == (1, "a record is longer than 4194304 bytes")


def test_too_much_around_the_records_is_malformed() -> None:
    """A resource of megabytes would be repeated in each slice: it is refused with the way out."""
    request, _ = _traces(3)
    request.resource_spans[0].schema_url = "x" * (5 * 2**20)
    with pytest.raises(MalformedBodyError, match="Send fewer or shorter resource attributes"):
        decode("traces", request.SerializeToString())


@pytest.mark.untraced
def test_a_million_empty_resources_are_malformed() -> None:
    """What no sender makes must not cost minutes."""
    with pytest.raises(MalformedBodyError, match="more than 1000000 resources and scopes"):
        decode("traces", b"\x0a\x00" * 1_100_000)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize(("levels", "passes"), [(31, True), (32, False)])
def test_maps_may_be_nested_31_deep(encoding: Any, levels: int, passes: bool) -> None:  # noqa: FBT001  # a case
    """The bound of protobuf's own parser holds for both encodings alike."""
    request, spans = _traces()
    value = spans[0].attributes.add(key="deep").value
    text = '{"stringValue": "x"}'
    for _ in range(levels):
        value = value.kvlist_value.values.add(key="k").value
        text = f'{{"kvlistValue": {{"values": [{{"key": "k", "value": {text}}}]}}}}'
    value.string_value = "x"
    attribute = f'{{"key": "deep", "value": {text}}}'
    body = f'{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{{"attributes": [{attribute}]}}]}}]}}]}}'.encode()
    sent = body if encoding == "json" else request.SerializeToString()
    if passes:
        assert len(decode("traces", sent, encoding=encoding)[0]) == 1
    else:
        with pytest.raises(MalformedBodyError, match=r"deeper than 31 levels|too deep"):
            decode("traces", sent, encoding=encoding)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_nothing_is_yielded_of_a_body_that_turns_out_to_be_malformed(encoding: Any) -> None:
    """What the records share is looked at in every slice before the first one is handed out."""
    request, _ = _traces(50)
    bad = request.resource_spans.add()
    value = bad.resource.attributes.add(key="deep").value
    for _ in range(40):
        value = value.array_value.values.add()
    value.string_value = "x"
    bad.scope_spans.add().spans.add(name="last")
    body = to_json(request) if encoding == "json" else request.SerializeToString()
    decoder = Decoder(redactor=None, limits=DecodingLimits(), slice_bytes=100)
    with pytest.raises(MalformedBodyError, match="deeper than 31 levels"):
        decoder.decode_traces(body, Projection(), encoding=encoding, received_unix_nano=1)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_record_nested_too_deep_in_a_sliced_body_is_refused_alone(encoding: Any) -> None:
    """Arrays that protobuf's parser would take and we don't cost their own record, not the others."""
    request, spans = _traces(50)
    value = spans[30].attributes.add(key="deep").value
    for _ in range(40):
        value = value.array_value.values.add()
    value.string_value = "x"
    body = to_json(request) if encoding == "json" else request.SerializeToString()
    records, _, rejected, reasons = decode("traces", body, encoding=encoding, slice_bytes=100)
    assert [record["batch_index"] for record in records] == [number for number in range(50) if number != 30]
    assert (rejected, reasons) == (1, "a record can't be read: a value is nested deeper than 31 levels")


def test_records_of_almost_nothing_are_cut_in_no_more_memory_than_their_text() -> None:
    """Fifty thousand empty spans are 150 kB; a list of where each lies would be megabytes."""
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 50_000 + b"{}]}]}]}"
    tracemalloc.start()
    try:
        assert sum(piece.request.count(b"{}") for piece in cut(body, 2**15)) == 50_001
        assert tracemalloc.get_traced_memory()[1] < 4 * len(body)
    finally:
        tracemalloc.stop()
