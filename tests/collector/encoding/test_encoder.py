"""What is sent on is what was received."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.encoding.encoder import encode
from collector.encoding.json_lines import json_line
from tests.collector.decoding.requests import REQUESTS, decode, messages

REQUEST_STRATEGY = {signal: messages(kind) for signal, kind in REQUESTS.items()}
EXAMPLES = settings(deadline=None, suppress_health_check=list(HealthCheck))
OWN = ("batch_id", "batch_index")


def _lines(records: list[dict[str, Any]]) -> list[bytes]:
    return [orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records]


def _alike(records: list[dict[str, Any]]) -> list[str]:
    """Apart from the order among resources and scopes, and from which request they came with."""
    return sorted(map(_own, records))


def _own(record: dict[str, Any]) -> str:
    return repr({key: value for key, value in record.items() if key not in OWN})


@pytest.mark.parametrize("signal", REQUESTS)
@EXAMPLES
@given(data=st.data())
def test_records_turn_back_into_the_request_that_they_came_with(signal: str, data: st.DataObject) -> None:
    """Received again they are equal in every field, from protobuf and from OTLP/JSON."""
    request = data.draw(REQUEST_STRATEGY[signal])
    sent, *_ = decode(signal, request.SerializeToString())
    encoded = encode(signal, _lines(sent))
    received, _, rejected, _ = decode(signal, encoded.body)
    by_json, *_ = decode(signal, json_line(signal, encoded.body), encoding="json")
    assert (encoded.records, encoded.unreadable, rejected) == (len(sent), 0, 0)
    assert _alike(received) == _alike(sent)
    assert by_json == [
        {**record, "batch_id": shown["batch_id"]} for record, shown in zip(received, by_json, strict=True)
    ]


def _span(number: int, *, resource: str = "a", scope: str = "s", **given: Any) -> bytes:
    return orjson.dumps(
        {
            "timestamp": "",
            "time_unix_nano": 1000 + number,
            "received_unix_nano": 1,
            "service": resource,
            "name": f"span {number}",
            "kind": "SERVER",
            "trace_id": f"{number:032x}",
            "span_id": f"{number:016x}",
            "end_time_unix_nano": 2000 + number,
            "status": "UNSET",
            "attributes": {"resource": number, "flag": True, "one": 1, "float": 1.0},
            **given,
            "resource": {"attributes": {"service.name": resource}},
            "scope": {"name": scope},
        }
    )


def test_records_of_one_resource_and_scope_stand_together_in_their_order() -> None:
    """Two resources with two scopes each make two ResourceSpans with two ScopeSpans each."""
    lines = [_span(number, resource="ab"[number % 2], scope="st"[number // 2 % 2]) for number in range(8)]
    request: Any = REQUESTS["traces"].FromString(encode("traces", lines).body)
    found = {
        (outer.resource.attributes[0].value.string_value, inner.scope.name): [span.name for span in inner.spans]
        for outer in request.resource_spans
        for inner in outer.scope_spans
    }
    assert len(request.resource_spans) == 2
    assert found == {
        ("a", "s"): ["span 0", "span 4"],
        ("b", "s"): ["span 1", "span 5"],
        ("a", "t"): ["span 2", "span 6"],
        ("b", "t"): ["span 3", "span 7"],
    }


def test_equal_looking_values_keep_their_types() -> None:
    """True, 1 and 1.0 are one key to a dict and three values to OTLP."""
    request: Any = REQUESTS["traces"].FromString(encode("traces", [_span(1)]).body)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    kinds = {pair.key: pair.value.WhichOneof("value") for pair in span.attributes}
    assert kinds == {"resource": "int_value", "flag": "bool_value", "one": "int_value", "float": "double_value"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b'{"time_unix_nano": 1}',
        b"{torn",
        _span(1, kind="NOBODY"),
        _span(1, trace_id="xyz"),
        _span(1, trace_id=7),
        _span(1, time_unix_nano=-1),
        _span(1, time_unix_nano="soon"),
        _span(1, attributes=[]),
        _span(1, attributes={"a": {"bytesValue": 7}}),
        _span(1, events=[7]),
    ],
)
def test_a_line_that_is_no_record_is_passed_over_and_counted(line: bytes) -> None:
    """Those around it are there."""
    encoded = encode("traces", [_span(1), line, _span(2)])
    records, *_ = decode("traces", encoded.body)
    assert (encoded.records, encoded.unreadable) == (2, 1)
    assert [record["name"] for record in records] == ["span 1", "span 2"]


def test_every_time_is_moved_by_the_same() -> None:
    """But one that is 0, which is none."""
    events = [
        {"time_unix_nano": 1500, "name": "e", "attributes": {}},
        {"time_unix_nano": 0, "name": "n", "attributes": {}},
    ]
    encoded = encode("traces", [_span(1, events=events), _span(2, time_unix_nano=0)], shift_nano=50)
    (one, other), *_ = decode("traces", encoded.body)
    assert (one["time_unix_nano"], one["end_time_unix_nano"], one["events"][0]["time_unix_nano"]) == (1051, 2051, 1550)
    assert one["events"][1]["time_unix_nano"] == 0
    assert (other["time_unix_nano"], other["end_time_unix_nano"]) == (0, 2052)


def test_lines_that_somebody_else_wrote_keep_their_resource_and_scope() -> None:
    """With blanks between, the end of a line is not where our writers have it."""
    lines = [json.dumps(orjson.loads(_span(number, resource="ab"[number]))).encode() for number in range(2)]
    records, *_ = decode("traces", encode("traces", lines).body)
    assert [(record["name"], record["service"]) for record in records] == [("span 0", "a"), ("span 1", "b")]


def _maps(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"k": value}
    return value


def _lists(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [_lists(60), _maps(40), [_maps(31)] * 2])
def test_what_is_nested_too_deep_for_receivers_is_text_and_every_message_can_be_read(value: Any) -> None:
    """Protobuf's parsers take 100 messages within each other, JSON's writer of ours is one of them."""
    event = {"time_unix_nano": 1, "name": "e", "attributes": {"a": value}}
    encoded = encode("traces", [_span(1, attributes={"a": value}, events=[event]), _span(2)])
    shown = orjson.loads(json_line("traces", encoded.body))
    (spans,) = [scope["spans"] for scope in shown["resourceSpans"][0]["scopeSpans"]]
    assert (encoded.records, encoded.unreadable, len(spans)) == (2, 0, 2)


def test_an_exemplar_as_deep_as_it_is_taken_can_be_sent_on() -> None:
    """Around its attributes are more messages than around those of a span."""
    exemplar = {"time_unix_nano": 1, "value": 5, "attributes": {"a": _maps(31)}}
    line = orjson.dumps(
        {
            "time_unix_nano": 1,
            "start_time_unix_nano": 0,
            "name": "m",
            "type": "gauge",
            "value": 5,
            "attributes": {},
            "exemplars": [exemplar],
            "resource": {"attributes": {}},
            "scope": {"name": "s"},
        }
    )
    shown = json_line("metrics", encode("metrics", [line]).body)
    assert shown.count(b'"kvlistValue"') == 30
    assert shown.count(rb'{"stringValue":"{\"k\":1}"}') == 1
