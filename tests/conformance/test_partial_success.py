"""What OTLP asks of the answer to a request of which a part can't be kept."""

from __future__ import annotations

import json

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.conformance.sending import json_request, json_span, kept
from tests.support.export import JSON, call, post
from tests.support.otlp import trace_request
from tests.support.sidecar import Sidecar


def _partly(numbers: range, large: int) -> bytes:
    """Spans of which the first `large` are over the limit of a record."""
    return trace_request(numbers[:large], attributes=1, size=3000) + trace_request(numbers[large:])


def test_p1_a_partly_accepted_request_is_a_success(small: Sidecar) -> None:
    """OK and 200, and what could be kept is kept."""
    assert post(small, _partly(range(400, 405), 2)).code == 200
    assert call(small, _partly(range(405, 410), 2)) != b""
    assert kept(small, 402, 403, 404, 407, 408, 409)
    assert not kept(small, 400)


def test_p2_the_number_of_refused_records_is_exact(small: Sidecar) -> None:
    """Counted over both reasons: too long, and beyond the records of a request."""
    body = _partly(range(1000, 1150), 7)
    assert post(small, body).success().partial_success.rejected_spans == 57
    assert ExportTraceServiceResponse.FromString(call(small, body)).partial_success.rejected_spans == 57
    response = json.loads(post(small, json_request(*[json_span(number) for number in range(1200, 1303)]), JSON).body)
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
