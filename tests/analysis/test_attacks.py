"""Recorded lines judged again: each episode with its evidence, and logins that were odd."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from analysis.attacks import Attacks, attacks
from analysis.engine import Engine
from analysis.period import DAY_NANO, HOUR_NANO, NANO, Period
from processors.security.settings import SecuritySettings
from tests.support.attacks import CHROME, FIREFOX
from tests.support.week import ATTACK, ATTACKER, END, START, Week

NOON = 1_795_435_200 * NANO
"""2026-11-23T12:00:00Z."""
HOUR = Period(NOON, NOON + HOUR_NANO)


def login(at: int, user: str, address: str, outcome: str = "failure", agent: str = "") -> dict[str, Any]:
    told = {"user.id": user, "client.address": address, "user_agent.original": agent}
    return {"time_unix_nano": at, "event": "fossa.auth.login", "outcome": outcome, "attributes": told}


def refused(at: int, path: str, address: str = ATTACKER) -> dict[str, Any]:
    told = {"url.path": path, "client.address": address, "http.response.status_code": 404}
    return {"time_unix_nano": at, "end_time_unix_nano": at, "kind": "SERVER", "name": "GET", "attributes": told}


def found(folder: Path, period: Period = HOUR, /, settings: Any = None, **streams: list[dict[str, Any]]) -> Attacks:
    """Of lines that arrived when they happened."""
    for stream, records in streams.items():
        for record in records:
            at = record["time_unix_nano"]
            hour = time.strftime("%Y-%m-%dT%H", time.gmtime(at / NANO))
            path = folder / stream / f"{hour}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            line = {"service": "app", "trace_id": f"{at:032x}", "received_unix_nano": at, **record}
            with path.open("ab") as file:
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    return attacks(Engine(folder), period, SecuritySettings.model_validate(settings or {}), 120.0)


def guesses(start: int, number: int = 8, user: str = "jo", address: str = ATTACKER) -> list[dict[str, Any]]:
    return [login(start + each * 10 * NANO, user, address) for each in range(number)]


def test_an_episode_is_told_from_its_begin_to_its_end_with_evidence(tmp_path: Path) -> None:
    """The first two and the last of those that it is about."""
    others = [login(NOON + each * 7 * NANO, "al", "10.1.1.1", "success") for each in range(5)]
    told = found(tmp_path, security=[*guesses(NOON), *others])
    address, user = told.episodes
    assert (address.rule, address.key, address.severity) == (
        "security.guessing.address",
        {"client.address": ATTACKER},
        "high",
    )
    assert (user.rule, user.key, user.severity) == ("security.guessing.user", {"user.id": "jo"}, "medium")
    for one in told.episodes:
        assert (one.first_unix_nano, one.last_unix_nano) == (NOON + 40 * NANO, NOON + 70 * NANO)
        assert (one.count, one.sightings) == (8, 8)
        assert [(seen.time_unix_nano - NOON) // NANO for seen in one.evidence] == [0, 10, 70]
        assert {seen.user for seen in one.evidence} == {"jo"}
    assert (address.summary, user.summary) == (f"8 failed logins from {ATTACKER}", "8 failed logins as jo")


def test_episodes_apart_are_two_and_the_worst_comes_first(tmp_path: Path) -> None:
    """Then the latest."""
    got_in = login(NOON + 100 * NANO, "jo", ATTACKER, "success")
    told = found(tmp_path, security=[*guesses(NOON), got_in, *guesses(NOON + 2400 * NANO)])
    assert [(one.rule.removeprefix("security."), (one.last_unix_nano - NOON) // NANO) for one in told.episodes] == [
        ("breach", 100),
        ("guessing.address", 2470),
        ("guessing.address", 70),
        ("guessing.user", 2470),
        ("guessing.user", 70),
    ]
    breach = told.episodes[0]
    assert (breach.key, breach.count) == ({"user.id": "jo", "client.address": ATTACKER}, 8)
    assert [seen.outcome for seen in breach.evidence] == ["failure", "failure", "success"]


def test_only_what_was_in_the_period_is_told(tmp_path: Path) -> None:
    """Of what began before it and went on the whole; nothing of the day before, nothing after."""
    security = [
        *guesses(NOON - DAY_NANO, user="before"),
        *guesses(NOON - 50 * NANO, user="across"),
        *guesses(NOON + HOUR_NANO, user="after"),
    ]
    told = found(tmp_path, security=security)
    assert {one.key.get("user.id") for one in told.episodes} == {"across", None}
    across = next(one for one in told.episodes if one.key.get("user.id") == "across")
    assert (across.first_unix_nano, across.count) == (NOON - 10 * NANO, 8)


def test_habits_are_those_of_the_four_weeks_before(tmp_path: Path) -> None:
    """A place that was known three weeks ago is, one of five weeks ago is not."""
    weeks = {"lately": 3, "long ago": 5}
    for name, ago in weeks.items():
        start = NOON - ago * 7 * DAY_NANO
        known = [login(start + each * HOUR_NANO, "jo", "10.1.1.1", "success") for each in range(2)]
        told = found(tmp_path / name, security=[*known, *guesses(NOON, address="10.1.1.1")])
        rules = {one.rule for one in told.episodes}
        assert rules == {"security.guessing.user"} | ({"security.guessing.address"} if name == "long ago" else set())


def test_new_places_are_told_and_other_odd_logins_beside_them(tmp_path: Path) -> None:
    """The latest first; what is as always is not told, nor is the first login of somebody new."""
    daily = [
        login(NOON - day * DAY_NANO, user, "10.1.1.1", "success", CHROME) for user in ("jo", "al") for day in range(25)
    ]
    odd = [
        login(NOON + 60 * NANO, "al", "10.9.9.9", "success", CHROME),
        login(NOON + 120 * NANO, "jo", ATTACKER, "success", FIREFOX),
        login(NOON + 180 * NANO, "new", ATTACKER, "success", FIREFOX),
    ]
    told = found(tmp_path, security=[*daily, *odd])
    assert [(one.rule, one.key["user.id"]) for one in told.episodes] == [("security.new_place", "jo")]
    assert [(one.user, one.new_network, one.new_family, one.usual) for one in told.logins] == [
        ("jo", True, True, True),
        ("al", True, False, True),
    ]


def test_refused_requests_come_from_traces(tmp_path: Path) -> None:
    """Of the period; clients' own requests to others are none, nor are answers that are fine."""
    scan = [refused(NOON + each * NANO, f"/.git/{each}?token=secret") for each in range(45)]
    before = [refused(NOON - 1000 * NANO + each * NANO, f"/{each}", "10.1.1.1") for each in range(50)]
    ours = [{**refused(NOON + each * NANO, f"/{each}", "10.2.2.2"), "kind": "CLIENT"} for each in range(50)]
    fine = [refused(NOON + each * NANO, f"/{each}", "10.3.3.3") for each in range(50)]
    for one in fine:
        one["attributes"]["http.response.status_code"] = 200
    told = found(tmp_path, traces=[*scan, *before, *ours, *fine])
    (episode,) = told.episodes
    assert (episode.rule, episode.key, episode.distinct) == ("security.scanning", {"client.address": ATTACKER}, 45)
    assert episode.evidence[0].label("url.path") == "/.git/0"


