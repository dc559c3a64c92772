"""Each rule at its bound, where it begins and ends, and what the operator may change about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from processors.anomalies.point import Point
from processors.security.default_rules import DEFAULT_RULES
from processors.security.sighting import Sighting, sighting
from tests.support.attacks import CHROME, FIREFOX, LATENESS, Watch, at, login, seen

MINUTE, HOUR, DAY = 60, 3600, 86_400
ATTACKER = "203.0.113.7"
MIB = 1 << 20


def export(seconds: float, size: Any, user: str = "jo") -> Sighting:
    return seen("data.export", seconds, "success", **{"user.id": user, "http.response.body.size": size})


def limited(seconds: float, address: str = ATTACKER) -> Sighting:
    return seen("rate_limit.exceeded", seconds, **{"client.address": address})


def refused(seconds: float, path: str, address: str = ATTACKER) -> Sighting:
    return seen("http.refusal", seconds, "failure", **{"client.address": address, "url.path": path})


def failures(number: int, step: float = 10, **given: Any) -> list[Sighting]:
    return [login(step * each, **given) for each in range(number)]


_SETTLED = LATENESS + 20
"""After it the patient rules have judged, too."""


class Bound(NamedTuple):
    """So many are silent by one less; `window` is the time within which they have to come."""

    rule: str
    number: int
    window: float
    severity: str
    technique: str
    one: Callable[[float, int], Sighting]
    """A sighting at that moment, by its number."""


BOUNDS = [
    Bound("guessing.user", 5, 900, "medium", "T1110.001", lambda s, n: login(s, "jo", f"10.1.{n}.1")),
    Bound("guessing.address", 5, 900, "high", "T1110", lambda s, n: login(s, f"u{n}", ATTACKER)),
    Bound("spraying", 10, 900, "high", "T1110.003", lambda s, n: login(s, f"u{n % 5}", ATTACKER)),
    Bound("spraying.slow", 10, DAY, "high", "T1110.003", lambda s, n: login(s, f"u{n}", ATTACKER)),
    Bound("stuffing", 15, 900, "high", "T1110.004", lambda s, n: login(s, f"u{n}", f"10.1.{n}.1")),
    Bound("guessing.distributed", 10, HOUR, "high", "T1110.001", lambda s, n: login(s, "jo", f"10.1.{n % 5}.1")),
    Bound("export.count", 25, 600, "high", "T1567", lambda s, _: export(s, 1)),
    Bound("rate_limit", 20, 300, "medium", "T1499", lambda s, _: limited(s)),
    Bound("scanning", 40, 300, "medium", "T1595.003", lambda s, n: refused(s, f"/{n}")),
    Bound("export.volume", 11, DAY, "high", "T1567", lambda s, _: export(s, 10 * MIB)),
]


def course(bound: Bound, number: int, span: float) -> list[Sighting]:
    """Spread evenly over so many seconds, the first and the last at its ends."""
    return [bound.one(span * each / (number - 1), each) for each in range(number)]


def severities(watch: Watch, rule: str) -> list[str]:
    return [one.severity for one in watch.fired if one.rule == f"security.{rule}"]


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda one: one.rule)
def test_a_rule_is_silent_below_its_bound_and_fires_at_it(bound: Bound) -> None:
    """As many as fit within the window, both its ends included; labelled with MITRE's number."""
    below = Watch().feed(course(bound, bound.number - 1, bound.window), bound.window + _SETTLED)
    assert severities(below, bound.rule) == []
    at_it = Watch().feed(course(bound, bound.number, bound.window), bound.window + _SETTLED)
    assert severities(at_it, bound.rule) == [bound.severity]
    described = {one.name: one for one in at_it.judging.descriptions}[f"security.{bound.rule}"]
    assert described.labels == {"category": "security", "mitre_attack_id": bound.technique}


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda one: one.rule)
def test_what_is_spread_over_more_than_the_window_is_not_together(bound: Bound) -> None:
    """A second longer."""
    wide = Watch().feed(course(bound, bound.number, bound.window + 1), bound.window + _SETTLED)
    assert severities(wide, bound.rule) == []


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda one: one.rule)
def test_an_alert_is_told_once_ends_after_a_whole_window_and_begins_anew(bound: Bound) -> None:
    """While it lasts there is one; the next episode is another."""
    span = min(bound.window, 200.0)
    first = course(bound, 3 * bound.number, span)
    until = span + bound.window
    told = Watch().feed(first, until)
    rule = f"security.{bound.rule}"
    assert [text.split()[1] for text in told.of(rule)] == ["firing"]
    told.feed([], until + 20)
    assert [text.split()[1] for text in told.of(rule)] == ["firing", "resolved"]
    later = until + bound.window
    again = [bound.one(later + span * each / bound.number, each) for each in range(2 * bound.number)]
    told.feed(again, later + span + _SETTLED)
    assert [text.split()[1] for text in told.of(rule)] == ["firing", "resolved", "firing"]


