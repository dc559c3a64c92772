"""What OTLP asks of requests in JSON."""

from __future__ import annotations

from tests.conformance.sending import json_request, json_span, record_of
from tests.support.export import JSON, post
from tests.support.sidecar import Sidecar


def test_j1_ids_are_hex_of_either_case(sidecar: Sidecar) -> None:
    """Span, link, log and exemplar ids are hex; base64 and half bytes are errors."""
    link = {"traceId": "AB" * 16, "spanId": "cD" * 8}
    span = json_span(170, traceId="Ab" * 16, links=[link])
    assert post(sidecar, json_request(span), JSON).code == 200
    record = record_of(sidecar, 170)
    assert record["trace_id"] == "ab" * 16
    assert record["links"][0] == {"trace_id": "ab" * 16, "span_id": "cd" * 8, "attributes": {}}
    for wrong in ("q" * 32, "abc", "ab" * 15, "q6urq6urq6urq6urq6urqw==", 7):
        assert post(sidecar, json_request(json_span(171, traceId=wrong)), JSON).code == 400


def test_j2_enums_are_integers(sidecar: Sidecar) -> None:
    """A number is taken, even one without a name, and a name is an error."""
    spans = json_span(172, kind=2, status={"code": 2}), json_span(173, kind=99)
    assert post(sidecar, json_request(*spans), JSON).code == 200
    known, unknown = record_of(sidecar, 172), record_of(sidecar, 173)
    assert (known["kind"], known["status"], unknown["kind"]) == ("SERVER", "ERROR", 99)
    assert post(sidecar, json_request(json_span(174, kind="SPAN_KIND_SERVER")), JSON).code == 400


def test_j3_unknown_fields_are_ignored_at_any_depth(sidecar: Sidecar) -> None:
    """A request from the future reads as if they were absent."""
    value = {"key": "a", "value": {"stringValue": "b", "later": [1]}, "later": {"x": None}}
    body = json_request(json_span(175, attributes=[value], later={"deep": [[{}]]}), later=1)
    assert post(sidecar, body, JSON).code == 200
    assert record_of(sidecar, 175)["attributes"] == {"a": "b"}


def test_j4_keys_are_lower_camel_case_only(sidecar: Sidecar) -> None:
    """The original field names are unknown fields."""
    assert post(sidecar, json_request(json_span(176, trace_state="x", start_time_unix_nano="5")), JSON).code == 200
    record = record_of(sidecar, 176)
    assert "trace_state" not in record
    assert record["time_unix_nano"] == 0


def test_j5_integers_of_64_bits_come_as_strings_or_numbers(sidecar: Sidecar) -> None:
    """Both are exact up to the last bit; out of range and fractions are errors."""
    largest = 2**64 - 1
    body = json_request(json_span(177, startTimeUnixNano=str(largest), endTimeUnixNano=largest))
    assert post(sidecar, body, JSON).code == 200
    record = record_of(sidecar, 177)
    assert (record["time_unix_nano"], record["end_time_unix_nano"]) == (largest, largest)
    for wrong in (str(2**64), -1, 1.5, "abc", True):
        assert post(sidecar, json_request(json_span(178, startTimeUnixNano=wrong)), JSON).code == 400


def test_j6_the_rest_is_the_proto3_mapping(sidecar: Sidecar) -> None:
    """Bytes are base64, doubles may be named, null is absent."""
    values = [
        {"key": "bytes", "value": {"bytesValue": "AP8="}},
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "infinity", "value": {"doubleValue": "-Infinity"}},
        {"key": "double", "value": {"doubleValue": 3}},
        {"key": "integer", "value": {"intValue": "-9223372036854775808"}},
        {"key": "none", "value": None},
    ]
    assert post(sidecar, json_request(json_span(179, attributes=values, traceState=None)), JSON).code == 200
    record = record_of(sidecar, 179)
    assert record["attributes"] == {
        "bytes": {"bytesValue": "AP8="},
        "nan": {"doubleValue": "NaN"},
        "infinity": {"doubleValue": "-Infinity"},
        "double": 3.0,
        "integer": -(2**63),
        "none": None,
    }
    assert isinstance(record["attributes"]["double"], float)
