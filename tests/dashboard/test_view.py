"""The address is all that a page needs to show the same again."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.period import DAY_NANO, HOUR_NANO, NANO, Period
from dashboard.view import ViewError, view_of

NOW = 1_795_392_003 * NANO
MOST = 60


def _query(link: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(link).query))


def test_without_anything_it_is_the_pages_own_time_up_to_now() -> None:
    """An address without a time shows the page's own, up to now, live."""
    view = view_of({}, NOW, last="1h", refresh="10s")
    assert view.period == Period(1_795_392_000 * NANO - HOUR_NANO, 1_795_392_000 * NANO)
    assert (view.moves, view.refresh_seconds, view.zone, view.given) == (True, 10.0, "UTC", ())


def test_a_link_keeps_the_view_and_nothing_else() -> None:
    """Links carry time, zone and refresh of the page that they stand on, and no other page's filters."""
    view = view_of({"last": "6h", "zone": "Europe/Berlin", "service": "app", "refresh": "30s"}, NOW)
    link = view.link("/traces", status="error", empty="", missing=None)
    assert urlsplit(link).path == "/traces"
    assert _query(link) == {"last": "6h", "zone": "Europe/Berlin", "refresh": "30s", "status": "error"}


def test_a_link_to_a_moment_replaces_the_time() -> None:
    """Around a moment: from and to stand where last stood."""
    view = view_of({"last": "6h"}, NOW)
    link = view.around("/logs", 1_795_391_000 * NANO, 60)
    assert _query(link) == {"from": "2026-11-22T23:42:20.000Z", "to": "2026-11-22T23:44:20.000Z"}
    again = view_of(_query(link), NOW)
    assert again.period == Period(1_795_390_940 * NANO, 1_795_391_060 * NANO)
    assert (again.moves, again.refresh_seconds) == (False, None)
    assert _query(again.link("/logs", last="1h")) == {"last": "1h"}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"last": "soon"}, "last=soon: 'soon' is not a duration, for example 1000ms, 30s, 5min, 2h or 30days"),
        ({"last": "900days"}, "last=900days: expected 5s to 366days"),
        ({"from": "yesterday"}, "from=yesterday: no time, expected for example 2026-11-23T10:30:00Z"),
        (
            {"from": "2026-11-23", "to": "2026-11-22"},
            "from=2026-11-23, to=2026-11-22: expected a beginning before the end, at most 366 days apart",
        ),
        ({"to": "1969-01-01"}, "to=1969-01-01: no record can be from then, expected 1970 to 2262"),
        (
            {"zone": "../../etc/passwd"},
            "zone=../../etc/passwd: no time zone, expected for example UTC or Europe/Berlin",
        ),
        ({"zone": "Mars/Base"}, "zone=Mars/Base: no time zone, expected for example UTC or Europe/Berlin"),
        ({"refresh": "1ms"}, "refresh=1ms: expected off, or 2s to 1day"),
    ],
)
def test_what_no_page_can_show_is_told(query: dict[str, str], told: str) -> None:
    """A wrong address is answered with the place and what it may say."""
    with pytest.raises(ViewError) as caught:
        view_of(query, NOW)
    assert str(caught.value) == told


@given(st.dictionaries(st.sampled_from(["last", "from", "to", "zone", "refresh"]), st.text(max_size=60)))
def test_any_address_gives_a_view_or_a_sentence(query: dict[str, str]) -> None:
    """Whatever stands in the address, the answer is a view or one line that says why not."""
    try:
        view = view_of(query, NOW)
    except ViewError:
        return
    assert view.period.nanos > 0


@given(st.integers(0, 10**18), st.integers(10 * NANO, 366 * DAY_NANO))
def test_parts_adjoin_and_cover_the_period(start: int, length: int) -> None:
    """The parts of a chart leave nothing out, overlap nowhere, begin at round times and are not too many."""
    view = view_of({}, NOW)
    period = Period(start, start + length)
    parts = type(view)(period, NOW, "", "UTC", "off", None, ()).parts(MOST)
    assert len(parts) <= MOST + 1
    assert (parts[0].start_unix_nano, parts[-1].end_unix_nano) == (start, start + length)
    assert all(one.end_unix_nano == other.start_unix_nano for one, other in pairwise(parts))
    steps = {other.start_unix_nano - one.start_unix_nano for one, other in pairwise(parts[1:])}
    assert len(steps) <= 1
    assert all(part.start_unix_nano % step == 0 for step in steps for part in parts[1:])
