"""How pages write numbers, times and texts of others: a unit to each, a zone to each, and nothing that acts."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.rendering import NONE, ago, count, environment, lasted, long_text, moment, short
from dashboard.view import View, view_of

NANO = 1_000_000_000


def nano(text: str) -> int:
    """Of an RFC 3339 time."""
    return int(datetime.fromisoformat(text).timestamp()) * NANO


def view(zone: str = "UTC", now: str = "2026-10-25T12:00:00+00:00", **query: str) -> View:
    return view_of({"zone": zone, **query}, nano(now))


def rendered(text: str, values: Mapping[str, Any]) -> str:
    return environment().from_string(text).render(**values)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, NONE),
        (0, "0 s"),
        (0.9, "0 s"),
        (-5, "0 s"),
        (1, "1 s"),
        (59.99, "59 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (3660, "1 h 1 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (187_200, "2 d 4 h"),
        (86_400 * 366 + 61, "366 d"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float | None, told: str) -> None:
    """A unit that is none is not said, and what is smaller than it neither."""
    assert lasted(seconds) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, NONE),
        (0, "0"),
        (12_345, "12,345"),
        (12_345.0, "12,345"),
        (1.25, "1.2"),
        (-1234.56, "-1,234.6"),
        (1e12, "1,000,000,000,000"),
    ],
)
def test_counts_are_grouped(value: float | None, told: str) -> None:
    """A mean keeps one digit."""
    assert count(value) == told


@pytest.mark.parametrize(
    ("time", "zone", "told"),
    [
        ("2026-10-25T00:30:00+00:00", "UTC", "00:30:00"),
        ("2026-10-25T00:30:00+00:00", "Europe/Berlin", "02:30:00"),
        ("2026-10-25T01:30:00+00:00", "Europe/Berlin", "02:30:00"),
        ("2026-10-25T02:30:00+00:00", "Europe/Berlin", "03:30:00"),
        ("2026-10-24T21:59:59+00:00", "Europe/Berlin", "2026-10-24 23:59:59"),
        ("2026-10-24T22:00:00+00:00", "Europe/Berlin", "00:00:00"),
        ("2026-03-29T00:59:59+00:00", "Europe/Berlin", "2026-03-29 01:59:59"),
        ("2026-03-29T01:00:00+00:00", "Europe/Berlin", "2026-03-29 03:00:00"),
        ("2026-10-25T00:30:00+00:00", "Asia/Kathmandu", "06:15:00"),
        ("2026-10-25T00:30:00+00:00", "America/New_York", "2026-10-24 20:30:00"),
    ],
)
def test_times_are_those_of_the_zone(time: str, zone: str, told: str) -> None:
    """With its clock changes; the date stands there when it is another one than today's in that zone."""
    assert moment(nano(time), view(zone)) == told


def test_a_time_is_as_exact_as_it_is_asked_for() -> None:
    """With the date or without, with milliseconds that are cut and not rounded; none for no time."""
    time = nano("2026-10-25T00:30:00+00:00") + 999_999_999
    assert moment(time, view(), date=True) == "2026-10-25 00:30:00"
    assert moment(time, view(), millis=True) == "00:30:00.999"
    assert moment(nano("2025-01-01T00:00:00+00:00"), view(), date=False) == "00:00:00"
    assert (moment(None, view()), moment(0, view())) == (NONE, NONE)
    assert ago(time, view()) == "11 h 29 min"


@given(st.integers(1, 2**63 - 1), st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"]))
def test_every_time_that_a_record_can_have_is_shown(time: int, zone: str) -> None:
    """From 1970 to 2262, whatever the zone."""
    told = moment(time, view(zone), date=True, millis=True)
    assert len(told) == len("2026-10-25 02:30:00.000")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, ""),
        ("", ""),
        (0, "0"),
        (["a"], "['a']"),
        ("a\r\nb\tc\x00d\x1b[31me", "a b c d [31me"),
        ("user\u202egnp.exe\u2066x\u200bx", "user gnp.exe x x"),
        ("\ud800\U000e0001\ue000", ""),
        ("  much   room  ", "much room"),
        ("x" * 10, "x" * 10),
        ("x" * 11, "x" * 9 + "…"),
    ],
)
def test_a_name_is_one_line_of_what_can_be_printed(text: object, told: str) -> None:
    """Nothing that turns the line around, ends it or commands a terminal; what is cut says so."""
    assert short(text, 10 if str(text).startswith("x") else 160) == told


def test_a_text_keeps_its_lines_and_says_what_was_cut() -> None:
    """Control characters show as what can't be shown, and each way of ending a line ends one."""
    assert long_text("a\r\nb\rc\u2028d\x85e\x0bf\tg") == "a\nb\nc\nd\ne\nf\tg"
    assert long_text("\x1b[2J\u202ereversed\x00\x7f\u2066") == "\ufffd[2J\ufffdreversed\ufffd\ufffd\ufffd"
    assert long_text(None) == ""
    assert long_text({"a": 1}) == "{'a': 1}"
    assert long_text("x" * 1005, 1000) == "x" * 1000 + "\n… 5 more characters"


def test_a_text_can_always_be_sent() -> None:
    """Half a character of a broken text is shown as such, and does not break the page."""
    assert long_text("a\ud800b\udfff").encode() == "a\ufffdb\ufffd".encode()
    assert short("a\ud800b").encode() == b"a b"


@pytest.mark.parametrize("unit", ["x", "\x00", "\r\n", "<b>", "\u202e", " "])
def test_megabytes_are_cut(unit: str) -> None:
    """To a line, or to a page of lines."""
    megabytes = unit * (8 * 2**20 // len(unit))
    assert len(short(megabytes)) <= 160
    assert len(long_text(megabytes)) < 20_100


@given(st.text(max_size=400))
def test_no_text_gets_out_of_its_line(text: str) -> None:
    """A name fits its place; a text has no line ends but the plain one."""
    assert len(short(text, 20)) <= 20
    assert not {unicodedata.category(one) for one in short(text)} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert not {"\r", "\x00", "\x0b", "\x0c", "\x1b", "\x85", "\u2028", "\u2029", "\u202e"} & set(long_text(text))


def test_templates_escape_all_that_they_show() -> None:
    """In text, in attributes and in the data of charts; what a name does not have is an error, not a gap."""
    hostile = "\"'><script>alert(1)</script>&{{ 7 * 7 }}"
    template = '<p title="{{ one|short }}">{{ one|long }}</p><script type="application/json">{{ spec|tojson }}</script>'
    html = rendered(template, {"one": hostile, "spec": {"name": "</script><b>'"}})
    escaped = "&#34;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;{{ 7 * 7 }}"
    chart = '{"name": "\\u003c/script\\u003e\\u003cb\\u003e\\u0027"}'
    assert html == (f'<p title="{escaped}">{escaped}</p><script type="application/json">{chart}</script>')
    with pytest.raises(jinja2.UndefinedError):
        rendered("{{ nobody }}", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ 0.25|value('s') }}", "250 ms"),
        ("{{ 3.214|value('s') }}", "3.21 s"),
        ("{{ 0.0523|value('ratio') }}", "5.23 %"),
        ("{{ 0.0523|share }}", "5.23 %"),
        ("{{ 1610612736|bytes }}", "1.5 GiB"),
        ("{{ 12|value('1') }}", "12"),
        ("{{ none|value('s') }}", "no value"),
        ("{{ {'host.name': 'a', 'b': '<'}|key }}", "host.name=a, b=&lt;"),
    ],
)
def test_values_have_their_unit(text: str, told: str) -> None:
    """As the command line writes them."""
    assert rendered(text, {}) == told
