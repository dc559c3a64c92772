from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.decoding import Encoding
from processors.observation import Projection, observe
from tests.collector.decoding import restore
from tests.collector.decoding.requests import REQUESTS, decode, messages, to_json

REQUEST_STRATEGY = {signal: messages(kind) for signal, kind in REQUESTS.items()}
EXAMPLES = settings(deadline=None, suppress_health_check=list(HealthCheck))


def _normal(message: Any) -> Any:
    """The message with the last of equal keys, and no difference between no value and an empty one."""
    for field, content in list(message.ListFields()):
        if field.message_type is None:
            continue
        for inner in content if field.is_repeated else [content]:
            _normal(inner)
        if field.is_repeated and field.message_type.name == "KeyValue":
            last = {pair.key: pair.value for pair in content}
            message.ClearField(field.name)
            for key, value in last.items():
                getattr(message, field.name).add(key=key, value=value)
    if message.DESCRIPTOR.name == "KeyValue":
        message.value.SetInParent()
    return message


def _sent(signal: str, request: Any) -> list[bytes]:
    """Every record of the request with its resource, scope and schema URLs, one comparable value each."""
    found = []
    for outer in getattr(request, f"resource_{_inner(signal)[0]}"):
        for inner in getattr(outer, f"scope_{_inner(signal)[0]}"):
            shared = (outer.resource, outer.schema_url, inner.scope, inner.schema_url)
            for record in getattr(inner, _inner(signal)[1]):
                found += (
                    [_comparable(one, shared) for one in _points(record)]
                    if signal == "metrics"
                    else [_comparable(record, shared)]
                )
    return found


def _inner(signal: str) -> tuple[str, str]:
    return {"traces": ("spans", "spans"), "metrics": ("metrics", "metrics"), "logs": ("logs", "log_records")}[signal]


def _points(metric: Any) -> list[Any]:
    """The metric once for each of its data points."""
    kind = metric.WhichOneof("data")
    found = []
    for point in getattr(metric, kind).data_points if kind else []:
        one = type(metric)()
        one.CopyFrom(metric)
        data = getattr(one, kind)
        del data.data_points[:]
        data.data_points.append(point)
        found.append(one)
    return found


def _comparable(record: Any, shared: tuple[Any, str, Any, str]) -> bytes:
    outer, outer_url, scope, scope_url = shared
    record = _with_empty_parts(_normal(record))
    parts = [record, _normal(outer), _normal(scope)]
    encoded = [part.SerializeToString(deterministic=True) for part in parts]
    return repr((encoded, outer_url, scope_url)).encode()


def _with_empty_parts(record: Any) -> Any:
    """An empty status or body says no more than none."""
    for name in ("status", "body"):
        if name in record.DESCRIPTOR.fields_by_name:
            getattr(record, name).SetInParent()
    return record


RESTORE = {"traces": restore.span, "metrics": restore.metric, "logs": restore.log}


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("signal", REQUESTS)
@EXAMPLES
@given(data=st.data())
def test_every_record_turns_back_into_what_it_was(signal: str, encoding: Encoding, data: st.DataObject) -> None:
    """With redaction off each record comes back equal, with its resource and scope, from either encoding."""
    request = data.draw(REQUEST_STRATEGY[signal])
    body = request.SerializeToString() if encoding == "protobuf" else to_json(request)
    records, _, rejected, _ = decode(signal, body, encoding=encoding)
    restored = [
        _comparable(RESTORE[signal](record), (*restore.resource(record), *restore.scope(record))) for record in records
    ]
    assert rejected == 0
    assert restored == _sent(signal, request)


@pytest.mark.parametrize("signal", REQUESTS)
@EXAMPLES
@given(data=st.data())
def test_a_stored_line_gives_the_observation_that_decoding_gave(signal: str, data: st.DataObject) -> None:
    """Judging from files after a restart sees just what judging live saw."""
    request = data.draw(REQUEST_STRATEGY[signal])
    wanted = frozenset({"a", "b", "ü"})
    projection = Projection(1, wanted, wanted, wanted, wanted)
    records, observations, _, _ = decode(signal, request.SerializeToString(), projection=projection)
    assert [observe(signal, record, projection) for record in records] == observations


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("signal", REQUESTS)
@EXAMPLES
@given(data=st.data())
def test_slices_hold_the_same_records_as_the_whole(signal: str, encoding: Encoding, data: st.DataObject) -> None:
    """However small the slices are, the records and their order are those of the undivided request."""
    request = data.draw(REQUEST_STRATEGY[signal])
    body = request.SerializeToString() if encoding == "protobuf" else to_json(request)
    size = data.draw(st.integers(1, 400))
    assert decode(signal, body, encoding=encoding, slice_bytes=size) == decode(signal, body, encoding=encoding)


def test_values_that_json_lacks_have_their_documented_form() -> None:
    """Bytes, NaN, infinities and maps that look like them are told apart from each other."""
    request = REQUESTS["logs"]()
    log: Any = request.resource_logs.add().scope_logs.add().log_records.add()  # type: ignore[attr-defined]
    log.attributes.add(key="bytes").value.bytes_value = b"\x00\xff"
    log.attributes.add(key="nan").value.double_value = float("nan")
    log.attributes.add(key="zero").value.double_value = -0.0
    log.attributes.add(key="one").value.double_value = 1.0
    log.attributes.add(key="least").value.int_value = -(2**63)
    log.attributes.add(key="map").value.kvlist_value.values.add(key="bytesValue", value=AnyValue(string_value="x"))
    log.attributes.add(key="nothing")
    ((record,), _, _, _) = decode("logs", request.SerializeToString())
    assert record["attributes"] == {
        "bytes": {"bytesValue": "AP8="},
        "nan": {"doubleValue": "NaN"},
        "zero": 0.0,
        "one": 1.0,
        "least": -(2**63),
        "map": {"kvlistValue": {"bytesValue": "x"}},
        "nothing": None,
    }
    assert str(record["attributes"]["zero"]) == "-0.0"
    assert isinstance(record["attributes"]["one"], float)
