"""What each default rule may cry wolf at, as docs/security.md tells it, and the same with a real attack beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from processors.anomalies.point import Point
from processors.security.default_rules import DEFAULT_RULES
from processors.security.settings import SecuritySettings
from processors.security.sighting import Sighting
from tests.support.attacks import CHROME, FIREFOX, Watch, at, login, seen
from tests.support.traffic import judged

HOUR, DAY = 3600, 86_400
OFFICE, HOME, ATTACKER = "192.0.2.10", "198.51.100.20", "203.0.113.7"
MIB = 1 << 20
STAFF = [f"user-{number}" for number in range(30)]
TOLD: set[str] = set()
"""The rules that have a story here."""


def story(*rules: str) -> None:
    TOLD.update(f"security.{rule}" for rule in rules)


def worked(address: str = OFFICE, users: Iterable[str] = STAFF, days: int = 20) -> list[Sighting]:
    """Everybody logs in once a day there, up to the day before."""
    chrome = {"user_agent.original": CHROME}
    return [
        login(day * DAY + number, user, address, failed=False, **chrome)
        for day in range(-days, 0)
        for number, user in enumerate(users)
    ]


def rules_of(*courses: Iterable[Sighting], **settings: Any) -> set[str]:
    """Without the prefix that all have."""
    every = sorted((one for course in courses for one in course), key=lambda one: one.time_unix_nano)
    fired = judged(every, SecuritySettings.model_validate(settings)).fired
    return {one.rule.removeprefix("security.") for one in fired}


def morning(tries: int, step: float = 15, address: str = OFFICE) -> list[Sighting]:
    """All thirty behind one address mistype so often, and then get in."""
    found = []
    for number, user in enumerate(STAFF):
        moments = [number * 10 + each * step for each in range(tries + 1)]
        found += [login(moment, user, address) for moment in moments[:-1]]
        found.append(login(moments[-1], user, address, failed=False, **{"user_agent.original": CHROME}))
    return found


def guesses(number: int = 12, user: str = "user-3", address: str = ATTACKER, step: float = 20) -> list[Sighting]:
    return [login(100 + each * step, user, address) for each in range(number)]


story("guessing.address", "spraying", "spraying.slow", "stuffing")


def test_thirty_people_behind_one_address_are_no_attack() -> None:
    """The day on which every password has expired: four tries each, from where they always are."""
    assert rules_of(worked(), morning(4)) == set()


def test_an_attacker_behind_that_address_is_one() -> None:
    """Who tries other people's names from the office is not known there as them."""
    strangers = [login(100 + number * 10, f"admin-{number % 6}", OFFICE) for number in range(18)]
    assert rules_of(worked(), morning(2), strangers) == {"guessing.address", "spraying"}


def test_a_new_office_is_one_for_an_hour_unless_it_is_allowed() -> None:
    """The story where an alert comes: nobody is known there yet. The remedy names the address before the move."""
    moved = morning(1, address="198.51.100.77")
    fired = {"guessing.address", "spraying", "spraying.slow", "stuffing", "breach"}
    assert rules_of(worked(), moved) == fired
    allowed = {"allow": {"addresses": ["198.51.100.77"]}}
    assert rules_of(worked(), moved, **allowed) == {"stuffing"}
    assert rules_of(worked(), moved, guesses(), **allowed) == {"stuffing", "guessing.user", "guessing.address"}
    quiet = {"rules": {"security.stuffing": {"except": ["client.address = 198.51.100.77"]}}}
    assert rules_of(worked(), moved, **allowed, **quiet) == set()


def test_an_outage_of_the_identity_provider_is_no_stuffing() -> None:
    """Everybody fails once or twice, wherever they usually are."""
    homes = [worked(f"10.{number}.0.7", [user]) for number, user in enumerate(STAFF)]
    failing = [
        login(number * 20 + each * 60, user, f"10.{number}.0.7") for number, user in enumerate(STAFF) for each in (0, 1)
    ]
    assert rules_of(*homes, failing) == set()
    stolen = [login(number * 20, f"leaked-{number}", f"10.{100 + number}.0.1") for number in range(20)]
    assert rules_of(*homes, failing, stolen) == {"stuffing"}


story("guessing.user")


def test_a_password_manager_that_tries_the_old_password_is_told_as_one_user() -> None:
    """A1 counts whoever fails: medium, once. The remedy leaves that browser out, and guesses still count."""
    safari = {"user_agent.original": "Mozilla/5.0 (iPhone) AppleWebKit/605 Version/18.0 Mobile/15E148 Safari/604.1"}
    retried = [login(each * 120, "user-3", HOME, **safari) for each in range(60)]
    at_home = worked(HOME, ["user-3"])
    assert rules_of(at_home, retried) == {"guessing.user"}
    remedy = {"rules": {"security.guessing.user": {"except": ["user_agent.original =~ '.*iPhone.*'"]}}}
    assert rules_of(at_home, retried, **remedy) == set()
    assert rules_of(at_home, retried, guesses(), **remedy) == {"guessing.user", "guessing.address"}


