"""Who got in after failing, and who failed: by address and user, in any order of what else happened."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from analysis.availability import availability, gaps
from analysis.engine import Engine
from analysis.failed_logins import Failure, failed_logins
from analysis.period import HOUR_NANO, MINUTE_NANO, NANO, Period
from analysis.requests import response_times
from analysis.security import logins as logins_by
from analysis.security import suspicions

START = 1_795_435_200 * NANO
"""2026-11-23T12:00:00Z."""
PERIOD = Period(START, START + HOUR_NANO)


def put(folder: Path, stream: str, *records: dict[str, object]) -> Engine:
    path = folder / stream / "2026-11-23T12.jsonl"
    path.parent.mkdir(parents=True)
    lines = [{"service": "app", "received_unix_nano": START, **one} for one in records]
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    return Engine(folder)


def logins(folder: Path, *tries: tuple[str, str]) -> Engine:
    """Outcome and user, a second after each other, all from one address."""
    return put(
        folder,
        "security",
        *(
            {
                "time_unix_nano": START + number * NANO,
                "event": "auth.login",
                "outcome": outcome,
                "attributes": {"client.address": "192.0.2.1", "user.id": user},
            }
            for number, (outcome, user) in enumerate(tries)
        ),
    )


FAILURES = [("failure", "admin")] * 6


@pytest.mark.parametrize(
    ("tries", "expected"),
    [
        ([*FAILURES, ("success", "admin")], [(6, "then in as admin")]),
        ([("success", "eve"), *FAILURES, ("success", "admin")], [(6, "then in as admin")]),
        ([("success", "eve"), *FAILURES], []),
        ([*FAILURES[:3], ("success", "eve"), *FAILURES[:4], ("success", "eve")], []),
        ([*FAILURES, ("success", "eve"), *FAILURES * 2, ("success", "bob")], [(12, "then in as bob")]),
    ],
)
def test_a_breach_is_a_login_after_failures(
    tmp_path: Path, tries: list[tuple[str, str]], expected: list[tuple[int, str]]
) -> None:
    """Since the address got in last; a success before them is none."""
    found = suspicions(logins(tmp_path, *tries), PERIOD, 5, 900.0)
    breaches = [(one.count, one.detail) for one in found if one.kind == "login after many failures"]
    assert breaches == expected


def test_an_address_is_one_however_it_is_written_and_the_window_has_both_its_ends() -> None:
    """`::ffff:192.0.2.1` is 192.0.2.1, and failures exactly 15 minutes apart are within 15 minutes."""
    times = [START + number * 225 * NANO for number in range(5)]
    addresses = ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:192.0.2.1", "192.0.2.1", "192.0.2.1"]
    told = [Failure(time, address, "") for time, address in zip(times, addresses, strict=True)]
    assert [(one.key, one.failures) for one in failed_logins(told)] == [("192.0.2.1", 5)]
    assert failed_logins([*told[:4], Failure(times[-1] + 1, "192.0.2.1", "")]) == []


def test_logins_of_an_address_are_together_however_it_is_written(tmp_path: Path) -> None:
    """A breach is seen behind both forms too."""
    tried = [("192.0.2.1", "failure")] * 3 + [("::ffff:192.0.2.1", "failure")] * 2 + [("::FFFF:192.0.2.1", "success")]
    told = [{"outcome": outcome, "attributes": {"client.address": address}} for address, outcome in tried]
    events = ({"time_unix_nano": START + at, "event": "auth.login", **one} for at, one in enumerate(told))
    engine = put(tmp_path, "security", *events)
    assert [(one.key, one.failures, one.successes) for one in logins_by(engine, PERIOD)] == [("192.0.2.1", 5, 1)]
    breach, *_ = suspicions(engine, PERIOD, 5, 900.0)
    assert (breach.kind, breach.key, breach.count) == ("login after many failures", "192.0.2.1", 5)


def test_a_look_counts_until_the_next_and_at_most_five_minutes(tmp_path: Path) -> None:
    """And two outages with a good look between them are two."""
    looks = [(0, True), (20, False), (21, True), (22, False), (23, True)]
    engine = put(
        tmp_path,
        "health",
        *({"time_unix_nano": START + at * MINUTE_NANO, "target": "backend", "healthy": up} for at, up in looks),
    )
    (backend,) = availability(engine, PERIOD)
    assert (backend.watched_seconds, backend.down_seconds) == (300 + 3 * 60 + 300, 120)
    assert [(one.end_unix_nano - one.start_unix_nano) // MINUTE_NANO for one in backend.outages] == [1, 1]


def test_a_look_that_says_nothing_is_no_outage(tmp_path: Path) -> None:
    """As in a line that is damaged: then nobody knows."""
    looks: list[dict[str, object]] = [{"healthy": True}, {"healthy": None}, {"healthy": True, "target": None}]
    engine = put(tmp_path, "health", *({"time_unix_nano": START, "target": "backend", **one} for one in looks))
    (backend,) = availability(engine, PERIOD)
    assert (backend.target, backend.watched_seconds, backend.down_seconds, backend.outages) == ("backend", 300, 0, ())


def test_a_user_without_an_address_has_none(tmp_path: Path) -> None:
    """What is not told is no address of somebody."""
    told = [{"user.id": "anna"}, {"user.id": "bob", "client.address": "192.0.2.1"}, {"user.id": "bob"}]
    failed: list[dict[str, object]] = [{"event": "auth.login", "outcome": "failure", "attributes": one} for one in told]
    engine = put(tmp_path, "security", *failed)
    found = {one.key: (one.failures, one.others) for one in logins_by(engine, PERIOD, by_user=True)}
    assert found == {"bob": (2, 1), "anna": (1, 0)}


def test_only_whole_hours_of_the_period_are_gaps(tmp_path: Path) -> None:
    engine = put(tmp_path, "rollups", {"time_unix_nano": START + 2 * HOUR_NANO, "indicator": "x"})
    found = gaps(engine, Period(START - HOUR_NANO // 2, START + 3 * HOUR_NANO))
    assert found == [Period(START, START + 2 * HOUR_NANO)]


def test_a_request_without_a_response_has_failed(tmp_path: Path) -> None:
    """And one without a time is counted nowhere that reckons with times."""
    base = {"time_unix_nano": START, "method": "GET", "route": "/", "response_time": 0.1}
    engine = put(tmp_path, "performance", {**base, "status_code": None}, {**base, "status_code": 200}, base)
    whole, _ = response_times(engine, PERIOD)
    assert (whole.requests, whole.errors) == (3, 2)
    broken = put(tmp_path / "odd", "performance", {**base, "response_time": "x"}, base)
    assert response_times(broken, Period(START - 24 * HOUR_NANO, START + HOUR_NANO))[0].requests == 1