def test_fifty_failures_of_an_address_are_worse() -> None:
    """The same alert becomes critical; it is not told twice as high."""
    told = Watch().feed(failures(60, user="jo", address=ATTACKER), 700)
    assert told.of("security.guessing.address") == ["50 firing high", "500 firing critical"]


@pytest.mark.parametrize("user", ["jo", "someone else"])
def test_a_success_after_guessing_is_a_breach(user: str) -> None:
    """Of the guessed user from wherever, or of anybody at the guesser's address; for fifteen minutes after."""
    guesses = failures(5, user="jo", address=ATTACKER)
    inside = Watch().feed([*guesses, login(40 + 900, user, ATTACKER, failed=False)], 1000)
    assert inside.of("security.breach") == ["950 firing critical"]
    outside = Watch().feed([*guesses, login(40 + 901, user, ATTACKER, failed=False)], 1000)
    assert outside.of("security.breach") == []
    fewer = Watch().feed([*guesses[1:], login(60, user, ATTACKER, failed=False)], 1000)
    assert fewer.of("security.breach") == []


def test_a_breach_from_elsewhere_is_one_of_the_guessed_user_only() -> None:
    """The list is guessed from one address and used from another."""
    guesses = failures(5, user="jo", address=ATTACKER)
    told = Watch().feed(
        [*guesses, login(60, "jo", "10.9.9.9", failed=False), login(61, "al", "10.9.9.8", failed=False)]
    )
    told.advance(at(100))
    breaches = [one.key for one in told.fired if one.rule == "security.breach"]
    assert breaches == [("jo", "10.9.9.9")]


def test_a_login_before_the_failures_is_no_breach() -> None:
    """Who got in and then mistypes, or is guessed at, has not been found out."""
    before = [login(0, "jo", ATTACKER, failed=False), login(25, "jo", ATTACKER, failed=False)]
    guesses = [login(10 + each * 10, "jo", ATTACKER) for each in range(6)]
    told = Watch().feed(sorted([*before, *guesses], key=lambda one: one.time_unix_nano), 200)
    assert told.rules == {"security.guessing.user", "security.guessing.address"}


def test_a_breach_is_seen_whichever_of_its_events_arrives_first() -> None:
    """Two workers export every few seconds: the login may come before the failures that it follows."""
    guesses = failures(200, 0.1, user="jo", address=ATTACKER)
    got_in = login(3, "jo", ATTACKER, failed=False)
    told = Watch().feed([*guesses[100:], got_in, *guesses[:100]], 60)
    assert told.of("security.breach") == ["20 firing critical"]


def known(logins: int, days: float, address: str = "192.0.2.1", agent: str = CHROME) -> list[Sighting]:
    """Somebody who has logged in so often since."""
    moments = (-days * DAY + each * HOUR for each in range(logins))
    return [login(moment, address=address, failed=False, **{"user_agent.original": agent}) for moment in moments]


