"""Answers that end before they are whole: by a failure of the service, or because nobody waits for the rest."""

from __future__ import annotations

from typing import Any

import pytest

from processors.observation import ExceptionObservation
from tests.support.course import Course, point, request

BROKE = ExceptionObservation("ValueError", "stream broke", "")
WHOLE = {"http.response.body.size": 7}


@pytest.mark.parametrize(
    ("told", "broke"),
    [
        ({"attributes": {"error.type": "ValueError"}}, True),
        ({"exception": BROKE}, True),
        ({"exception": BROKE, "attributes": WHOLE}, False),
        ({"attributes": {"error.type": "ConnectionError"}}, False),
        ({"attributes": {"error.type": "asyncio.exceptions.CancelledError"}}, False),
        ({"attributes": {"error.type": "starlette.requests.ClientDisconnect"}}, False),
        ({"attributes": {"error.type": "ValueError"}, "status": "UNSET"}, False),
        ({"attributes": {"error.type": 7}, "status_code": 404}, False),
        ({}, False),
    ],
    ids=lambda given: "" if isinstance(given, bool) else str(given),
)
def test_an_answer_that_broke_off_failed_whatever_its_head_said(told: dict[str, Any], broke: bool) -> None:  # noqa: FBT001  # a case's
    """As one without response; what raises after the last byte, and who hangs up, fail nothing."""
    given = {"status": "ERROR", **told}
    status, code = given.pop("status"), given.pop("status_code", 200)
    course = Course("http.server.error_rate")
    course.each(0, 100, lambda at: _answered(at, code, status, **given))
    assert (course.evaluation.value, course.evaluation.samples) == (float(broke), 100)
    assert {line["status_code"] for line in course.lines()["performance"]} == {None if broke else code}


def _answered(at: float, code: int, status: str, **given: Any) -> Any:
    made: Any = request(at, status=code, attributes=given.get("attributes", {}), exception=given.get("exception"))
    return made._replace(status=status)


@pytest.mark.parametrize(
    ("code", "error_type", "exception", "errors"),
    [
        (200, "ConnectionError", None, []),
        (200, "ConnectionError", BROKE, ["ValueError"]),
        (200, "ConnectionResetError", None, ["ConnectionResetError"]),
        (500, "ConnectionError", None, ["ConnectionError"]),
        (0, "asyncio.exceptions.CancelledError", None, ["asyncio.exceptions.CancelledError"]),
    ],
)
def test_who_closes_a_stream_makes_no_error(
    code: int, error_type: str, exception: ExceptionObservation | None, errors: list[str]
) -> None:
    """Every event stream ends so; what the service raised itself is one."""
    course = Course("http.server.error_rate")
    course.feed([_answered(1, code, "ERROR", attributes={"error.type": error_type}, exception=exception)])
    assert [line["error_type"] for line in course.lines().get("errors", [])] == errors


def test_the_histogram_of_a_service_that_samples_tells_broken_answers_too() -> None:
    """By the same attribute."""

    def exported(at: float) -> Any:
        content = {"count": 100, "sum": 50.0, "bounds": [1.0], "bucket_counts": [95, 5]}
        kind = "ValueError" if at < 80 else "ConnectionError"
        attributes = {"http.request.method": "GET", "http.response.status_code": 200, "error.type": kind}
        name = "http.server.request.duration"
        return point(at, name, content, type="histogram", temporality="DELTA", attributes=attributes)

    sampled = Course("http.server.error_rate").each(0, 60, lambda at: request(at, trace_state="ot=th:c"))
    sampled.each(60, 100, exported, 10)
    assert (sampled.evaluation.samples, sampled.evaluation.value) == (400, 0.5)
