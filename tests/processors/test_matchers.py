"""Matchers, and those that would match for ever."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.matchers import parse_matcher, refuse_dear


@pytest.mark.parametrize(
    "text",
    [
        'mount =~ "(a+)+b"',
        "mount =~ (a|a)*b",
        "mount =~ (ab){2,}",
        "mount =~ .*a.*b.*c.*d",
        r"mount =~ (\w+\s?)*$",
        "mount !~ (x*)*y",
    ],
)
def test_a_pattern_that_may_take_for_ever_is_refused(text: str) -> None:
    """With what may be written instead."""
    with pytest.raises(ValueError, match="may take for ever to match"):
        refuse_dear(text)


@pytest.mark.parametrize(
    "text",
    [
        'http.route =~ "/api/.*"',
        r"alertname =~ (http\.server|db|anomaly)\..*|service\.(absent|hung)",
        "instance =~ [a-z+*]+-[0-9]{1,3}",
        r"path =~ /a\*\+b.*",
        "mount = (a+)+b",
    ],
)
def test_what_people_write_is_taken(text: str) -> None:
    """Alternatives, classes with signs in them, escaped signs, and texts that are no patterns."""
    refuse_dear(text)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # the library may mean something else by it one day
@given(st.text("ab()|[]*+?{}.\\^$1,", max_size=24))
def test_what_is_taken_matches_in_no_time(pattern: str) -> None:
    """Whatever passes is done with a long label in a moment."""
    try:
        refuse_dear(f"label =~ {pattern}")
        _, matches = parse_matcher(f"label =~ {pattern}")
    except ValueError:
        return
    started = time.perf_counter()
    matches({"label": "a" * 256 + "!"})
    assert time.perf_counter() - started < 5.0


@pytest.mark.parametrize("pattern", ["a{99999999999999999999}", "(", "[", "a**"])
def test_a_pattern_that_is_none_is_refused_in_words(pattern: str) -> None:
    """Also those with which the library itself stumbles."""
    with pytest.raises(ValueError, match="no valid regular expression"):
        parse_matcher(f"mount =~ {pattern}")