@pytest.mark.parametrize(
    ("before", "address", "agent", "fires"),
    [
        (known(5, 15), ATTACKER, FIREFOX, True),
        (known(4, 15), ATTACKER, FIREFOX, False),
        (known(5, 13), ATTACKER, FIREFOX, False),
        (known(5, 15), "192.0.2.200", FIREFOX, False),
        (known(5, 15), ATTACKER, CHROME, False),
        (known(5, 15, agent=""), ATTACKER, FIREFOX, False),
        (known(5, 15, address=""), ATTACKER, FIREFOX, False),
    ],
    ids=["new", "four logins", "thirteen days", "known network", "known browser", "no browser yet", "no network yet"],
)
def test_a_place_is_new_when_network_and_browser_are(
    before: list[Sighting], address: str, agent: str, fires: object
) -> None:
    """For somebody who is known for two weeks; where an app begins to tell addresses nobody is new."""
    watch = Watch()
    watch.tick = at(-15 * DAY)
    watch.feed([*before, login(0, address=address, failed=False, **{"user_agent.original": agent})], 200)
    assert severities(watch, "new_place") == (["low"] if fires else [])


def test_a_login_at_an_unusual_hour_is_told_beside_what_else_is_odd() -> None:
    """By itself it is no alert."""
    chrome, firefox = {"user_agent.original": CHROME}, {"user_agent.original": FIREFOX}
    daily = [login(day * DAY, address="192.0.2.1", failed=False, **chrome) for day in range(-20, 0)]
    at_home, elsewhere = Watch(), Watch()
    at_home.tick = elsewhere.tick = at(-20 * DAY)
    at_home.feed([*daily, login(12 * HOUR, address="192.0.2.1", failed=False, **chrome)], 13 * HOUR)
    assert at_home.fired == []
    elsewhere.feed([*daily, login(12 * HOUR, address=ATTACKER, failed=False, **firefox)], 12 * HOUR + 200)
    place = "203.0.113.0/24, Firefox, at an hour at which jo hardly ever logs in"
    told = f"jo logged in from a new network with a new browser; {place}"
    assert [one.summary for one in elsewhere.transitions] == [told]


def point(value: float = 20, score: float = 0.8, watch: str = "failed_logins", *, learning: bool = False) -> Point:
    return Point(watch, (("service.name", "app"),), at(0), value, score, learning)


@pytest.mark.parametrize(
    ("given", "fires"),
    [
        (point(), True),
        (point(value=19), False),
        (point(score=0.79), False),
        (point(watch="requests"), False),
        (point(learning=True), False),
    ],
    ids=["at its bounds", "too few", "too usual", "something else", "still learning"],
)
def test_a_spike_is_one_by_score_and_number(given: Point, fires: object) -> None:
    watch = Watch()
    watch.judging.spikes(given)
    watch.advance(at(20))
    assert severities(watch, "failed_logins.spike") == (["high"] if fires else [])


def test_an_export_is_measured_against_what_its_user_does() -> None:
    """Three times what 99 of 100 days have; 100 MiB at least, and no habit before a week."""
    watch = Watch()
    watch.tick = at(-20 * DAY)
    daily = [export(day * (DAY + MINUTE), 90 * MIB) for day in range(-19, 0)]
    watch.feed([*daily, export(0, 250 * MIB)], 60)
    assert severities(watch, "export.volume") == []
    watch.feed([export(70, 30 * MIB)], 120)
    assert severities(watch, "export.volume") == ["high"]
    assert watch.transitions[-1].summary == "jo exported 280 MiB within a day"


def test_who_runs_into_the_rate_limit_every_day_needs_more() -> None:
    """Five times what 99 of 100 of its spans of five minutes have."""
    watch = Watch()
    watch.tick = at(-10 * DAY)
    daily = [limited(-10 * DAY + day * DAY + each) for day in range(10) for each in range(10)]
    watch.feed([*daily, *(limited(each) for each in range(49))], 60)
    assert severities(watch, "rate_limit") == []
    watch.feed([limited(61), limited(62)], 120)
    assert severities(watch, "rate_limit") == ["medium"]


