"""Alerts: what fires, what may soon, what did, and who was told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from alerting import history, records
from alerting.alert import Alert
from alerting.history import Episode
from alerting.receiver_problems import receiver_problems
from alerting.routing import Routes
from alerting.severity import rank
from alerting.silence import describe
from alerting.who_is_told import who_is_told
from analysis.published import published
from dashboard.bands import band_ranges
from dashboard.charts import Line as ChartLine
from dashboard.charts import TimelineItem, lines, timeline
from dashboard.page import Asked, NotThereError, Page
from processors.judging_settings import KnownRule
from storage.state import State
from storage.value_rows import RecordedValues, recorded_values

_MILLI = 1_000_000
_MOST_ROWS = 40
_MOST_SHOWN = 200


async def listed(asked: Asked) -> dict[str, Any]:
    now, period = asked.view.now_unix_nano, asked.view.period
    judged = await asyncio.to_thread(published, asked.site.folder, now)
    found = await asked.records.known([], _alerts)
    episodes = await asked.records.known([], history.fired, period.start_unix_nano, period.end_unix_nano, now)
    silences = [one for one in await asked.records.known([], records.silences) if one.ends_at > now]
    firing = [one for one in found if one.status == "firing"]
    pending = [one for one in found if one.status == "pending"]
    return {
        "problem": judged.problem,
        "firing": firing[:_MOST_SHOWN],
        "pending": pending[:_MOST_SHOWN],
        "firing_count": len(firing),
        "pending_count": len(pending),
        "episodes": sorted(episodes, key=lambda one: -one.began_at)[:_MOST_SHOWN],
        "episode_count": len(episodes),
        "timeline": _timeline(episodes, period.start_unix_nano, min(period.end_unix_nano, now)),
        "patterns": [one for one in history.patterns(episodes, now) if one.advice][:10],
        "silences": [(one, describe(one)) for one in silences],
        "waiting": await asked.records.known([], history.waiting),
    }


PAGE = Page("/alerts", "Alerts", "alerts.html.j2", listed, last="24h", refresh="10s")


def _alerts(state: State) -> list[Alert]:
    return history.alerts(state, ended=False)


def _timeline(episodes: Sequence[Episode], start: int, end: int) -> dict[str, Any]:
    """A row for each alert, those that fired most at the top."""
    rows: dict[str, list[Episode]] = {}
    for one in episodes:
        rows.setdefault(one.name, []).append(one)
    names = sorted(rows, key=lambda name: (-max(rank(one.severity) for one in rows[name]), -len(rows[name]), name))
    items = [
        TimelineItem(
            row,
            max(start, one.began_at) // _MILLI,
            min(end, one.ended_at or end) // _MILLI,
            one.severity,
            one.summary,
            f"/alerts/{one.id}",
        )
        for row, name in enumerate(names[:_MOST_ROWS])
        for one in rows[name]
    ]
    return timeline(names[:_MOST_ROWS], items, start_ms=start // _MILLI, end_ms=end // _MILLI)


async def one(asked: Asked) -> dict[str, Any]:
    wanted = asked.names["alert"]
    known = await asked.records.state(_named, wanted)
    if known is None:
        raise NotThereError(
            f"no alert {wanted[:40]} is known here. It may have ended more than 90 days ago; Alerts has the others"
        )
    site, now = asked.site, asked.view.now_unix_nano
    silences = await asked.records.known([], records.silences)
    rule = site.judging.known_rules().get(known.rule)
    values = await asked.records.known([], recorded_values, known.rule)
    problems = await _problems(asked)
    told = who_is_told(site.alerting, problems, known.matching, silences, now)
    story = await asked.records.state(history.story, known.id)
    return {
        "alert": known,
        "rule": rule.description if rule else None,
        "told": told,
        "story": story[-_MOST_SHOWN:],
        "earlier": max(0, len(story) - _MOST_SHOWN),
        "course": _course(asked, known, rule, values),
        "matchers": "\n".join(_matcher(label, value) for label, value in (("alertname", known.rule), *known.key)),
    }


ONE = Page("/alerts/{alert}", "Alert", "alert.html.j2", one, last="24h", refresh="10s", section="/alerts")


def _matcher(label: str, value: str) -> str:
    """As the form of silences takes it: on one line, whatever the value holds."""
    if value.isprintable():
        return f'{label} = "{value}"'
    pattern = "".join(re.escape(one) if one.isprintable() else "." for one in value)
    return f'{label} =~ "(?s){pattern}"'


def _named(state: State, wanted: str) -> Alert | None:
    return next((one for one in history.find(state, wanted) if one.id == wanted), None)


def _course(
    asked: Asked, alert: Alert, rule: KnownRule | None, values: Sequence[RecordedValues]
) -> dict[str, Any] | None:
    """What its rule measured in the last day; None where nobody wrote it down."""
    found = next((one for one in values if one.key == alert.key), None)
    if found is None or not found.slots:
        return None
    bands = band_ranges(asked.site, alert.rule) if rule is not None and rule.way[0] == "thresholds" else []
    times = [time // _MILLI for time, _ in found.slots]
    return lines(times, [ChartLine(alert.rule, [value for _, value in found.slots])], unit=alert.unit, bands=bands)


async def _problems(asked: Asked) -> dict[str, str]:
    settings = asked.site.alerting
    return await asked.records.known(receiver_problems(None, settings), receiver_problems, settings)


async def routing(asked: Asked) -> dict[str, Any]:
    settings, now = asked.site.alerting, asked.view.now_unix_nano
    problems = await _problems(asked)
    silences = await asked.records.known([], records.silences)
    label = asked.choice("severity", ("critical", "high", "medium", "low"))
    tried = {"alertname": asked.text("rule", "host.disk"), "severity": label}
    return {
        "receivers": [
            (name, receiver.channel, ", ".join(receiver.email.to) if receiver.email else "", problems[name])
            for name, receiver in settings.receivers.items()
        ],
        "routes": list(settings.routes.items()),
        "tried": tried,
        "told": who_is_told(settings, problems, tried, silences, now),
        "takes": [one.name for one in Routes(settings.routes).of(tried)],
        "rules": sorted(asked.site.judging.known_rules()),
        "storm": settings.storm,
        "escalation": settings.escalation,
    }


ROUTING = Page(
    "/alerts/routes", "Routes and channels", "routes.html.j2", routing, refresh="off", section="/alerts", ranged=False
)
