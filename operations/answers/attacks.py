"""`security anomalies auth|user|access|data`: what happened, by which rule, on what evidence, and how to let it be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from alerting.plain_text import plain
from analysis.allowances import allowance
from analysis.attacks import Attacks, Episode, attacks
from analysis.json_values import as_json, period_json, rfc3339
from operations.reading import Answer, Reading
from operations.tables import console, moment, period_text, severity_text, show_table
from processors.description import Description
from processors.security.settings import BreachSettings, CountingSettings, NewPlaceSettings, RuleSettings
from processors.security.sighting import LOGIN, REFUSAL, Sighting
from processors.security.users import Login

_SHOWN = (
    "user.id",
    "client.address",
    "url.path",
    "http.response.status_code",
    "http.response.body.size",
    "event.reason",
)
_EXPORT = "data.export"


def auth(reading: Reading, limit: int) -> Answer:
    """Guessing, spraying, stuffing, and logins after it."""
    return _answer(reading, limit, _about_logins)


def user(reading: Reading, limit: int) -> Answer:
    """Logins that are odd for their user; new places are alarms, the rest is only told."""
    return _answer(reading, limit, lambda rule: isinstance(rule, NewPlaceSettings), logins=True)


def access(reading: Reading, limit: int) -> Answer:
    """Scanning, the rate limit, and what rules of your own are about."""
    own = (LOGIN, _EXPORT)
    return _answer(reading, limit, lambda rule: isinstance(rule, CountingSettings) and rule.event not in own)


def data(reading: Reading, limit: int) -> Answer:
    """Exports that are more, or more often, than usual."""
    return _answer(reading, limit, lambda rule: isinstance(rule, CountingSettings) and rule.event == _EXPORT)


def _about_logins(rule: RuleSettings) -> bool:
    if isinstance(rule, CountingSettings):
        return rule.event == LOGIN
    return not isinstance(rule, NewPlaceSettings)


def _answer(reading: Reading, limit: int, wanted: Callable[[RuleSettings], bool], *, logins: bool = False) -> Answer:
    settings = reading.judging.security
    rules = settings.rules
    needed = {name for name, rule in rules.items() if wanted(rule)}
    needed |= {source for name in needed for source in _sources(rules[name])}
    on = {name: rule for name, rule in rules.items() if name in needed}
    found = attacks(
        reading.engine, reading.period, settings.model_copy(update={"rules": on}), reading.thresholds.lateness
    )
    found.episodes = [one for one in found.episodes if wanted(rules[one.rule])][:limit]
    odd = found.logins[:limit] if logins else []
    content = {
        **period_json(reading.period),
        "enabled": settings.enabled,
        "episodes": [_episode_json(one, found.descriptions[one.rule]) for one in found.episodes],
        **({"odd_logins": [_login_json(one) for one in odd]} if logins else {}),
    }
    return Answer(content, lambda: _show(reading, found, odd, enabled=settings.enabled))


def _sources(rule: RuleSettings) -> Sequence[str]:
    return rule.after if isinstance(rule, BreachSettings) else ()


def _show(reading: Reading, found: Attacks, odd: Sequence[Login], *, enabled: bool) -> None:
    click.echo(period_text(reading.period))
    if not enabled:
        click.echo("processors.security.enabled is false: nobody judges this")
    if not found.episodes and not odd:
        click.echo("nothing unusual")
        return
    for episode in found.episodes:
        _show_episode(episode, found.descriptions[episode.rule])
    if found.episodes:
        click.echo('\nwhat stands at "if fine" goes below processors.security of the configuration')
    if odd:
        click.echo("\nodd for their user, and no alarm by themselves:")
        columns = ("time (UTC)", "user", "address", "browser", "what")
        show_table(columns, map(_login_row, odd), spare=("browser",))


def _show_episode(one: Episode, rule: Description) -> None:
    out = console()
    click.echo()
    out.print(severity_text(one.severity), plain(one.summary, 200), highlight=False, markup=False)
    technique = rule.labels.get("mitre_attack_id", "")
    lines = [
        ("rule", f"{one.rule}: {'; '.join(rule.bounds)}" + (f" (MITRE ATT&CK {technique})" if technique else "")),
        ("when", _when(one)),
        *(("evidence" if not number else "", text) for number, text in enumerate(_evidence(one))),
        ("if fine", allowance(one)),
    ]
    for name, text in lines:
        out.print(f"  {name:<9}{plain(text, 300)}", highlight=False, markup=False)


def _when(one: Episode) -> str:
    first, last = moment(one.first_unix_nano), moment(one.last_unix_nano)
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"


def _evidence(one: Episode) -> list[str]:
    lines = [_line(seen) for seen in one.evidence]
    hidden = one.sightings - len(lines)
    if hidden > 0:
        lines.insert(-1, f"… {hidden:,} more …")
    return lines


def _line(seen: Sighting) -> str:
    told = [f"{name}={plain(str(seen.labels[name]), 80)}" for name in _SHOWN if seen.labels.get(name)]
    trace = [f"trace={plain(seen.trace_id, 32)}"] if seen.trace_id else []
    outcome = f" {seen.outcome}" if seen.outcome and seen.event != REFUSAL else ""
    return f"{moment(seen.time_unix_nano)} {seen.event}{outcome} {' '.join([*told, *trace])}"


def _login_row(one: Login) -> Sequence[object]:
    who = plain(one.user, 40), plain(one.address, 50), plain(one.family, 30)
    return moment(one.time_unix_nano), *who, _oddity(one)


def _oddity(login: Login) -> str:
    parts = [
        "new network" if login.new_network else "",
        "new browser" if login.new_family else "",
        "" if login.usual else "unusual hour",
    ]
    return ", ".join(filter(None, parts))


def _episode_json(one: Episode, rule: Description) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "bounds": list(rule.bounds),
        "mitre_attack_id": rule.labels.get("mitre_attack_id", ""),
        "key": one.key,
        "severity": one.severity,
        "first": rfc3339(one.first_unix_nano),
        "last": rfc3339(one.last_unix_nano),
        "count": one.count,
        "distinct": one.distinct,
        "total": one.total,
        "summary": one.summary,
        "sightings": one.sightings,
        "evidence": [_seen_json(seen) for seen in one.evidence],
        "allow": allowance(one),
    }


def _seen_json(seen: Sighting) -> dict[str, Any]:
    told = {name: seen.labels[name] for name in _SHOWN if seen.labels.get(name)}
    return {
        "timestamp": rfc3339(seen.time_unix_nano),
        "event": seen.event,
        "outcome": seen.outcome,
        "trace_id": seen.trace_id,
        "attributes": told,
    }


def _login_json(one: Login) -> dict[str, Any]:
    return as_json(
        {
            "time_unix_nano": one.time_unix_nano,
            "user": one.user,
            "address": one.address,
            "network": one.network,
            "browser": one.family,
            "new_network": one.new_network,
            "new_browser": one.new_family,
            "usual_hour": one.usual,
            "trace_id": one.trace_id,
        }
    )
