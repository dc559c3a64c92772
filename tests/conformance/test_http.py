"""What OTLP asks of a server over HTTP."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.conformance.sending import METHODS, MIB, Occupied, json_request, json_span, kept
from tests.support.export import JSON, post, read
from tests.support.otlp import PROTOBUF, trace_request
from tests.support.sidecar import Sidecar


@pytest.mark.parametrize("signal", METHODS)
def test_h1_each_signal_has_its_path(sidecar: Sidecar, signal: str) -> None:
    """POST to /v1/SIGNAL is taken."""
    assert post(sidecar, b"", path=f"/v1/{signal}").code == 200


def test_h2_the_content_type_chooses_between_protobuf_and_json(sidecar: Sidecar) -> None:
    """One port takes both, with parameters and in any case."""
    types = {
        "Application/JSON; charset=utf-8": json_request(json_span(140)),
        "application/x-protobuf;x=y": trace_request([141]),
    }
    for content_type, body in types.items():
        assert post(sidecar, body, {"Content-Type": content_type}).code == 200
    assert kept(sidecar, 140, 141)


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
    for headers, good, bad in ((PROTOBUF, trace_request([150]), b"\xff"), (JSON, json_request(json_span(151)), b"{")):
        for body, code in ((good, 200), (bad, 400)):
            answer = post(sidecar, body, headers)
            assert (answer.code, answer.headers["content-type"]) == (code, headers["Content-Type"])
    assert json.loads(post(sidecar, b"{", JSON).body)["code"] == 3


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
    assert post(sidecar, json_request(json_span(161)), JSON).body == b"{}"


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


def test_h14_only_what_may_be_retried_has_a_code_that_says_so(small: Sidecar) -> None:
    """An overload is 503; bad and oversized data are not among 429, 502, 503 and 504."""
    with Occupied(small):
        assert post(small, trace_request([1], attributes=1, size=MIB // 2)).code == 503
    final = {post(small, b"\xff").code, post(small, trace_request([1], attributes=1, size=2 * MIB)).code}
    assert final == {400, 413}


def test_h15_bad_data_is_400_with_a_bad_request(sidecar: Sidecar) -> None:
    """What can't be decoded is final, and the detail names the body and the problem."""
    answer = post(sidecar, json_request({"traceId": "abc"}), JSON)
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
    assert kept(sidecar, 301, 309, *range(310, 320))
