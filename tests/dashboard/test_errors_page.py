"""Errors are grouped and counted, and each of a group is shown as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analysis.period import HOUR_NANO, MINUTE_NANO
from tests.dashboard.opening import Opening
from tests.support.stored import HOUR, store
from tests.support.week import DAY, END, SERVICE, Failed, Week


@pytest.fixture(scope="module")
def pages(week: Week) -> Iterator[Opening]:
    with Opening(week.logs) as opened:
        yield opened


MESSAGES = {"KeyError": "'…'", "ValueError": "no such pump <n>"}


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S")


def of(errors: list[Failed], kind: str) -> list[Failed]:
    return [one for one in errors if one.type == kind]


def test_errors_stand_in_groups_with_their_counts_and_times(week: Week, pages: Opening) -> None:
    """By type and message without what differs, the most frequent first; and all of them over time."""
    shown = pages.shown("/errors", last="7days")
    counts = Counter(one.type for one in week.errors).most_common()
    expected = [
        [
            str(count),
            f"{kind} {MESSAGES[kind]} {SERVICE}",
            "",
            "\N{EN DASH}",
            moment(of(week.errors, kind)[0].at),
            moment(of(week.errors, kind)[-1].at),
        ]
        for kind, count in counts
    ]
    assert shown.tables[0][1:] == expected
    (line,) = shown.charts["errors-chart"]["series"]
    assert (sum(line["values"]), f"Errors {len(week.errors)} in this time" in shown.text) == (len(week.errors), True)


def test_the_errors_of_a_day_are_those_of_its_time(week: Week, pages: Opening) -> None:
    """And no others; the page begins with the last day."""
    day = Counter(one.type for one in week.errors if END - DAY <= one.at < END)
    shown = pages.shown("/errors")
    assert {row[1].split()[0]: row[0] for row in shown.tables[0][1:]} == {
        kind: str(count) for kind, count in day.items()
    }
    nothing = pages.shown("/errors", from_="2026-11-10T00:00:00Z", to="2026-11-10T01:00:00Z")
    assert (nothing.tables, nothing.charts) == ([], {})
    assert "Nothing failed in this time." in nothing.text


def test_groups_are_found_and_ordered(week: Week, pages: Opening) -> None:
    """By any of their texts, in any case; those that came last or are newest first, where that is asked for."""
    found = pages.shown("/errors", last="7days", find="NO SUCH")
    assert [row[1].split()[0] for row in found.tables[0][1:]] == ["ValueError"]
    assert (found.fields["find"], found.fields["last"]) == ("NO SUCH", "7days")
    (line,) = found.charts["errors-chart"]["series"]
    assert sum(line["values"]) == len(of(week.errors, "ValueError"))
    missing = pages.shown("/errors", last="7days", find="nowhere")
    assert "Nothing failed in this time that has this in it." in missing.text
    for order, which in (("last", -1), ("first", 0)):
        names = sorted(MESSAGES, key=lambda kind: of(week.errors, kind)[which].at, reverse=True)
        shown = pages.shown("/errors", last="7days", order=order)
        assert ([row[1].split()[0] for row in shown.tables[0][1:]], shown.fields["order"]) == (names, order)


def test_what_began_in_the_second_half_is_called_new(tmp_path: Path) -> None:
    """An error that was there all the time is not."""
    old = {"error_type": "Old", "message": "again", "trace_id": ""}
    new = {"error_type": "New", "message": "suddenly", "trace_id": "", "time_unix_nano": HOUR + 40 * MINUTE_NANO}
    again = {**old, "time_unix_nano": HOUR + 50 * MINUTE_NANO}
    with Opening(store(tmp_path, "errors", old, new, again), HOUR + HOUR_NANO) as pages:
        shown = pages.shown("/errors", last="1h")
    assert [row[1] for row in shown.tables[0][1:]] == ["Old again app", "New ▲ new suddenly app"]


def test_each_error_of_a_group_is_shown_as_it_was(week: Week, pages: Opening) -> None:
    """The latest first, with its own message and the way to its trace."""
    listed = pages.shown("/errors", last="7days")
    shown = pages.shown(listed.links["ValueError"])
    errors = of(week.errors, "ValueError")[::-1]
    assert shown.text.split(" ", 2)[2].startswith(
        f"ValueError no such pump <n> service {SERVICE} count {len(errors)} in this time"
    )
    told = [summary for summary in shown.opened if "no such pump" in summary]
    assert [summary[summary.index("no such pump") :] for summary in told] == [one.message for one in errors[:50]]
    traces = [link[8:40] for link in shown.every_link if link.startswith("/traces/")]
    assert traces == [one.trace_id for one in errors[:50]]
    (line,) = shown.charts["error-chart"]["series"]
    assert sum(line["values"]) == len(errors)


def test_a_group_of_another_time_is_told_to_be_missing(pages: Opening) -> None:
    """So is one that never was, whatever it is called."""
    for query in ("type=ValueError&message=no+such+pump+%3Cn%3E", "type=%00&message=%3Cb%3E&service=x", ""):
        shown = pages.shown(f"/errors/group?from=2026-11-10T00:00:00Z&to=2026-11-10T01:00:00Z&{query}")
        assert shown.alerts == ["Not here no such error in this time; choose another time above, or look at all errors"]


def test_a_group_with_endless_names_has_a_page(tmp_path: Path) -> None:
    """Its address is cut, its page finds it nevertheless and shows the stack trace."""
    kind, message, service = "T" * 100_000, "m" * 100_000, "s" * 100_000
    endless = {"error_type": kind, "message": message, "service": service, "stacktrace": "at <b>line</b> 1"}
    nameless = {"error_type": None, "message": None, "service": None, "stacktrace": None, "route": None}
    with Opening(store(tmp_path, "errors", endless, nameless), HOUR + 5 * MINUTE_NANO) as pages:
        listed = pages.shown("/errors")
        assert len(listed.html) < 20_000
        groups = [link for link in listed.every_link if link.startswith("/errors/group")]
        first, second = (pages.shown(group) for group in sorted(groups, key=len, reverse=True))
    assert "at <b>line</b> 1 Copy the stack trace" in first.text
    assert f"{'T' * 159}… {'m' * 499}" in first.text
    assert "count 1 in this time" in first.text
    assert "error" in second.text
    assert "count 1 in this time" in second.text
