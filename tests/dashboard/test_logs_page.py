"""Log records are searched, counted, paged through and seen with what was said around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from analysis.period import MINUTE_NANO
from tests.dashboard.opening import Opening, Shown
from tests.support.stored import HOUR, store
from tests.support.week import DAY, END, SERVICE, START, Week

NOW = HOUR + 10 * MINUTE_NANO
LEVELS = (("TRACE", 1), ("DEBUG", 5), ("INFO", 9), ("WARN", 13), ("ERROR", 17), ("FATAL", 21))


@pytest.fixture(scope="module")
def pages(week: Week) -> Iterator[Opening]:
    with Opening(week.logs) as opened:
        yield opened


def line(number: int, **more: Any) -> dict[str, Any]:
    """In the order of their numbers, two of them always at one time."""
    severity, least = LEVELS[number % len(LEVELS)]
    told = {"severity": severity, "severity_number": least, "body": f"line {number}.", "scope": {"name": "orders"}}
    return {"time_unix_nano": HOUR + number // 2 * 1_000_000, **told, **more}


def said(shown: Shown) -> list[str]:
    """What the lines say, the first at the top."""
    return [summary.split(" app ", 1)[1] for summary in shown.opened if " app " in summary]


def facets(shown: Shown) -> dict[str, str]:
    """The counts beside the lines."""
    start, end = shown.html.index("<aside"), shown.html.index("</aside>")
    items = shown.html[start:end].split("<li>")[1:]
    pairs = (item.replace("</a>", ">").split(">") for item in items)
    return {pair[1]: pair[3].split("</span")[0] for pair in pairs}


def test_the_records_of_a_day_are_counted_by_level_service_and_event(week: Week, pages: Opening) -> None:
    """Beside the lines, and over time by level; a count leads to its records."""
    start = END - DAY
    errors = [one for one in week.errors if start <= one.at < END]
    events = Counter(one.name for one in week.events if start <= one.at < END and one.seconds is None)
    shown = pages.shown("/logs", last="24h")
    every = len(errors) + events.total()
    assert facets(shown) == {
        "ERROR": str(len(errors)),
        "INFO": str(events.total()),
        SERVICE: str(every),
        "app": str(every),
        **{name: str(count) for name, count in events.items()},
    }
    series = {one["name"]: sum(one["values"]) for one in shown.charts["logs-chart"]["series"]}
    assert series == {"INFO": events.total(), "ERROR": len(errors)}
    failed = pages.shown(shown.links["ERROR"])
    assert sum("failed ■ exception" in summary for summary in failed.opened) == len(errors)
    assert (failed.fields["level"], failed.fields["last"]) == ("ERROR", "24h")
    assert failed.links["All"] == "/logs?last=24h"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"text": "LINE 7."}, [7]),
        ({"level": "error"}, [11, 10, 5, 4]),
        ({"level": "FATAL"}, [11, 5]),
        ({"service": "other"}, [12]),
        ({"logger": "billing"}, [13]),
        ({"event": "order.placed"}, [14]),
        ({"trace": "AB" * 16}, [15]),
        ({"attributes": "user.id=42\nplan=free"}, [16]),
        ({"attributes": "user.id=42"}, [17, 16]),
        ({"text": "line", "level": "WARN", "logger": "orders"}, [11, 10, 9, 5, 4, 3]),
        ({"text": "100%"}, []),
    ],
)
def test_each_filter_finds_its_records(tmp_path: Path, asked: dict[str, str], expected: list[int]) -> None:
    """The newest first; what was asked for stands in the form, and nothing else does."""
    plain = {"severity": "INFO", "severity_number": 9}
    lines = [
        *(line(number) for number in range(12)),
        line(12, service="other", **plain),
        line(13, scope={"name": "billing"}, **plain),
        line(14, event_name="order.placed", **plain),
        line(15, trace_id="ab" * 16, **plain),
        line(16, attributes={"user.id": 42, "plan": "free"}, **plain),
        line(17, attributes={"user.id": "42"}, **plain),
    ]
    with Opening(store(tmp_path, "logs", *lines), NOW) as pages:
        shown = pages.shown("/logs", **asked)
    texts = [summary.rsplit(" line ", 1)[1] for summary in shown.opened if " line " in summary]
    assert texts == [f"{number}." for number in expected]
    given = {name: value.upper() if name == "level" else value for name, value in asked.items()}
    assert {name: value for name, value in shown.fields.items() if value} == given
    assert ("No such record in this time." in shown.text) == (not expected)


def test_older_lines_follow_and_none_comes_twice(tmp_path: Path) -> None:
    """Four hundred and fifty in three pages, many at one moment, the filter kept; the last page leads no further."""
    lines = [line(number) for number in range(1350)]
    with Opening(store(tmp_path, "logs", *lines), NOW) as pages:
        shown = pages.shown("/logs", level="ERROR", text="line")
        pages_seen = [said(shown)]
        while "Older" in shown.links:
            shown = pages.shown(shown.links["Older"])
            assert "The latest first further back" in shown.text
            assert (shown.fields["level"], shown.fields["text"]) == ("ERROR", "line")
            pages_seen.append(said(shown))
    expected = [f"line {number}." for number in reversed(range(1350)) if number % 6 in (4, 5)]
    assert [len(seen) for seen in pages_seen] == [200, 200, 50]
    assert [text for seen in pages_seen for text in seen] == expected


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"level": "LOUD"}, "level=LOUD: expected one of DEBUG, INFO, WARN, ERROR, FATAL"),
        ({"attributes": "=x"}, "'=x' is no attribute, expected name=value, for example http.route=/api/orders"),
        ({"before": "x"}, "before=x: no place in the logs, take the link Older to go further back"),
        ({"before": "9" * 30, "index": 0}, f"before={'9' * 30}: no place in the logs, take the link Older"),
        ({"before": "-1", "index": 0}, "before=-1: no place in the logs, take the link Older to go further back"),
        ({"before": "1", "index": "1.5"}, "before=1: no place in the logs, take the link Older to go further back"),
    ],
)
def test_what_can_t_be_understood_is_told(pages: Opening, asked: dict[str, str], sentence: str) -> None:
    """With what was expected; nothing is listed or counted then."""
    shown = pages.shown("/logs", **asked)
    (told,) = shown.alerts
    assert told.startswith(f"▲ not understood {sentence}")
    assert (shown.opened, shown.charts, "<aside" in shown.html) == ([], {}, False)


def test_of_more_than_a_week_records_are_listed_and_not_counted(pages: Opening) -> None:
    """The lines are there at once; to count them all of them would have to be read."""
    shown = pages.shown("/logs", last="30days", level="ERROR")
    assert (shown.charts, "<aside" in shown.html) == ({}, False)
    assert len([summary for summary in shown.opened if "failed" in summary]) > 100


def test_around_a_record_is_what_its_service_said(tmp_path: Path) -> None:
    """Twenty-five before and after it, not what others said; the record itself is marked."""
    lines = [line(number, service="other" if number % 3 == 1 else "app") for number in range(300)]
    with Opening(store(tmp_path, "logs", *lines), NOW) as pages:
        found = pages.shown("/logs", text="line 150.")
        shown = pages.shown(found.links["Around this record"])
        alone = pages.shown(pages.shown("/logs", text="line 1.").links["Around this record"])
    own = [number for number in range(300) if number % 3 != 1]
    place = own.index(150)
    assert "Around a record of app" in shown.text
    assert said(shown) == [f"line {number}." for number in reversed(own[place - 25 : place + 26])]
    assert shown.html.count('class="log-line this"') == 1
    marked = shown.html[shown.html.index('class="log-line this"') :]
    assert marked.index("line 150.") < marked.index("</summary>")
    assert "Around a record of other" in alone.text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "no record is named: time, batch and index of one are wanted, as Logs links them"),
        ("time=x&index=0", "no record is named: time, batch and index of one are wanted, as Logs links them"),
        ("time=1&index=" + "9" * 40, "no record is named: time, batch and index of one are wanted, as Logs links them"),
        ("time=1&index=0&batch=b", "this record is not here any more: it may have been deleted by age"),
        (f"time={HOUR}&index=7&batch=%00%3Cb%3E", "this record is not here any more: it may have been deleted by age"),
    ],
)
def test_around_what_is_not_there_a_sentence_stands(pages: Opening, query: str, sentence: str) -> None:
    """An address that names no record, or one that is gone."""
    assert pages.shown(f"/logs/around?{query}").alerts == [f"Not here {sentence}"]


def test_a_record_opens_with_all_that_it_carries(tmp_path: Path) -> None:
    """Its lines, its exception, its attributes, and the way to its trace at its span."""
    trouble = {"exception.type": "ValueError", "exception.stacktrace": "Traceback:\n  line 1"}
    told = line(1, body="first\nsecond", trace_id="ab" * 16, span_id="cd" * 8, attributes={"user.id": 42, **trouble})
    with Opening(store(tmp_path, "logs", told), NOW) as pages:
        shown = pages.shown("/logs")
    assert said(shown) == ["first second ■ exception"]
    assert '<pre class="scroll tall" tabindex="0">first\nsecond</pre>' in shown.html
    assert '<pre class="scroll tall" tabindex="0">Traceback:\n  line 1</pre>' in shown.html
    assert [row[:2] for row in shown.tables[0]] == [
        ["user.id", "42"],
        ["exception.type", "ValueError"],
    ]
    assert shown.links["ab" * 16] == f"/traces/{'ab' * 16}?span={'cd' * 8}"


def test_of_very_much_only_the_beginnings_stand_in_the_page(tmp_path: Path) -> None:
    """Two hundred records of a hundred kilobytes stay below a megabyte; each can be looked at by itself."""
    lines = [
        line(number, body=f"line {number}. " + "x" * 50_000, attributes={"k": "y" * 50_000}) for number in range(210)
    ]
    with Opening(store(tmp_path, "logs", *lines), NOW) as pages:
        answer = pages.get("/logs")
        shown = pages.shown("/logs")
        last = [link for link in shown.every_link if link.startswith("/logs/around")][-1]
        around = pages.shown(last)
    assert (len(said(shown)), len(answer.text) < 1_000_000) == (200, True)
    assert shown.text.count("There is much of it: look around this record to see it.") > 150
    number = dict(parse_qsl(urlsplit(last).query))["index"]
    marked = around.html[around.html.index('class="log-line this"') :]
    assert f'<pre class="scroll tall" tabindex="0">line {number}. xxx' in marked[: marked.index("</pre>")]


def test_following_takes_the_filters_and_no_time(pages: Opening) -> None:
    """The button's address asks for the same records from now on."""
    asked = {"last": "1h", "refresh": "off", "zone": "Europe/Berlin", "level": "WARN", "text": "a&b"}
    shown = pages.shown("/logs", **asked, before=START, index=0)
    start = shown.html.index('data-tail="') + 11
    address = shown.html[start : shown.html.index('"', start)].replace("&amp;", "&")
    assert dict(parse_qsl(urlsplit(address).query)) == {"zone": "Europe/Berlin", "level": "WARN", "text": "a&b"}
