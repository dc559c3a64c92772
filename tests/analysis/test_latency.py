"""The map and the course of response times agree with the single requests, short times exactly."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pytest

from analysis.engine import Engine
from analysis.latency import LatencyMap, RouteFilter, latency_map, route_course
from analysis.period import HOUR_NANO, NANO, Period
from analysis.requests import RequestTimes
from processors.histogram import RELATIVE_ERROR
from tests.support.week import END, SERVICE, SLOW, START, Request, Week

LOGIN = RouteFilter(SERVICE, "GET", "/api/auth/login")
NOTHING = RequestTimes(None, None, None, 0, 0, None, None, None, None, None)


def hours(first: int, count: int) -> list[Period]:
    """Of the week."""
    start = START * NANO + first * HOUR_NANO
    return Period(start, start + count * HOUR_NANO).cut(count)


def within(week: Week, part: Period, route: str | None = None) -> list[Request]:
    return [one for one in week.requests if part.holds(round(one.at * 1e6) * 1000) and route in (None, one.route)]


def test_a_short_time_is_mapped_exactly(week: Week, engine: Engine) -> None:
    """Six hours, of which one was slow: each request in its hour and between its bounds, no empty row at the ends."""
    parts = hours(int(SLOW[0] - START) // 3600 - 3, 6)
    found = latency_map(engine, parts)
    assert set(found.bounds_seconds) <= {step * 10.0**exponent for exponent in range(-4, 5) for step in (1, 2, 5)}
    for part, counts in zip(parts, found.counts, strict=True):
        of_part = [bisect_right(found.bounds_seconds, one.seconds) - 1 for one in within(week, part)]
        assert list(counts) == [of_part.count(row) for row in range(len(found.bounds_seconds) - 1)]
    for end in (0, -1):
        assert sum(counts[end] for counts in found.counts)


def test_a_long_time_is_mapped_from_rollups(week: Week, engine: Engine) -> None:
    """Each request counts once in its part, and at most a histogram's error beside its row."""
    parts = Period(START * NANO, END * NANO).cut(7)
    found = latency_map(engine, parts, LOGIN)
    for part, counts in zip(parts, found.counts, strict=True):
        seconds = [one.seconds for one in within(week, part, "/api/auth/login")]
        assert sum(counts) == len(seconds)
        for (low, high), count in zip(pairwise(found.bounds_seconds), counts, strict=True):
            surely = sum(low * (1 + RELATIVE_ERROR) <= one < high * (1 - RELATIVE_ERROR) for one in seconds)
            maybe = sum(low * (1 - RELATIVE_ERROR) <= one < high * (1 + RELATIVE_ERROR) for one in seconds)
            assert surely <= count <= maybe


@pytest.mark.parametrize(("count", "tolerance"), [(6, 1e-9), (8, RELATIVE_ERROR)])
def test_the_course_of_one_route_is_that_of_its_requests(
    week: Week, engine: Engine, count: int, tolerance: float
) -> None:
    """The quantiles of six hours are numpy's, those of eight nearly."""
    parts = hours(int(SLOW[0] - START) // 3600 - 3, count)
    for part, told in zip(parts, route_course(engine, parts, LOGIN), strict=True):
        requests = within(week, part, "/api/auth/login")
        seconds = [one.seconds for one in requests]
        assert (told.service, told.method, told.route) == (None, None, None)
        assert (told.requests, told.errors) == (len(requests), sum(one.status >= 500 for one in requests))
        exact = (np.mean(seconds), *np.quantile(seconds, [0.5, 0.95, 0.99]), max(seconds))
        given = (told.mean, told.p50, told.p95, told.p99, told.max)
        assert given == pytest.approx(tuple(map(float, exact)), rel=tolerance)


@pytest.mark.parametrize("count", [2, 48])
@pytest.mark.parametrize("only", [RouteFilter(), RouteFilter(service="' OR 1=1 --"), RouteFilter(method="")])
def test_where_nothing_was_asked_there_is_no_row(engine: Engine, count: int, only: RouteFilter) -> None:
    """A quiet time, a service that is not there: whatever its name, it is compared and never run."""
    parts = hours(-72 if only == RouteFilter() else 12, count)
    assert latency_map(engine, parts, only) == LatencyMap((), ((),) * count)
    assert route_course(engine, parts, only) == [NOTHING] * count


def test_times_that_nobody_expects_have_a_row_too(tmp_path: Path) -> None:
    """None at all, longer than a day, no number; a part may be of any length, and its end is the next one's."""
    start = START * NANO
    times = [(0, 0.0), (9, 0.0001), (10, 3.0e6), (11, None), (11, "fast"), (12, 0.00019)]
    lines = [
        {"time_unix_nano": start + at, "received_unix_nano": start, "route": None, "response_time": seconds}
        for at, seconds in times
    ]
    path = tmp_path / "performance" / "2026-11-16T00.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    parts = [Period(start, start + 10), Period(start + 10, start + 12), Period(start + 12, start + 9000)]
    found = latency_map(Engine(tmp_path), parts, RouteFilter(route=""))
    assert found.bounds_seconds[:3] == (0.0, 0.0001, 0.0002)
    assert found.bounds_seconds[-2:] == (50_000.0, 100_000.0)
    assert [sum(counts) for counts in found.counts] == [2, 1, 1]
    assert [(counts[0], counts[1], counts[-1]) for counts in found.counts] == [(1, 1, 0), (0, 0, 1), (0, 1, 0)]