@pytest.mark.parametrize(
    ("addresses", "key"),
    [
        ([f"2001:db8::{number:x}" for number in range(1, 6)], "2001:db8::/64"),
        (["192.0.2.9", "::ffff:192.0.2.9", "::FFFF:c000:209", "0:0:0:0:0:ffff:192.0.2.9", " 192.0.2.9 "], "192.0.2.9"),
        (["fe80::1%eth0", "fe80::2", "fe80::3%1", "fe80:0:0:0::4", "FE80::5"], "fe80::/64"),
        (["testclient"] * 5, "testclient"),
    ],
    ids=["one subscriber", "mapped", "scoped", "no address"],
)
def test_addresses_that_are_one_place_are_one_key(addresses: list[str], key: str) -> None:
    """An IPv6 subscriber has a /64; IPv4 is IPv4 however it is written."""
    told = Watch().feed([login(each, f"u{each}", address) for each, address in enumerate(addresses)], 60)
    assert [one.key for one in told.fired] == [(key,)]


def test_neighbours_are_not_one_key() -> None:
    """Two subscribers of the same provider."""
    addresses = ["2001:db8:0:1::1", "2001:db8:0:2::1"]
    told = Watch().feed([login(each, f"u{each}", addresses[each % 2]) for each in range(8)], 60)
    assert told.fired == []


GUESSES = failures(6, user="jo", address=ATTACKER, **{"user_agent.original": "uptime/1.0"})


@pytest.mark.parametrize(
    ("allow", "left"),
    [
        ({"addresses": [ATTACKER]}, {"security.guessing.user"}),
        ({"addresses": ["203.0.113.0/24"]}, {"security.guessing.user"}),
        ({"addresses": ["198.51.100.0/24"]}, {"security.guessing.user", "security.guessing.address"}),
        ({"users": ["jo"]}, {"security.guessing.address"}),
        ({"user_agents": ["^uptime/"]}, set()),
        ({"user_agents": ["curl"]}, {"security.guessing.user", "security.guessing.address"}),
    ],
    ids=["address", "network", "another network", "user", "user agent", "another user agent"],
)
def test_who_is_allowed_is_in_no_alert(allow: dict[str, list[str]], left: set[str]) -> None:
    """About an address, a network, a user; what a user agent sends is not looked at."""
    assert Watch(allow=allow).feed(GUESSES, 120).rules == left


def test_a_user_agent_in_its_old_spelling_is_one_too() -> None:
    """Apps with older OpenTelemetry say http.user_agent."""
    old = failures(6, user="jo", address=ATTACKER, **{"http.user_agent": "uptime/1.0"})
    assert Watch(allow={"user_agents": ["^uptime/"]}).feed(old, 120).rules == set()


def test_an_allowed_subscriber_is_one_by_ipv6_too() -> None:
    """In the spelling in which alerts name it."""
    guesses = failures(6, user="jo", address="2001:db8::7")
    assert Watch(allow={"addresses": ["2001:db8::/64"]}).feed(guesses, 120).rules == {"security.guessing.user"}


EXCEPTED: list[tuple[str, list[Sighting], str]] = [
    ("guessing.user", GUESSES, "user.id = jo"),
    ("guessing.address", GUESSES, f"client.address = {ATTACKER}"),
    ("breach", [*GUESSES, login(70, "jo", ATTACKER, failed=False)], f"client.address = {ATTACKER}"),
    (
        "new_place",
        [*known(5, 15), login(0, address=ATTACKER, failed=False, **{"user_agent.original": FIREFOX})],
        f"client.address = {ATTACKER}",
    ),
    ("scanning", [refused(each, f"/{each}") for each in range(50)], "url.path =~ '/.*'"),
]


@pytest.mark.parametrize(("rule", "course_", "matcher"), EXCEPTED, ids=[one[0] for one in EXCEPTED])
def test_what_is_excepted_is_so_for_that_rule_only(rule: str, course_: list[Sighting], matcher: str) -> None:
    """Any of the matchers is enough."""

    def rules(**settings: Any) -> set[str]:
        watch = Watch(**settings)
        watch.tick = at(-15 * DAY)
        return watch.feed(course_, 300).rules

    name = f"security.{rule}"
    every = rules()
    assert name in every
    assert rules(rules={name: {"except": ["user.id = nobody", matcher]}}) == every - {name}


def test_a_service_is_excepted_from_spikes() -> None:
    """By the key of the alert."""
    watch = Watch(rules={"security.failed_logins.spike": {"except": ["service.name = app"]}})
    watch.judging.spikes(point())
    assert watch.judging.alarms == []