def test_a_health_checker_whose_password_has_expired_is_told_until_it_is_let_alone() -> None:
    """It knocks every minute, from an address that is its own."""
    checks = [login(each * 60, "checker", "10.0.0.5", **{"user_agent.original": "uptime/2.1"}) for each in range(60)]
    assert rules_of(checks) == {"guessing.user", "guessing.address"}
    remedy = {"allow": {"user_agents": ["^uptime/"]}}
    assert rules_of(checks, **remedy) == set()
    assert rules_of(checks, guesses(user="checker"), **remedy) == {"guessing.user", "guessing.address"}


story("breach")


def test_who_remembers_the_password_at_last_is_no_breach_where_they_are_known() -> None:
    """At home it is silent, on the road it is told: that is what an attacker would look like."""
    chrome = {"user_agent.original": CHROME}
    tries = [login(each * 10, "user-3", HOME) for each in range(7)]
    got_in = [login(100, "user-3", HOME, failed=False, **chrome)]
    assert rules_of(worked(HOME, ["user-3"]), tries, got_in) == {"guessing.user"}
    on_the_road = [login(each * 10, "user-3", "10.5.5.5") for each in range(7)]
    there = [login(100, "user-3", "10.5.5.5", failed=False, **chrome)]
    told = {"guessing.user", "guessing.address", "breach"}
    assert rules_of(worked(HOME, ["user-3"]), on_the_road, there) == told
    remedy = {"rules": {"security.breach": {"except": ["client.address =~ '10\\..*'"]}}}
    assert rules_of(worked(HOME, ["user-3"]), on_the_road, there, **remedy) == told - {"breach"}
    attacker = [login(400, "user-3", ATTACKER, failed=False, **chrome)]
    assert "breach" in rules_of(worked(HOME, ["user-3"]), on_the_road, there, guesses(), attacker, **remedy)


story("guessing.distributed")


def test_a_phone_on_a_train_is_not_guessing_from_everywhere() -> None:
    """Each cell is another address: told beyond nine tries within an hour; the remedy asks for more addresses."""
    few = [login(each * 60, "user-3", f"10.{each}.0.9") for each in range(4)]
    assert rules_of(worked(), few) == set()
    many = [login(each * 200, "user-3", f"10.{each % 6}.0.9") for each in range(12)]
    assert rules_of(worked(), many) == {"guessing.distributed", "guessing.user"}
    remedy = {"rules": {"security.guessing.distributed": {"distinct_count": 8}}}
    assert rules_of(worked(), many, **remedy) == {"guessing.user"}
    everywhere = [login(each * 200, "user-3", f"10.{each}.0.9") for each in range(12)]
    assert "guessing.distributed" in rules_of(worked(), everywhere, **remedy)


story("failed_logins.spike")


def test_an_outage_is_a_spike_once_and_less_than_that_is_none() -> None:
    """Thirty people who fail at once are far more than usual: one alert. A Monday's nineteen typos are not."""

    def fired(*points: tuple[float, float, float], **settings: Any) -> list[str]:
        watch = Watch(**settings)
        for moment, score, failures in points:
            watch.advance(at(moment))
            watch.judging.spikes(
                Point("failed_logins", (("service.name", "app"),), at(moment), failures, score, learning=False)
            )
            watch.advance(at(moment + 10))
        return watch.of("security.failed_logins.spike")

    outage = [(0.0, 0.95, 30.0), (300.0, 0.97, 45.0), (600.0, 0.9, 28.0)]
    assert fired((0, 0.99, 19)) == []
    assert fired(*outage) == ["10 firing high"]
    remedy = {"rules": {"security.failed_logins.spike": {"count": 60}}}
    assert fired(*outage, **remedy) == []
    assert fired(*outage, (900, 0.99, 400), **remedy) == ["910 firing high"]


story("new_place")


def test_a_journey_and_a_new_computer_are_nothing_but_both_at_once_are_told() -> None:
    """Low: the remedy names the hotel, or the user who travels."""
    chrome, firefox = {"user_agent.original": CHROME}, {"user_agent.original": FIREFOX}
    hotel = [login(0, "user-3", "10.8.8.8", failed=False, **chrome)]
    computer = [login(0, "user-3", OFFICE, failed=False, **firefox)]
    both = [login(0, "user-3", "10.8.8.8", failed=False, **firefox)]
    assert rules_of(worked(), hotel, computer) == set()
    assert rules_of(worked(), both) == {"new_place"}
    remedy = {"rules": {"security.new_place": {"except": ["client.address = 10.8.8.8"]}}}
    assert rules_of(worked(), both, **remedy) == set()
    thief = [login(60, "user-5", ATTACKER, failed=False, **firefox)]
    assert rules_of(worked(), both, thief, **remedy) == {"new_place"}


