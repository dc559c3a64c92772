"""What a crash, a change of the configuration and a clock that is set back make of alarms."""

from __future__ import annotations

import orjson
import pytest

from processors.security.judging import SecurityJudging
from processors.security.settings import SecuritySettings
from tests.support.attacks import LATENESS, Watch, at, login

ATTACKER = "198.51.100.77"


def _guessed() -> Watch:
    """Six failures and a login, all before the next tick."""
    watch = Watch()
    for each in range(6):
        watch.judging.take(login(each, "jo", ATTACKER))
    watch.judging.take(login(7, "jo", ATTACKER, failed=False))
    return watch


def test_what_happened_just_before_a_crash_is_told_however_long_the_sidecar_was_away() -> None:
    """Late, and once: it begins and is over."""
    watch = _guessed().restarted()
    watch.tick = at(7200)
    watch.advance(at(7230))
    assert watch.of("security.breach") == ["7210 firing critical", "7220 resolved critical"]
    assert watch.of("security.guessing.address") == ["7210 firing high", "7220 resolved high"]


def test_nothing_is_told_of_what_is_learnt_from_the_past() -> None:
    watch = _guessed()
    watch.judging.forget_alarms(at(7200))
    watch.advance(at(30))
    assert watch.fired == []


def _changed(watch: Watch, **settings: object) -> Watch:
    """The same, with another configuration."""
    watch.settings = SecuritySettings.model_validate(settings)
    return watch.restarted()


@pytest.mark.parametrize(
    "settings",
    [
        {"allow": {"addresses": [ATTACKER]}},
        {"allow": {"addresses": ["::ffff:198.51.100.0/120"]}},
        {"rules": {"security.guessing.address": {"except": [f"client.address = {ATTACKER}"]}}},
    ],
    ids=str,
)
def test_what_is_allowed_now_ends_at_once(settings: dict[str, object]) -> None:
    """It is what the command about it advises."""
    watch = _guessed()
    watch.advance(at(10))
    _changed(watch, **settings).advance(at(20))
    assert watch.of("security.guessing.address") == ["10 firing high", "20 resolved high"]
    assert watch.of("security.guessing.user") == ["10 firing medium"]


@pytest.mark.parametrize("allowed", ["2001:db8::5", "2001:db8::5/128", "2001:db8::/64", "2001:db8::/32"])
def test_an_ipv6_address_is_allowed_as_its_subscriber(allowed: str) -> None:
    """Of whom a key has no more than the /64."""
    watch = Watch(allow={"addresses": [allowed]})
    watch.feed([login(each, f"u{each}", "2001:db8::5") for each in range(6)], 20)
    assert watch.rules == set()
    watch.feed([login(30 + each, f"u{each}", "2001:dba::5") for each in range(6)], 60)
    assert "security.guessing.address" in watch.rules


def test_a_login_of_a_future_that_never_was_is_no_breach() -> None:
    """The clock is set back by ten minutes."""
    watch = Watch()
    watch.judging.take(login(600, "jo", ATTACKER, failed=False))
    watch.judging.forget_after(at(0))
    watch.feed([login(each, "jo", ATTACKER) for each in range(6)], 700)
    assert "security.breach" not in watch.rules


def test_an_end_that_was_not_told_before_a_restart_is_told_after_it() -> None:
    """Of an episode whose next one had begun."""
    rule = {"event": "auth.login", "outcome": "failure", "count": 2, "within": "1min", "severity": "low"}
    default = {name: {"enabled": False} for name in SecuritySettings().rules}
    watch = Watch(rules={**default, "mine": rule})
    watch.feed([login(1), login(2)], 60)
    for moment in (63.0, 64.0):
        watch.judging.take(login(moment))
    watch.restarted().advance(at(80))
    assert watch.of("mine") == ["10 firing low", "70 resolved low", "70 firing low"]


def test_a_state_of_a_rule_that_did_not_wait_is_taken() -> None:
    """From before there was patience."""
    watch = _guessed()
    state = orjson.loads(orjson.dumps(watch.judging.to_state(), option=orjson.OPT_NON_STR_KEYS))
    for content in state["counting"].values():
        del content["waiting"]
    again = SecurityJudging(SecuritySettings(), LATENESS)
    again.restore(state)
    assert len(again.alarms) == len(watch.judging.alarms)
