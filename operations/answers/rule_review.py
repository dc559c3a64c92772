"""`rules review`: which rules are noisy, which flap, and which never say anything."""

from __future__ import annotations

from typing import Any

import click

from alerting import history
from alerting.history import Episode
from analysis.json_values import period_json
from analysis.period import DAY_NANO
from analysis.published import published
from operations.reading import Answer, Reading
from operations.tables import lasted, period_text, show_table
from processors.judging_settings import KnownRule
from storage import State
from storage.names import OWN_FOLDER

_NOISY_A_WEEK = 7.0
"""Alerts of a rule; more than one a day teaches people to look away."""
_SHORT_SECONDS = 300.0
_FLAPPING = 3
"""Alerts of one key within an hour of each other."""
_NEAR_SECONDS = 3600.0


def review(reading: Reading) -> Answer:
    """Every rule with its alerts of the period, those with something to say about them first."""
    found = reviewed(reading)
    content = {**period_json(reading.period), "rules": found}

    def show() -> None:
        click.echo(period_text(reading.period))
        columns = ("rule", "alerts", "a week", "median", "short", "told", "acknowledged", "verdict", "advice")
        rows = [
            (
                one["rule"],
                one["episodes"],
                f"{one['a_week']:.1f}",
                lasted(one["median_seconds"]) if one["median_seconds"] is not None else "",
                one["short"],
                one["notified"],
                one["acknowledged"],
                ", ".join(one["verdicts"]) or "fine",
                one["advice"],
            )
            for one in found
        ]
        show_table(columns, rows, right=columns[1:7], spare=("short", "median", "told", "acknowledged"))

    return Answer(content, show)


def reviewed(reading: Reading) -> list[dict[str, Any]]:
    """A value for each rule."""
    episodes = episodes_of(reading)
    judged = published(reading.chosen_folder, reading.now_unix_nano)
    blind = {one["rule"] for one in judged.evaluations if one["band"] == "no data"}
    rules = reading.judging.known_rules()
    by_rule: dict[str, list[Episode]] = {name: [] for name in rules}
    for episode in episodes:
        by_rule.setdefault(episode.rule, []).append(episode)
    weeks = max(reading.period.nanos / (7 * DAY_NANO), 1 / 7)
    made = [_reviewed(name, group, rules.get(name), weeks, name in blind) for name, group in by_rule.items()]
    return sorted(made, key=lambda one: (not one["verdicts"], -one["episodes"], one["rule"]))


def episodes_of(reading: Reading) -> list[Episode]:
    """The alerts of the period, from the state database, which keeps them ninety days."""
    path = reading.folder / OWN_FOLDER / "state.db"
    if not path.is_file():
        return []
    state = State.open(path)
    try:
        return history.episodes(history.journal(state, reading.period.start_unix_nano, reading.period.end_unix_nano))
    finally:
        state.close()


def _reviewed(
    name: str,
    group: list[Episode],
    rule: KnownRule | None,
    weeks: float,
    blind: bool,  # noqa: FBT001  # one of several facts
) -> dict[str, Any]:
    lengths = sorted((one.ended_at - one.began_at) / 1e9 for one in group if one.ended_at)
    short = sum(length < _SHORT_SECONDS for length in lengths)
    a_week = len(group) / weeks
    verdicts = []
    if rule is not None and not rule.enabled:
        verdicts.append("switched off")
    elif not group:
        verdicts.append("silent")
    if a_week > _NOISY_A_WEEK:
        verdicts.append("noisy")
    if _flaps(group):
        verdicts.append("flapping")
    return {
        "rule": name,
        "episodes": len(group),
        "a_week": a_week,
        "median_seconds": lengths[len(lengths) // 2] if lengths else None,
        "short": short,
        "notified": sum(one.notified for one in group),
        "acknowledged": sum(bool(one.acknowledged) for one in group),
        "verdicts": verdicts,
        "advice": _advice(name, rule, verdicts, blind),
    }


def _flaps(group: list[Episode]) -> bool:
    """Whether one alert came back again and again within an hour."""
    by_alert: dict[str, list[int]] = {}
    for one in group:
        by_alert.setdefault(one.id, []).append(one.began_at)
    return any(
        times[index + _FLAPPING - 1] - times[index] < _NEAR_SECONDS * 1e9
        for times in map(sorted, by_alert.values())
        for index in range(len(times) - _FLAPPING + 1)
    )


def _advice(name: str, rule: KnownRule | None, verdicts: list[str], blind: bool) -> str:  # noqa: FBT001  # as above
    if rule is not None and rule.way[0] != "thresholds":
        return f"see: forecourt runbook alert {name}" if {"flapping", "noisy"} & set(verdicts) else ""
    if "flapping" in verdicts:
        return f"give it `clear` or a longer `for`: forecourt rules tune {name}"
    if "noisy" in verdicts:
        return f"raise its bound: forecourt rules tune {name}"
    if "silent" in verdicts and blind:
        return "it has no data: see forecourt report coverage"
    return ""
