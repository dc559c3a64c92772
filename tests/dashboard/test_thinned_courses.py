"""A course with more values than a screen has places shows the worst of each place, whichever way is bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboard.opening import Opening
from tests.dashboard.standing import judged, measure
from tests.support.stored import HOUR

MINUTE = 60_000_000_000
NOW = HOUR + 30 * MINUTE


@pytest.mark.parametrize(("rule", "worst"), [("auth.success_rate", 0.25), ("anomaly.cpu", 0.75)])
def test_a_dip_or_a_peak_of_five_minutes_stays_in_a_week(tmp_path: Path, rule: str, worst: float) -> None:
    """Three values in a quarter of an hour are one point: the lowest where low is bad, else the highest."""
    values = {16: 0.5, 21: 0.25, 26: 0.75}
    measure(tmp_path, [judged(rule, value, time_unix_nano=HOUR + at * MINUTE) for at, value in values.items()])
    with Opening(tmp_path, NOW) as pages:
        (chart,) = pages.shown(f"/rules/{rule}", last="7days").charts.values()
    assert [[value for value in line["values"] if value is not None] for line in chart["series"]] == [[worst]]


def test_of_many_keys_those_are_drawn_that_were_measured_most(tmp_path: Path) -> None:
    """Eight lines have room; one that was seen once stands back for one that was there all the time."""
    once = [judged("anomaly.cpu", 0.5, of=f"host-{number}", time_unix_nano=HOUR) for number in range(9)]
    often = [judged("anomaly.cpu", 0.5, of="host-z", time_unix_nano=HOUR + at * MINUTE) for at in (0, 6, 12)]
    measure(tmp_path, [*once, *often])
    with Opening(tmp_path, NOW) as pages:
        (chart,) = pages.shown("/rules/anomaly.cpu").charts.values()
    names = [line["name"] for line in chart["series"]]
    assert (len(names), names[0]) == (8, "host-z")