def test_any_number_may_be_changed_and_the_others_stay() -> None:
    """Of a default rule only what is named."""
    watch = Watch(rules={"security.guessing.user": {"count": 3, "within": "1min", "severity": "low"}})
    watch.feed(failures(3, 30, user="jo", address=ATTACKER), 100)
    assert watch.of("security.guessing.user") == ["70 firing low"]
    assert watch.transitions[0].summary == "3 failed logins as jo"


@pytest.mark.parametrize("name", sorted(DEFAULT_RULES))
def test_a_rule_that_is_switched_off_is_none(name: str) -> None:
    watch = Watch(rules={name: {"enabled": False}})
    assert name not in {one.name for one in watch.judging.descriptions}
    assert name in {one.name for one in Watch().judging.descriptions}


def test_nothing_is_judged_where_security_is_off() -> None:
    watch = Watch(enabled=False).feed([*GUESSES, login(70, "jo", ATTACKER, failed=False)], 200)
    assert (watch.fired, watch.judging.labels, watch.judging.wants("auth.login")) == ([], frozenset(), False)


OWN = {
    "shop.refunds": {
        "event": "shop.refund",
        "where": ["amount.currency = EUR"],
        "by": ["user.id", "shop"],
        "count": 3,
        "within": "10min",
        "severity": "high",
        "summary": "{count} refunds by {user.id} in {shop}",
    },
    "shop.money": {
        "event": "shop.refund",
        "by": ["user.id"],
        "sum": "amount",
        "above": "1KiB",
        "within": "1h",
        "severity": "medium",
    },
    "shop.customers": {
        "event": "shop.refund",
        "by": ["user.id"],
        "distinct": "customer",
        "distinct_count": 4,
        "within": "1h",
        "severity": "low",
    },
}


def refund(seconds: float, customer: str, amount: Any = 100, shop: str = "north", currency: str = "EUR") -> Sighting:
    told = {"user.id": "jo", "shop": shop, "customer": customer, "amount": amount, "amount.currency": currency}
    return seen("shop.refund", seconds, "success", **told)


def test_rules_of_your_own_count_what_they_match() -> None:
    """Sightings by two labels, sums, and different values."""
    watch = Watch(rules=OWN).feed([refund(0, "a"), refund(1, "a", currency="USD"), refund(2, "a", shop="south")], 20)
    assert watch.fired == []
    watch.feed([refund(21, "a"), refund(22, "a")], 40)
    assert [(one.rule, one.key, one.severity) for one in watch.fired] == [("shop.refunds", ("jo", "north"), "high")]
    assert watch.transitions[0].summary == "3 refunds by jo in north"
    watch.feed([refund(50, "b"), refund(51, "c", 600), refund(52, "d")], 70)
    assert watch.rules == {"shop.refunds", "shop.money", "shop.customers"}
    assert {one.rule: one.value for one in watch.transitions} == {
        "shop.refunds": 3.0,
        "shop.money": 1300.0,
        "shop.customers": 4.0,
    }


def test_a_sighting_without_its_key_counts_for_nobody() -> None:
    """Logins whose app tells no address, or no user, are not one big somebody."""
    assert Watch().feed(failures(20, user="jo", address=""), 300).rules == {"security.guessing.user"}
    nameless = [sighting("auth.login", "failure", at(each), "", {"client.address": ATTACKER}) for each in range(20)]
    assert Watch().feed(nameless, 300).rules == {"security.guessing.address"}


def test_the_clock_set_back_ends_nothing_and_hides_nothing() -> None:
    """What held before holds; what comes then counts."""
    watch = Watch().feed(failures(6, user="jo", address=ATTACKER), 100)
    watch.judging.forget_after(at(-HOUR))
    watch.tick = at(-HOUR)
    watch.feed([login(-HOUR + each, "al", "10.1.1.1") for each in range(6)], -HOUR + 60)
    assert [one.key for one in watch.fired[2:]] == [("al",), ("10.1.1.1",)]
    watch.feed([], 1)
    assert [one.status for one in watch.transitions[4:]] == ["resolved"] * 4
