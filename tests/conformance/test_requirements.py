"""What OTLP asks of a server, one test each; the wording in the table is ours, the ids are only to count by."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.export import JSON, TRACE_SERVICE, Answer, call, channel, failure, post, read
from tests.support.otlp import PROTOBUF, span_id, trace_request
from tests.support.sidecar import Sidecar

MIB = 2**20
REQUIREMENTS = {
    "c": 5,  # both transports
    "g": 14,  # gRPC
    "h": 18,  # HTTP
    "j": 6,  # JSON
    "p": 6,  # partial success
    "t": 3,  # throttling
}
METHODS = {
    "traces": TRACE_SERVICE,
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
RESPONSES = {
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
    "logs": ExportLogsServiceResponse,
}
RETRYABLE = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}


def test_every_requirement_has_a_test() -> None:
    """The table and the functions of this file name the same requirements."""
    wanted = {f"{group}{number}" for group, count in REQUIREMENTS.items() for number in range(1, count + 1)}
    tested = {name.split("_")[1] for name in globals() if name.startswith("test_")}
    assert wanted <= tested


def _kept(sidecar: Sidecar, *numbers: int) -> bool:
    ids = {record["span_id"] for record in sidecar.records("traces")}
    return {span_id(number) for number in numbers} <= ids


def _spans(*spans: dict[str, Any], **others: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}], **others}]}).encode()


def _span(number: int, **fields: Any) -> dict[str, Any]:
    return {"traceId": f"{number + 1:032x}", "spanId": span_id(number), "name": f"span {number}", **fields}


def _one(sidecar: Sidecar, number: int) -> dict[str, Any]:
    (record,) = [record for record in sidecar.records("traces") if record["span_id"] == span_id(number)]
    return record


class Occupied:
    """A connection that has reserved nearly all of the bytes in flight and sends no body yet."""

    def __init__(self, sidecar: Sidecar, length: int = MIB - 100) -> None:
        host, port = sidecar.endpoints["http"].split(":")
        self._socket = socket.create_connection((host, int(port)))
        head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
        self._socket.sendall(head.encode() + b"Content-Type: application/x-protobuf\r\nExpect: 100-continue\r\n\r\n")
        # The answer to Expect shows that the body is being waited for, so its bytes are reserved.
        assert b"100 Continue" in self._socket.recv(1000)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def test_c1_requests_come_plain_and_with_gzip(sidecar: Sidecar) -> None:
    """Both transports take both."""
    assert post(sidecar, trace_request([100])).code == 200
    assert post(sidecar, gzip.compress(trace_request([101])), {**PROTOBUF, "Content-Encoding": "gzip"}).code == 200
    assert call(sidecar, trace_request([102])) == b""
    assert call(sidecar, trace_request([103]), compression=grpc.Compression.Gzip) == b""
    assert _kept(sidecar, 100, 101, 102, 103)


def test_c2_unknown_protobuf_fields_are_skipped(sidecar: Sidecar) -> None:
    """A field of a later version, and one of the old group kind, changes nothing."""
    unknown = b"\xa2\x06\x03abc" + b"\xab\x06\x08\x01\xac\x06"
    assert post(sidecar, trace_request([110]) + unknown).code == 200
    assert call(sidecar, trace_request([111]) + unknown) == b""
    assert _kept(sidecar, 110, 111)


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
    assert _kept(sidecar, *range(200, 250))


@pytest.mark.parametrize("signal", METHODS)
def test_g5_the_response_fits_the_signal(small: Sidecar, signal: str) -> None:
    """The refused records are counted in the message of the signal that was sent."""
    body = {"traces": trace_request([1], attributes=1, size=5000)}.get(signal, b"")
    response = RESPONSES[signal].FromString(call(small, body, METHODS[signal]))
    assert response.partial_success.ByteSize() == (0 if signal != "traces" else response.partial_success.ByteSize())
    assert bool(response.partial_success.error_message) is (signal == "traces")


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
    from collector.settings import CollectorSettings  # noqa: PLC0415  # only this test looks inside

    servers = CollectorSettings().servers()
    assert {name: server.endpoint for name, server in servers.items()} == {
        "grpc": "127.0.0.1:4317",
        "http": "127.0.0.1:4318",
    }


test_h18_the_default_port_is_4318 = test_g14_and_h18_the_default_ports_are_4317_and_4318


@pytest.mark.parametrize("signal", METHODS)
def test_h1_each_signal_has_its_path(sidecar: Sidecar, signal: str) -> None:
    """POST to /v1/SIGNAL is taken."""
    assert post(sidecar, b"", path=f"/v1/{signal}").code == 200


def test_h2_the_content_type_chooses_between_protobuf_and_json(sidecar: Sidecar) -> None:
    """One port takes both, with parameters and in any case."""
    types = {"Application/JSON; charset=utf-8": _spans(_span(140)), "application/x-protobuf;x=y": trace_request([141])}
    for content_type, body in types.items():
        assert post(sidecar, body, {"Content-Type": content_type}).code == 200
    assert _kept(sidecar, 140, 141)


def test_h3_the_limit_holds_after_decompression_too(small: Sidecar) -> None:
    """Two MiB are too many for a limit of one, plain, chunked or as a few KiB of gzip."""
    body = trace_request([1], attributes=1, size=2 * MIB)
    assert post(small, body).code == 413
    assert post(small, gzip.compress(body), {**PROTOBUF, "Content-Encoding": "gzip"}).code == 413
    connection = small.connect()
    connection.request("POST", "/v1/traces", iter([body[:MIB], body[MIB:]]), PROTOBUF, encode_chunked=True)
    assert read(connection).code == 413
    connection.close()


def test_h4_a_body_over_the_limit_is_413_before_it_is_read(small: Sidecar) -> None:
    """A declared length is enough to be refused, with a status that says the limit."""
    answer = post(small, b"", {**PROTOBUF, "Content-Length": str(2 * MIB)})
    assert answer.code == 413
    assert answer.status().message.startswith(f"the body is larger than {MIB} bytes")


def test_h5_and_h6_the_answer_has_the_type_of_the_request(sidecar: Sidecar) -> None:
    """Success and failure alike are labelled and encoded as the request was."""
    for headers, good, bad in ((PROTOBUF, trace_request([150]), b"\xff"), (JSON, _spans(_span(151)), b"{")):
        for body, code in ((good, 200), (bad, 400)):
            answer = post(sidecar, body, headers)
            assert (answer.code, answer.headers["content-type"]) == (code, headers["Content-Type"])
    assert json.loads(post(sidecar, b"{", JSON).body)["code"] == 3


test_h6_errors_have_the_type_of_the_request = test_h5_and_h6_the_answer_has_the_type_of_the_request


def test_h7_an_answer_is_never_compressed_unasked(sidecar: Sidecar) -> None:
    """Without Accept-Encoding, and with it, the answer comes plain."""
    answer = post(sidecar, trace_request([152]), {**PROTOBUF, "Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


def test_h8_a_response_is_far_below_the_limit(small: Sidecar) -> None:
    """Refusals and errors have short bodies."""
    assert len(post(small, trace_request(range(300), attributes=1, size=3000)).body) < 2000
    assert len(post(small, b'{"resourceSpans": "' + b"x" * 10_000 + b'"}', JSON).body) < 2000


def test_h9_a_partial_success_has_a_short_text(small: Sidecar) -> None:
    """Three hundred refusals with the same reason say it once."""
    partial = post(small, trace_request(range(300), attributes=1, size=3000)).success().partial_success
    assert (partial.rejected_spans, partial.error_message.count("record_bytes")) == (300, 1)


def test_h10_an_empty_request_succeeds(sidecar: Sidecar) -> None:
    """An empty protobuf body and an empty JSON object are requests without records."""
    assert post(sidecar, b"").body == b""
    assert post(sidecar, b"{}", JSON).body == b"{}"


def test_h11_success_is_200_with_an_export_response(sidecar: Sidecar) -> None:
    """The body reads as the response message, in either encoding."""
    answer = post(sidecar, trace_request([160]))
    assert (answer.code, answer.success()) == (200, ExportTraceServiceResponse())
    assert post(sidecar, _spans(_span(161)), JSON).body == b"{}"


def test_h12_and_h13_every_failure_has_a_fitting_code_and_a_status(sidecar: Sidecar, small: Sidecar) -> None:
    """Each 4xx and 5xx carries a google.rpc.Status whose message helps a developer."""
    with Occupied(small):
        overloaded = post(small, trace_request([1], attributes=1, size=MIB // 2))
    answers = {
        400: post(sidecar, b"\xff"),
        404: post(sidecar, b"", path="/v1/unknown"),
        405: post(sidecar, b"", method="PUT"),
        413: post(small, trace_request([1], attributes=1, size=2 * MIB)),
        415: post(sidecar, b"x", {"Content-Type": "text/plain"}),
        503: overloaded,
    }
    assert {code: answer.code for code, answer in answers.items()} == {code: code for code in answers}
    assert all(len(answer.status().message) > 20 for answer in answers.values())


test_h13_every_failure_carries_a_status = test_h12_and_h13_every_failure_has_a_fitting_code_and_a_status


def test_h14_only_what_may_be_retried_has_a_code_that_says_so(small: Sidecar) -> None:
    """An overload is 503; bad and oversized data are not among 429, 502, 503 and 504."""
    with Occupied(small):
        assert post(small, trace_request([1], attributes=1, size=MIB // 2)).code == 503
    final = {post(small, b"\xff").code, post(small, trace_request([1], attributes=1, size=2 * MIB)).code}
    assert final == {400, 413}


def test_h15_bad_data_is_400_with_a_bad_request(sidecar: Sidecar) -> None:
    """What can't be decoded is final, and the detail names the body and the problem."""
    answer = post(sidecar, _spans({"traceId": "abc"}), JSON)
    problem = 'resourceSpans[0].scopeSpans[0].spans[0].traceId: "abc" is not a hex id of 16 bytes'
    assert answer.code == 400
    assert json.loads(answer.body) == {
        "code": 3,
        "message": problem,
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": "body", "description": problem}],
            }
        ],
    }


