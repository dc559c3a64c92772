"""What OTLP asks of a server over gRPC."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.settings import CollectorSettings
from tests.conformance.sending import METHODS, MIB, Occupied, kept
from tests.support.export import TRACE_SERVICE, call, channel, failure
from tests.support.otlp import trace_request
from tests.support.sidecar import Sidecar

RESPONSES = {
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
    "logs": ExportLogsServiceResponse,
}
RETRYABLE = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}


@pytest.mark.parametrize("signal", METHODS)
def test_g1_export_is_unary_for_each_signal(sidecar: Sidecar, signal: str) -> None:
    """Each service answers one request with one response."""
    assert RESPONSES[signal].FromString(call(sidecar, b"", METHODS[signal])) == RESPONSES[signal]()


def test_g2_the_limit_holds_after_decompression_too(small: Sidecar) -> None:
    """A message of two MiB is refused by a limit of one, sent plain or as a few KiB of gzip."""
    body = trace_request([1], attributes=1, size=2 * MIB)
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        assert failure(small, body, compression=compression).code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_g2_the_default_limit_is_64_mib(sidecar: Sidecar) -> None:
    """What gRPC itself would refuse at 4 MiB is taken."""
    assert call(sidecar, trace_request(range(5000, 6000), attributes=1, size=10_000)) == b""


def test_g3_a_request_over_the_limit_is_final(small: Sidecar) -> None:
    """RESOURCE_EXHAUSTED comes without RetryInfo, so that nobody sends it again."""
    error = failure(small, trace_request([1], attributes=1, size=2 * MIB))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(error.trailing_metadata() or ()) == {}


def test_g4_several_calls_are_in_flight_on_one_connection(sidecar: Sidecar) -> None:
    """Fifty calls at once over one channel are all answered."""
    with channel(sidecar) as open_channel:
        export = open_channel.unary_unary(TRACE_SERVICE)
        calls = [export.future(trace_request([number]), timeout=20) for number in range(200, 250)]
        assert [future.result() for future in calls] == [b""] * 50
    assert kept(sidecar, *range(200, 250))


@pytest.mark.parametrize("signal", METHODS)
def test_g5_the_response_fits_the_signal(small: Sidecar, signal: str) -> None:
    """The one refused record is counted in the message of the signal that was sent."""
    partial = RESPONSES[signal].FromString(call(small, _too_long(signal), METHODS[signal])).partial_success
    assert [number for field, number in partial.ListFields() if field.name.startswith("rejected_")] == [1]
    assert "record_bytes" in partial.error_message


def _too_long(signal: str) -> bytes:
    """A record over the limit of 2 KiB."""
    metrics, logs = ExportMetricsServiceRequest(), ExportLogsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="a", description="x" * 5000)
    metric.gauge.data_points.add(as_int=1)
    logs.resource_logs.add().scope_logs.add().log_records.add(body=AnyValue(string_value="x" * 5000))
    return {
        "traces": trace_request([1], attributes=1, size=5000),
        "metrics": metrics.SerializeToString(),
        "logs": logs.SerializeToString(),
    }[signal]


def test_g6_a_response_is_far_below_the_limit(small: Sidecar) -> None:
    """However many records are refused, the answer stays below 4 MiB by far."""
    body = trace_request(range(300), attributes=1, size=3000)
    assert len(call(small, body)) < 2000


def test_g7_a_partial_success_has_a_short_text(small: Sidecar) -> None:
    """Three hundred refusals with the same reason say it once."""
    response = ExportTraceServiceResponse.FromString(call(small, trace_request(range(300), attributes=1, size=3000)))
    assert response.partial_success.rejected_spans == 300
    assert response.partial_success.error_message.count("record_bytes") == 1


def test_g8_an_empty_request_succeeds(sidecar: Sidecar) -> None:
    """No bytes at all are a request without records."""
    assert call(sidecar, b"") == b""


def test_g9_success_is_an_export_response(sidecar: Sidecar) -> None:
    """OK carries the response message of the service."""
    assert ExportTraceServiceResponse.FromString(call(sidecar, trace_request([130]))) == ExportTraceServiceResponse()


def test_g10_a_temporary_failure_is_unavailable_with_a_delay(small: Sidecar) -> None:
    """An overload says when to come back, in the status and where the Python SDK looks for it."""
    with Occupied(small):
        error = failure(small, trace_request([1], attributes=1, size=MIB // 2))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    trailers = dict(error.trailing_metadata())
    retry = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
    detail = RetryInfo()
    assert Status.FromString(trailers["grpc-status-details-bin"]).details[0].Unpack(detail)
    assert detail == retry


def test_g11_bad_data_is_an_invalid_argument(sidecar: Sidecar) -> None:
    """Bytes that don't decode give INVALID_ARGUMENT with a BadRequest, never INTERNAL."""
    for body in (b"\xff\xff\xff", b"\x0a\x05abc", trace_request([1])[:-1], b"\x0a\x07\x12\x05\x12\x03\x2a\x01\xff"):
        error = failure(sidecar, body)
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
        detail = BadRequest()
        assert status.details[0].Unpack(detail)
        assert detail.field_violations[0].field == "body"


def test_g12_a_permanent_failure_never_has_a_code_that_clients_retry(small: Sidecar) -> None:
    """Malformed, too large and unknown are all final."""
    errors = [
        failure(small, b"\xff\xff"),
        failure(small, trace_request([1], attributes=1, size=2 * MIB)),
        failure(small, b"", "/opentelemetry.proto.collector.trace.v1.TraceService/Import"),
    ]
    assert [error.code().name for error in errors] == ["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"]
    assert RETRYABLE.isdisjoint(error.code().name for error in errors)


def test_g13_resource_exhausted_never_asks_for_a_retry(small: Sidecar) -> None:
    """What waiting does not help has no RetryInfo, what it helps is UNAVAILABLE."""
    error = failure(small, trace_request([1], attributes=1, size=2 * MIB))
    assert "google.rpc.retryinfo-bin" not in dict(error.trailing_metadata() or ())


def test_g14_and_h18_the_default_ports_are_4317_and_4318() -> None:
    """The packaged default listens where exporters look by themselves."""
    servers = CollectorSettings().servers()
    assert {name: server.endpoint for name, server in servers.items()} == {
        "grpc": "127.0.0.1:4317",
        "http": "127.0.0.1:4318",
    }
