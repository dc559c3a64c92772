"""Log lines of any app as events: what a mapping makes of them, and that only what fits becomes one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.event_mapping import EventMappings, EventMappingSettings
from processors.needles import needles_of
from processors.observation import LogObservation
from tests.support.course import Course, log

FAILED = {
    "body": r"login failed for (?P<user>\S+)(?: from (?P<address>\S+))?",
    "logger": r"app\.auth",
    "event": "auth.login",
    "outcome": "failure",
    "attributes": {"user.id": "{user}", "client.address": "{address}"},
}


def _log(body: Any, logger: str = "app.auth") -> LogObservation:
    return log(0, body, scope=logger, trace_id="aa", attributes={"kept": 1})


def _mappings(*mappings: dict[str, Any]) -> EventMappings:
    return EventMappings(EventMappingSettings.model_validate(one) for one in mappings)


def test_the_first_mapping_that_fits_says_what_a_line_means() -> None:
    later = {"body": "login", "event": "auth.seen"}
    told = _mappings(FAILED, later).event(_log("2 login failed for jo from 10.0.0.9"))
    assert told is not None
    assert (told.name, told.outcome, told.stream, told.trace_id) == ("auth.login", "failure", "security", "aa")
    assert told.attributes == {"kept": 1, "user.id": "jo", "client.address": "10.0.0.9"}
    other = _mappings(FAILED, later).event(_log("login of jo"))
    assert other is not None
    assert (other.name, other.outcome) == ("auth.seen", "")


@pytest.mark.parametrize(
    "log",
    [_log("nothing"), _log("login failed for jo", "app.auth.other"), _log({"login failed for": "jo"}), _log(None)],
)
def test_what_does_not_fit_is_no_event(log: LogObservation) -> None:
    assert _mappings(FAILED).event(log) is None


def test_a_group_that_took_no_part_is_empty_and_braces_in_a_line_are_only_text() -> None:
    told = _mappings(FAILED).event(_log("login failed for {address.__class__}"))
    assert told is not None
    assert (told.attributes["user.id"], told.attributes["client.address"]) == ("{address.__class__}", "")


@given(
    st.sampled_from(
        ["ab", "ab*", "ab?c", "ab+c", "a|b", "ab{2}", "(ab)c", r"a\.b", "ab.c", "a{0}b", "x(?i:AB)", "(?i)A"]
    ),
    st.text("abcx.{}|", max_size=9),
)
def test_the_text_looked_for_first_never_hides_a_match(pattern: str, body: str) -> None:
    told = _mappings({"body": pattern, "event": "e"}).event(_log(body))
    assert (told is not None) == bool(re.search(pattern, body))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"body": "("}, "is no regular expression"),
        ({"logger": "["}, "is no regular expression"),
        ({"attributes": {"user.id": "{name}"}}, "names a group that body lacks (it has user, address)"),
        ({"attributes": {"user.id": "{"}}, "names a group that body lacks"),
        ({"outcome": "bad"}, "success"),
    ],
)
def test_a_mapping_that_can_not_be_used_is_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EventMappingSettings.model_validate({**FAILED, **wrong})
    assert text in str(refused.value)


def test_mapped_failures_reach_the_security_stream_and_the_rule_of_logins() -> None:
    """As if the app had said so itself."""
    course = Course("auth.failed_logins", events=[FAILED])
    course.each(0, 25, lambda at: log(at, f"login failed for u{at} from 10.0.0.9", scope="app.auth"))
    lines = course.lines()["security"]
    assert [(one["event"], one["outcome"], one["attributes"]["client.address"]) for one in lines] == [
        ("auth.login", "failure", "10.0.0.9")
    ] * 25
    assert course.told == ["20 firing high"]
    rules = [rule for rule in course.judgement.rules if rule.name == "auth.failed_logins"]
    assert needles_of(rules, mapped=True)["logs"] is None
    assert needles_of(rules)["logs"]
