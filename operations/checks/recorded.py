"""What the records of the last minutes say, be the sidecar running or not."""

from __future__ import annotations

from analysis.bands import band_of
from analysis.errors import error_groups
from analysis.period import NANO, Period
from analysis.requests import RequestTimes, response_times
from operations.checks.component import Checked, Component
from operations.checks.judged import bound, rules_of
from operations.reading import Reading

_MANY_ERRORS = 10
"""Errors in a few minutes that somebody should look at, whatever the rate is."""


def errors(reading: Reading, seconds: float) -> Checked:
    """The error rate by the bands of its rule, and how many errors there are of what."""
    now = reading.now_unix_nano
    period = Period(now - int(seconds * NANO), now)
    if not reading.chosen_folder.is_dir():
        return Checked([], f"{reading.chosen_folder}: no such folder")
    groups = error_groups(reading.engine, period)
    count = sum(one.count for one in groups)
    worst = groups[0] if groups else None
    detail = f"most: {worst.error_type}: {worst.message}, {worst.count} times" if worst else ""
    counted = Component("errors", "warning" if count >= _MANY_ERRORS else "normal", float(count), detail=detail)
    return Checked([_rate(reading, response_times(reading.engine, period)[0]), counted])


def _rate(reading: Reading, times: RequestTimes) -> Component:
    rule = next((one for one in rules_of(reading) if one.name == "http.server.error_rate"), None)
    if rule is None or times.requests < rule.settings.minimum_count:
        return Component("http.server.error_rate", "no data", detail=f"{times.requests} requests are too few")
    rate = times.errors / times.requests
    band = band_of(rule.bands, rate) if times.errors >= rule.settings.minimum_failures else "normal"
    told = f"{times.errors} of {times.requests} requests"
    return Component(rule.name, band, rate, "ratio", detail=told, bound=bound(rule, band))
