"""Security: who tries to get in, what was noticed, and on what evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from alerting import history
from alerting.history import Episode
from analysis.allowances import allowance
from analysis.attacks import Attacks, attacks
from analysis.engine import Engine
from analysis.events import Moment, event_counts, event_course, moments
from analysis.period import DAY_NANO, Period
from analysis.published import published
from analysis.security import Logins, logins, rate_limits, suspicions
from dashboard.charts import Line, TimelineItem, bars, timeline
from dashboard.page import Asked, Page
from dashboard.records import Same
from processors.description import Description
from processors.security.settings import SecuritySettings
from processors.security.sighting import USER, Sighting
from processors.security.users import Login
from storage.state import State

_PARTS = 60
_EVENTS = 50
_TOP = 15
_THRESHOLD, _WITHIN_SECONDS = 5, 900.0
_LONGEST_REPLAY_NANO = 7 * DAY_NANO
_REPLAY_FRESH_SECONDS = 120.0
_MILLI = 1_000_000
_TECHNIQUE = "mitre_attack_id"
_EXPORT = "data.export"
_EVIDENCE = ("user.id", "client.address", "url.path", "http.response.status_code", "event.reason")


async def content(asked: Asked) -> dict[str, Any]:
    period, ask = asked.view.period, asked.records.ask
    by_user, by_address, course, limited = await asyncio.gather(
        ask(_logins, period, by_user=True),
        ask(_logins, period, by_user=False),
        ask(_course, period),
        ask(rate_limits, period),
    )
    last, exports, suspicious, fired = await asyncio.gather(
        ask(_moments, period),
        ask(_exports, period),
        ask(_suspicious, period),
        asked.records.known([], history.fired, period.start_unix_nano, period.end_unix_nano, asked.view.now_unix_nano),
    )
    rules = {name: rule.description for name, rule in asked.site.judging.known_rules().items()}
    attacks_told = sorted((one for one in fired if _is_security(rules.get(one.rule))), key=lambda one: -one.began_at)
    return {
        **await _now(asked, rules),
        "successes": sum(one.successes for one in by_user),
        "failures": sum(one.failures for one in by_user),
        "users": _failing(by_user),
        "addresses": _failing(by_address),
        "logins": _login_chart(period, course),
        "limited": limited[:_TOP],
        "limited_hits": sum(one.hits for one in limited),
        "events": last,
        "exports": exports,
        "suspicious": suspicious[:_TOP],
        "episodes": attacks_told,
        "techniques": _by_technique(attacks_told, rules, asked),
        "replayable": period.nanos <= _LONGEST_REPLAY_NANO,
    }


async def _now(asked: Asked, rules: Mapping[str, Description]) -> dict[str, Any]:
    """What goes on, and whether anybody would notice it."""
    moves, enabled = asked.view.moves, asked.site.judging.security.enabled
    judged = await asyncio.to_thread(published, asked.site.folder, asked.view.now_unix_nano)
    open_ = await asked.records.known([], _firing) if moves else []
    firing = [one for one in open_ if _is_security(rules.get(one.rule))]
    quiet = "normal" if enabled and moves and not judged.problem else "no data"
    return {
        "problem": judged.problem if moves else "",
        "now": "critical" if firing else quiet,
        "firing": firing,
        "enabled": enabled,
    }


PAGE = Page("/security", "Security", "security.html.j2", content, last="24h", refresh="10s")


async def replay(asked: Asked) -> dict[str, Any]:
    """The records judged again, for what no alert tells: the evidence, and what would let it be."""
    period, site = asked.view.period, asked.site
    if period.nanos > _LONGEST_REPLAY_NANO:
        return {"problem": "Choose at most 7 days: every event of the time is judged again.", "found": None}
    key = ("attacks", period)
    judged = await asked.records.shared(
        key,
        lambda: asked.records.ask(_attacks, Same(site.judging.security), site.judging.thresholds.lateness, period),
        _REPLAY_FRESH_SECONDS,
    )
    return {
        "problem": "",
        "found": judged,
        "episodes": [
            (one, allowance(one), [_told(seen) for seen in one.evidence]) for one in judged.episodes[:_EVENTS]
        ],
        "at_risk": _at_risk(judged),
        "odd": [(one, _oddity(one)) for one in judged.logins[:_EVENTS]],
    }


REPLAY = Page(
    "/security/evidence", "Evidence", "evidence.html.j2", replay, last="24h", refresh="off", section="/security"
)


def _firing(state: State) -> list[Episode]:
    """Also what began so long ago that the history of a week does not tell of it; the worst first."""
    return [
        Episode(one.id, one.rule, dict(one.key), one.severity, one.firing_since, summary=one.summary)
        for one in history.alerts(state, ended=False)
        if one.status == "firing"
    ]


def _attacks(engine: Engine, security: Same[SecuritySettings], lateness: float, period: Period) -> Attacks:
    return attacks(engine, period, security.value, lateness)


def _logins(engine: Engine, period: Period, *, by_user: bool) -> list[Logins]:
    return logins(engine, period, by_user=by_user)


def _course(engine: Engine, period: Period) -> list[tuple[int, int]]:
    return event_course(engine, period, "security", ("auth.login",), _PARTS)


def _moments(engine: Engine, period: Period) -> list[Moment]:
    return moments(engine, period, "security", (), _EVENTS)


def _exports(engine: Engine, period: Period) -> tuple[list[Any], list[Moment]]:
    return event_counts(engine, period, "security", (_EXPORT,)), moments(engine, period, "security", (_EXPORT,), _TOP)


def _suspicious(engine: Engine, period: Period) -> list[Any]:
    return suspicions(engine, period, _THRESHOLD, _WITHIN_SECONDS)


def _failing(found: Sequence[Logins]) -> list[Logins]:
    return [one for one in found if one.failures][:_TOP]


def _login_chart(period: Period, course: Sequence[tuple[int, int]]) -> dict[str, Any]:
    times = [part.start_unix_nano // _MILLI for part in period.cut(_PARTS)]
    series = [
        Line("succeeded", [one for one, _ in course]),
        Line("failed", [one for _, one in course], tone="critical"),
    ]
    return bars(times, series, unit="1")


def _is_security(rule: Description | None) -> bool:
    return rule is not None and rule.labels.get("category") == "security"


def _by_technique(found: Sequence[Episode], rules: dict[str, Description], asked: Asked) -> dict[str, Any] | None:
    """When what was noticed, by MITRE ATT&CK technique."""
    if not found:
        return None
    period, now = asked.view.period, asked.view.now_unix_nano
    names = {one.rule: f"{rules[one.rule].labels.get(_TECHNIQUE, '')} {one.rule}".strip() for one in found}
    rows = sorted(set(names.values()))
    start, end = period.start_unix_nano, min(period.end_unix_nano, now)
    items = [
        TimelineItem(
            rows.index(names[one.rule]),
            max(start, one.began_at) // _MILLI,
            min(end, one.ended_at or end) // _MILLI,
            one.severity,
            one.summary,
            f"/alerts/{one.id}",
        )
        for one in found
    ]
    return timeline(rows, items, start_ms=start // _MILLI, end_ms=end // _MILLI)


def _told(seen: Sighting) -> dict[str, Any]:
    told = {name: seen.labels[name] for name in _EVIDENCE if seen.labels.get(name)}
    return {
        "time": seen.time_unix_nano,
        "event": seen.event,
        "outcome": seen.outcome,
        "labels": told,
        "trace": seen.trace_id,
    }


def _at_risk(judged: Attacks) -> list[tuple[str, list[str]]]:
    """Users by what speaks for somebody else having their password; those with most of it first."""
    reasons: dict[str, list[str]] = {}
    for one in judged.episodes:
        if user := one.key.get(USER):
            reasons.setdefault(user, []).append(f"{one.severity}: {one.summary}")
    for login in judged.logins:
        if login.user and login.new_network and login.new_family:
            reasons.setdefault(login.user, []).append(f"low: logged in from {login.address}: {_oddity(login)}")
    return sorted(reasons.items(), key=lambda one: (-len(one[1]), one[0]))[:_TOP]


def _oddity(login: Login) -> str:
    parts = (
        "new network" if login.new_network else "",
        "new browser" if login.new_family else "",
        "" if login.usual else "unusual hour",
    )
    return ", ".join(filter(None, parts))