def export(seconds: float, size: int, user: str = "user-9") -> Sighting:
    return seen("data.export", seconds, "success", **{"user.id": user, "http.response.body.size": size})


story("export.volume")


@pytest.mark.untraced
def test_a_large_export_every_week_is_learnt_after_the_second() -> None:
    """Two alerts, or none where the bound is set; ten times as much is told."""
    weekly = [export(-DAY * 7 * week, 400 * MIB) for week in range(2, -1, -1)]
    watch = Watch()
    watch.tick = at(-20 * DAY)
    watch.feed(weekly, DAY / 2)
    assert watch.of("security.export.volume") == [
        f"{-14 * DAY + 10} firing high",
        f"{-13 * DAY + 10} resolved high",
        f"{-7 * DAY + 10} firing high",
        f"{-6 * DAY + 10} resolved high",
    ]
    remedy = {"rules": {"security.export.volume": {"above": "500MiB"}}}
    assert rules_of(weekly, **remedy) == set()
    assert rules_of(weekly, [export(HOUR, 4000 * MIB)], **remedy) == {"export.volume"}


story("export.count")


def test_the_end_of_the_month_is_twenty_exports_and_a_script_is_more() -> None:
    """A script of the company's own that fetches a hundred is told; the remedy names its user."""
    month = [export(number * 20, 1000) for number in range(24)]
    assert rules_of(month) == set()
    script = [export(number * 2, 1000, "reports") for number in range(100)]
    assert rules_of(month, script) == {"export.count"}
    remedy = {"rules": {"security.export.count": {"except": ["user.id = reports"]}}}
    assert rules_of(month, script, **remedy) == set()
    thief = [export(number * 2, 1000, "user-4") for number in range(100)]
    assert rules_of(month, script, thief, **remedy) == {"export.count"}


def limited(seconds: float, address: str = OFFICE) -> Sighting:
    return seen("rate_limit.exceeded", seconds, **{"client.address": address})


story("rate_limit")


def test_a_dashboard_that_asks_too_often_is_learnt_after_a_week() -> None:
    """Thirty refusals at once are told in the first week, and then those of an attacker only."""
    first_day = [limited(-10 * DAY + each) for each in range(30)]
    assert rules_of(first_day) == {"rate_limit"}
    daily = [limited(day * DAY + each) for day in range(-19, 0) for each in range(15)]
    usual = [limited(each) for each in range(60)]
    assert rules_of(daily, usual) == set()
    hammering = [limited(each, ATTACKER) for each in range(60)]
    assert rules_of(daily, usual, hammering) == {"rate_limit"}


def refused(seconds: float, path: str, address: str = OFFICE, route: str = "") -> Sighting:
    labels = {"client.address": address, "url.path": path, "http.route": route}
    return seen("http.refusal", seconds, "failure", **labels)


story("scanning")


def test_dead_links_are_no_scan_and_an_ended_session_is_none_with_its_remedy() -> None:
    """The same pictures for thirty people; a list of fifty orders after the session has ended is told."""
    pictures = [refused(each, f"/pictures/{each % 20}.png") for each in range(600)]
    health = [refused(each, "/health", "10.0.0.5") for each in range(0, 7200, 10)]
    assert rules_of(pictures, health) == set()
    orders = [refused(each / 10, f"/work-orders/{each}", route="/work-orders/{number}") for each in range(50)]
    assert rules_of(pictures, orders) == {"scanning"}
    remedy = {"rules": {"security.scanning": {"except": ["http.route =~ '.+'"]}}}
    assert rules_of(pictures, orders, **remedy) == set()
    scan = [refused(each, f"/.git/{each}", ATTACKER) for each in range(50)]
    assert rules_of(pictures, orders, scan, **remedy) == {"scanning"}


def test_scanning_does_not_look_like_failed_logins() -> None:
    """That backend answers 401 to every unknown path."""
    scan = [refused(each / 2, f"/{each}", ATTACKER) for each in range(500)]
    assert rules_of(scan) == {"scanning"}


def test_every_default_rule_has_a_story() -> None:
    assert set(DEFAULT_RULES) == TOLD


@pytest.mark.parametrize("agents", [["^uptime/"], ["uptime"]])
def test_whoever_sends_an_allowed_user_agent_is_not_looked_at(agents: list[str]) -> None:
    """As docs/security.md warns: an attacker who knows it is invisible."""
    hidden = [login(each, "user-3", ATTACKER, **{"user_agent.original": "uptime/2.1"}) for each in range(60)]
    assert rules_of(hidden, allow={"user_agents": agents}) == set()