def test_h16_everything_else_follows_http(sidecar: Sidecar) -> None:
    """Unknown path 404, other method 405 with Allow, other type 415."""
    assert post(sidecar, b"", path="/").code == 404
    answer = post(sidecar, b"", method="GET")
    assert (answer.code, answer.headers["allow"]) == (405, "POST")
    assert post(sidecar, b"x", {"Content-Type": "application/xml"}).code == 415
    assert post(sidecar, b"x", {}).code == 415
    assert post(sidecar, b"x", {**PROTOBUF, "Content-Encoding": "br"}).code == 415


def test_h17_connections_stay_alive_and_there_may_be_several(sidecar: Sidecar) -> None:
    """Ten requests over one connection, errors among them, beside ten connections at once."""
    connection = sidecar.connect()
    for number in range(300, 310):
        connection.request("POST", "/v1/traces", trace_request([number]) if number % 2 else b"\xff", PROTOBUF)
        assert read(connection).code == (200 if number % 2 else 400)
    connection.close()
    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(lambda number: post(sidecar, trace_request([number])).code, range(310, 320)))
    assert answers == [200] * 10
    assert _kept(sidecar, 301, 309, *range(310, 320))


def test_j1_ids_are_hex_of_either_case(sidecar: Sidecar) -> None:
    """Span, link, log and exemplar ids are hex; base64 and half bytes are errors."""
    link = {"traceId": "AB" * 16, "spanId": "cD" * 8}
    span = _span(170, traceId="Ab" * 16, links=[link])
    assert post(sidecar, _spans(span), JSON).code == 200
    record = _one(sidecar, 170)
    assert record["trace_id"] == "ab" * 16
    assert record["links"][0] == {"trace_id": "ab" * 16, "span_id": "cd" * 8, "attributes": {}}
    for wrong in ("q" * 32, "abc", "ab" * 15, "q6urq6urq6urq6urq6urqw==", 7):
        assert post(sidecar, _spans(_span(171, traceId=wrong)), JSON).code == 400


