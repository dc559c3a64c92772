"""What OTLP asks of both transports, and what of one that has too much to do."""

from __future__ import annotations

import gzip

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conformance.sending import MIB, Occupied, kept
from tests.support.export import Answer, call, failure, post
from tests.support.otlp import PROTOBUF, span_id, trace_request
from tests.support.pages import wait_until
from tests.support.sidecar import Sidecar


def test_c1_requests_come_plain_and_with_gzip(sidecar: Sidecar) -> None:
    """Both transports take both."""
    assert post(sidecar, trace_request([100])).code == 200
    assert post(sidecar, gzip.compress(trace_request([101])), {**PROTOBUF, "Content-Encoding": "gzip"}).code == 200
    assert call(sidecar, trace_request([102])) == b""
    assert call(sidecar, trace_request([103]), compression=grpc.Compression.Gzip) == b""
    assert kept(sidecar, 100, 101, 102, 103)


def test_c2_unknown_protobuf_fields_are_skipped(sidecar: Sidecar) -> None:
    """A field of a later version, and one of the old group kind, changes nothing."""
    unknown = b"\xa2\x06\x03abc" + b"\xab\x06\x08\x01\xac\x06"
    assert post(sidecar, trace_request([110]) + unknown).code == 200
    assert call(sidecar, trace_request([111]) + unknown) == b""
    assert kept(sidecar, 110, 111)


def test_c3_envelopes_without_records_are_no_error(sidecar: Sidecar) -> None:
    """A resource without scopes and a scope without records are taken and give nothing."""
    empty = ExportTraceServiceRequest()
    empty.resource_spans.add()
    empty.resource_spans.add().scope_spans.add()
    assert post(sidecar, empty.SerializeToString()) == Answer(200, _headers(0), b"")
    assert call(sidecar, empty.SerializeToString()) == b""


def _headers(length: int) -> dict[str, str]:
    return {"content-length": str(length), "content-type": "application/x-protobuf"}


def test_c4_the_same_data_may_arrive_twice(sidecar: Sidecar) -> None:
    """Both copies are kept with the same batch id and index, by which readers know them."""
    body = trace_request([120])
    for _ in range(2):
        assert post(sidecar, body).code == 200
    copies = [record for record in sidecar.records("traces") if record["span_id"] == span_id(120)]
    assert len(copies) == 2
    assert len({(record["batch_id"], record["batch_index"]) for record in copies}) == 1


def test_c5_profiles_are_not_offered(sidecar: Sidecar) -> None:
    """The signal in development is unimplemented rather than pretended."""
    error = failure(sidecar, b"", "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export")
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


def test_t1_and_t3_an_overload_is_said_on_both_transports(small: Sidecar) -> None:
    """503 with Retry-After and UNAVAILABLE with RetryInfo, and the next try goes through."""
    body = trace_request([430], attributes=1, size=MIB // 2)
    with Occupied(small):
        answer = post(small, body)
        error = failure(small, body)
    assert (answer.code, error.code()) == (503, grpc.StatusCode.UNAVAILABLE)
    assert answer.headers["retry-after"] in {"1", "2"}
    assert answer.status().message.endswith("Retry in a second.")
    wait_until(lambda: post(small, trace_request([431])).code == 200, "what was reserved is not given back")
    assert kept(small, 431)


def test_t2_the_delay_lets_clients_come_back_in_time(small: Sidecar) -> None:
    """Between one and two seconds: the Python SDK gives up when more is asked than is left of its ten."""
    with Occupied(small):
        errors = [failure(small, trace_request([1], attributes=1, size=MIB // 2)) for _ in range(5)]
    for error in errors:
        delay = RetryInfo.FromString(dict(error.trailing_metadata())["google.rpc.retryinfo-bin"]).retry_delay
        assert 1 <= delay.seconds + delay.nanos / 1e9 < 2
