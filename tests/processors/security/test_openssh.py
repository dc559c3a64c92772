"""A server that was really attacked: every episode of every address and user, to the second, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from operations.importing.sshd import Sshd
from processors.security.sighting import LOGIN, Sighting, sighting
from tests.conftest import SHARED_DATA
from tests.support.attacks import TICK, Watch

FOLDER = SHARED_DATA / "openssh"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the SSH log (../shared/data/openssh) is not there")


@cache
def _truth() -> Any:
    return json.loads((FOLDER / "ssh_truth.json").read_text(encoding="utf-8"))


@cache
def _sightings() -> list[Sighting]:
    lines = (FOLDER / "OpenSSH_2k.log").read_text(encoding="utf-8").splitlines()
    form = Sshd(datetime(2026, 1, 1, tzinfo=UTC), UTC, 2025)
    form.begin(lines)
    entries = [entry for line in lines for entry in form.entries(line) if entry.event_name == LOGIN]
    return [
        sighting(LOGIN, entry.attributes["event.outcome"], entry.time_unix_nano, "", entry.attributes)
        for entry in entries
    ]


@cache
def _watched() -> Watch:
    watch = Watch()
    watch.tick = _sightings()[0].time_unix_nano // TICK * TICK
    watch.feed(_sightings())
    watch.advance(_sightings()[-1].time_unix_nano + 25 * 3600 * 1_000_000_000)
    return watch


def _first(rule: str) -> dict[str, int]:
    """When each key fired first."""
    found: dict[str, int] = {}
    for one in _watched().transitions:
        if one.rule == rule and one.status == "firing":
            ((_, value),) = one.key
            found.setdefault(value, one.time_unix_nano)
    return found


def _expected(kind: str) -> dict[str, int]:
    """The tick at or after the line at which the rule first holds."""
    times = {
        key: datetime.strptime(f"2025 {text}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
        for key, text in _truth()["first_fire"][kind].items()
    }
    return {key: -(-int(time.timestamp()) // 10) * TICK for key, time in times.items()}


def _near(found: dict[str, int], expected: dict[str, int]) -> bool:
    """By the next tick: a line of the tick's own second comes after it."""
    return found.keys() == expected.keys() and all(0 <= found[key] - expected[key] <= TICK for key in expected)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [("security.guessing.address", "ip"), ("security.guessing.user", "user")],
)
def test_each_episode_is_one_alert_that_begins_when_the_rule_first_holds(rule: str, kind: str) -> None:
    assert _near(_first(rule), _expected(kind))
    ended = Counter(one.key[0][1] for one in _watched().transitions if one.rule == rule and one.status == "resolved")
    assert ended == _truth()["episodes_by_key"][kind]


def test_who_sprays_is_told_once_five_users_and_ten_failures_are_known() -> None:
    """The truth asks for five users only, so an alert may come later, never sooner or of another address."""
    found, expected = _first("security.spraying"), _expected("spray")
    assert found.keys() == expected.keys()
    assert all(found[key] >= expected[key] for key in expected)


def test_the_one_login_that_succeeded_is_no_breach() -> None:
    """It came from an address that had not failed."""
    assert _truth()["failures"] == sum(one.outcome == "failure" for one in _sightings())
    assert [one.user for one in _sightings() if one.outcome == "success"] == ["fztu"]
    assert "security.breach" not in _watched().rules


def test_had_one_of_the_attackers_got_in_it_would_have_been_told() -> None:
    """The same log, with one line more."""
    attacker = next(one for one in _sightings() if one.address == "183.62.140.253")
    last = max(one.time_unix_nano for one in _sightings() if one.address == attacker.address)
    labels = {**attacker.labels, "user.id": "root"}
    watch = Watch()
    watch.tick = last // TICK * TICK - 3600 * 1_000_000_000
    earlier = [one for one in _sightings() if watch.tick <= one.time_unix_nano <= last]
    watch.feed([*earlier, sighting(LOGIN, "success", last + 5_000_000_000, "", labels)])
    watch.advance(last + 2 * TICK)
    breaches = [one for one in watch.fired if one.rule == "security.breach"]
    assert [(one.key, one.severity) for one in breaches] == [(("root", "183.62.140.253"), "critical")]