def test_j2_enums_are_integers(sidecar: Sidecar) -> None:
    """A number is taken, even one without a name, and a name is an error."""
    assert post(sidecar, _spans(_span(172, kind=2, status={"code": 2}), _span(173, kind=99)), JSON).code == 200
    assert (_one(sidecar, 172)["kind"], _one(sidecar, 172)["status"], _one(sidecar, 173)["kind"]) == (
        "SERVER",
        "ERROR",
        99,
    )
    assert post(sidecar, _spans(_span(174, kind="SPAN_KIND_SERVER")), JSON).code == 400


def test_j3_unknown_fields_are_ignored_at_any_depth(sidecar: Sidecar) -> None:
    """A request from the future reads as if they were absent."""
    value = {"key": "a", "value": {"stringValue": "b", "later": [1]}, "later": {"x": None}}
    body = _spans(_span(175, attributes=[value], later={"deep": [[{}]]}), later=1)
    assert post(sidecar, body, JSON).code == 200
    assert _one(sidecar, 175)["attributes"] == {"a": "b"}


def test_j4_keys_are_lower_camel_case_only(sidecar: Sidecar) -> None:
    """The original field names are unknown fields."""
    assert post(sidecar, _spans(_span(176, trace_state="x", start_time_unix_nano="5")), JSON).code == 200
    record = _one(sidecar, 176)
    assert "trace_state" not in record
    assert record["time_unix_nano"] == 0


