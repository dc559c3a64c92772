"""Charts of short and of long times tell of each part what was in it."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from dashboard.view import instant, view_of
from tests.dashboard.opening import Opening, read
from tests.support.week import DAY, HOUR, NANO, START, Week

_NOON = START + 3 * DAY + 12 * HOUR


@pytest.mark.parametrize(("last", "after"), [("5min", 27), ("15min", 27), ("1h", 27), ("6h", 30), ("24h", 30)])
def test_each_bar_has_the_requests_of_its_own_part(week: Week, last: str, after: int) -> None:
    """However the parts lie to minutes: none has another's requests, and none is spread over another's length."""
    now = (_NOON + after) * NANO
    view = view_of({"last": last}, now)
    with Opening(week.logs, now) as opening:
        (chart,) = [one for one in opening.shown("/overview", last=last).charts.values() if one["kind"] == "bars"]
    counted = [
        sum(part.holds(round(one.at * 1e6) * 1000) for one in week.requests) / part.seconds for part in view.parts()
    ]
    answered, failed = (one["values"] for one in chart["series"])
    told = [one + other for one, other in zip(answered, failed, strict=True)]
    assert chart["times"] == [part.start_unix_nano // 1_000_000 for part in view.parts()]
    assert told == pytest.approx(counted, rel=1e-6)


def test_earlier_is_the_same_page_half_the_time_before(week: Week) -> None:
    """With its filters and its zone, and without the place where another time's list ended."""
    now = _NOON * NANO
    asked = {"last": "1h", "text": "failed", "zone": "Europe/Berlin", "before": "1", "batch": "b", "index": "0"}
    with Opening(week.logs, now) as opening:
        (link,) = [one for one in read(opening.whole("/logs", **asked).text).every_link if "from=" in one]
    path, _, query = link.partition("?")
    assert path == "/logs"
    assert dict(parse_qsl(query)) == {
        "text": "failed",
        "zone": "Europe/Berlin",
        "from": instant(now - 3 * HOUR * NANO // 2),
        "to": instant(now - HOUR * NANO // 2),
    }