def test_rules_of_your_own_read_business_events(tmp_path: Path) -> None:
    """With the key that they name."""
    refunds = [
        {
            "time_unix_nano": NOON + each * NANO,
            "event": "shop.refund",
            "outcome": "success",
            "attributes": {"shop": "n"},
        }
        for each in range(4)
    ]
    own = {"shop.refunds": {"event": "shop.refund", "by": ["shop"], "count": 3, "severity": "low"}}
    told = found(tmp_path, HOUR, {"rules": own}, business=refunds)
    assert [(one.rule, one.key, one.count) for one in told.episodes] == [("shop.refunds", {"shop": "n"}, 4)]
    assert told.descriptions["shop.refunds"].bounds == (">= 3 within 15min",)


def test_rules_that_are_off_and_addresses_that_are_allowed_are_not_told(tmp_path: Path) -> None:
    settings = {"allow": {"addresses": [ATTACKER]}, "rules": {"security.guessing.user": {"enabled": False}}}
    told = found(tmp_path, HOUR, settings, security=guesses(NOON))
    assert (told.episodes, "security.guessing.user" in told.descriptions) == ([], False)


def test_nothing_recorded_is_no_attack(tmp_path: Path) -> None:
    told = found(tmp_path)
    assert (told.episodes, told.logins) == ([], [])


@pytest.mark.untraced
def test_thousands_of_episodes_are_told_in_seconds(tmp_path: Path) -> None:
    """A botnet: a thousand users, five tries each."""
    security = [login(NOON + each * NANO // 20, f"u{each % 1000}", f"10.1.{each % 250}.1") for each in range(5_000)]
    started = time.process_time()
    told = found(tmp_path, security=security)
    assert time.process_time() - started < 20
    assert sum(one.rule == "security.guessing.user" for one in told.episodes) == 1000


def test_the_recorded_week_has_its_attack(week: Week, engine: Engine) -> None:
    """Sixty failures of one address at three users, then a success, and nothing else in seven days."""
    assert week.logs.is_dir()
    told = attacks(engine, Period(START * NANO, END * NANO), SecuritySettings(), 120.0)
    assert [(one.rule.removeprefix("security."), *one.key.values(), one.count) for one in told.episodes] == [
        ("breach", "user-1", ATTACKER, 60),
        ("guessing.address", ATTACKER, 60),
        ("guessing.user", "user-2", 20),
        ("guessing.user", "user-1", 20),
        ("guessing.user", "user-0", 20),
    ]
    assert [(one.user, one.time_unix_nano) for one in told.logins] == [("user-1", (ATTACK + 700) * NANO)]


def test_a_spike_is_told_by_the_detector_of_the_weeks_before(tmp_path: Path) -> None:
    """Forty people fail once each, wherever from; a week of a failure an hour went before. A young app has no spike."""
    crowd = [login(NOON + each * NANO, f"u{each % 7}", f"10.9.{each}.1") for each in range(40)]
    week = [
        login(NOON - hour * HOUR_NANO - 60 * NANO, f"w{hour}", f"10.8.{hour % 200}.1") for hour in range(8 * 24, 0, -1)
    ]
    told = found(tmp_path / "old", security=[*week, *crowd])
    (spike,) = [one for one in told.episodes if one.rule == "security.failed_logins.spike"]
    assert (spike.key, spike.severity, spike.count) == ({"service.name": "app"}, "high", 40)
    assert spike.summary == "40 failed logins within 5 minutes, far more than usual"
    young = found(tmp_path / "young", security=crowd)
    assert "security.failed_logins.spike" not in {one.rule for one in young.episodes}