def test_j5_integers_of_64_bits_come_as_strings_or_numbers(sidecar: Sidecar) -> None:
    """Both are exact up to the last bit; out of range and fractions are errors."""
    largest = 2**64 - 1
    body = _spans(_span(177, startTimeUnixNano=str(largest), endTimeUnixNano=largest))
    assert post(sidecar, body, JSON).code == 200
    record = _one(sidecar, 177)
    assert (record["time_unix_nano"], record["end_time_unix_nano"]) == (largest, largest)
    for wrong in (str(2**64), -1, 1.5, "abc", True):
        assert post(sidecar, _spans(_span(178, startTimeUnixNano=wrong)), JSON).code == 400


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
    assert post(sidecar, _spans(_span(179, attributes=values, traceState=None)), JSON).code == 200
    record = _one(sidecar, 179)
    assert record["attributes"] == {
        "bytes": {"bytesValue": "AP8="},
        "nan": {"doubleValue": "NaN"},
        "infinity": {"doubleValue": "-Infinity"},
        "double": 3.0,
        "integer": -(2**63),
        "none": None,
    }
    assert isinstance(record["attributes"]["double"], float)


def _partly(numbers: range, large: int) -> bytes:
    """Spans of which the first `large` are over the limit of a record."""
    return trace_request(numbers[:large], attributes=1, size=3000) + trace_request(numbers[large:])


def test_p1_a_partly_accepted_request_is_a_success(small: Sidecar) -> None:
    """OK and 200, and what could be kept is kept."""
    assert post(small, _partly(range(400, 405), 2)).code == 200
    assert call(small, _partly(range(405, 410), 2)) != b""
    assert _kept(small, 402, 403, 404, 407, 408, 409)
    assert not _kept(small, 400)


def test_p2_the_number_of_refused_records_is_exact(small: Sidecar) -> None:
    """Counted over both reasons: too long, and beyond the records of a request."""
    body = _partly(range(1000, 1150), 7)
    assert post(small, body).success().partial_success.rejected_spans == 57
    assert ExportTraceServiceResponse.FromString(call(small, body)).partial_success.rejected_spans == 57
    response = json.loads(post(small, _spans(*[_span(number) for number in range(1200, 1303)]), JSON).body)
    assert response["partialSuccess"]["rejectedSpans"] == "3"


def test_p3_the_message_says_why_and_what_to_do(small: Sidecar) -> None:
    """The reason names the setting."""
    partial = post(small, _partly(range(410, 412), 1)).success().partial_success
    assert partial.error_message == (
        "1 records were refused and must not be sent again: a record is over 2048 bytes as a line "
        "(processors.limits.record_bytes)"
    )


def test_p4_without_refusals_partial_success_is_unset(sidecar: Sidecar) -> None:
    """The response of a wholly accepted request is empty."""
    assert not post(sidecar, trace_request([180])).success().HasField("partial_success")
    assert call(sidecar, trace_request([181])) == b""


def test_p5_there_are_no_warnings_with_a_count_of_zero(sidecar: Sidecar) -> None:
    """We never warn about an accepted request, so the text is never there without a number."""
    partial = post(sidecar, trace_request([182])).success().partial_success
    assert (partial.rejected_spans, partial.error_message) == (0, "")


def test_p6_what_is_refused_for_good_is_counted(small: Sidecar) -> None:
    """Clients must not send it again, so the collector's own metrics show it."""
    name = 'otelcol_receiver_refused_spans_total{receiver="otlp",transport="http"}'
    before = _metric(small, name)
    post(small, _partly(range(420, 425), 3))
    assert _metric(small, name) - before == 3


def _metric(sidecar: Sidecar, name: str) -> float:
    lines = [line for line in sidecar.get("metrics", "/metrics").splitlines() if line.startswith(name)]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


def test_t1_and_t3_an_overload_is_said_on_both_transports(small: Sidecar) -> None:
    """503 with Retry-After and UNAVAILABLE with RetryInfo, and the next try goes through."""
    body = trace_request([430], attributes=1, size=MIB // 2)
    with Occupied(small):
        answer = post(small, body)
        error = failure(small, body)
    assert (answer.code, error.code()) == (503, grpc.StatusCode.UNAVAILABLE)
    assert answer.headers["retry-after"] in {"1", "2"}
    assert answer.status().message.endswith("Retry in a second.")
    released = threading.Event()
    while not released.is_set():
        if post(small, trace_request([431])).code == 200:
            released.set()
    assert _kept(small, 431)


test_t3_http_says_when_to_come_back = test_t1_and_t3_an_overload_is_said_on_both_transports


def test_t2_the_delay_lets_clients_come_back_in_time(small: Sidecar) -> None:
    """Between one and two seconds: the Python SDK gives up when more is asked than is left of its ten."""
    with Occupied(small):
        errors = [failure(small, trace_request([1], attributes=1, size=MIB // 2)) for _ in range(5)]
    for error in errors:
        delay = RetryInfo.FromString(dict(error.trailing_metadata())["google.rpc.retryinfo-bin"]).retry_delay
        assert 1 <= delay.seconds + delay.nanos / 1e9 < 2
