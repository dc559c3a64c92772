"""`baseline compare`, and what `baseline update` would learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.text import Text

from alerting.plain_text import plain
from analysis.json_values import period_json, rfc3339
from operations.baseline_records import baseline_of, no_such, opened, recent_windows, row_of
from operations.reading import Answer, Reading
from operations.tables import BAND_COLOURS, period_text, seconds_text, share_text, show_table
from processors.baselines.baseline import Baseline, BaselineError, Subject
from processors.baselines.comparing import ERROR_RATE, Finding, Usual, conclude
from processors.baselines.comparing import compare as compared
from processors.baselines.settings import LEVELS, BaselineSettings

_NAME_LENGTH = 60
_NO_ROUTE = "(no route)"
_MOST_TOLD = 10
_TOLD_ALWAYS = "p95"
_WORSE = "these are worse than before; once learnt they pass for usual. Look first: forecourt baseline compare"


def named(subject: Subject) -> str:
    """`GET /orders`, `SELECT work_orders`."""
    _, kind, name = subject.values
    told = f"{kind} {name or _NO_ROUTE}" if subject.indicator == "http.server.response_time" else name
    return plain(told, _NAME_LENGTH)


def compare(reading: Reading, name: str, deviation: float | None) -> Answer:
    """Exit code 1 where something is worse by more than `deviation`."""
    settings = reading.judging.baselines
    with opened(reading) as state:
        row = row_of(state, name)
        if row is None:
            told = no_such(state, name)
            return Answer(None, lambda: click.echo(told, err=True))
    try:
        baseline = baseline_of(row)
    except BaselineError as error:
        raise click.ClickException(str(error)) from error
    findings = compared(baseline, recent_windows(reading, baseline.hours, settings), settings)
    deviating = [one for one in findings if deviation is not None and one.exceeds(deviation, settings.alpha)]
    content = {
        **period_json(reading.period),
        "baseline": baseline.name,
        "created": rfc3339(baseline.created_unix_nano),
        "deviation": deviation,
        "deviating": len(deviating),
        "findings": [_json(one, settings) for one in findings],
    }

    def show() -> None:
        click.echo(f'{period_text(reading.period)}, against the baseline "{baseline.name}"')
        _show_findings(findings, settings)
        if deviating:
            click.echo(f"{len(deviating)} measures are worse by more than {share_text(deviation)}")

    return Answer(content, show, code=1 if deviating else 0)


def _json(finding: Finding, settings: BaselineSettings) -> dict[str, Any]:
    return {
        "indicator": finding.subject.indicator,
        "key": dict(finding.subject.key),
        "hours": list(finding.hours),
        "measure": finding.measure or None,
        "then": _number(finding.then),
        "now": _number(finding.now),
        "ratio": _number(finding.ratio),
        "low": _number(finding.low),
        "high": _number(finding.high),
        "p": finding.p if finding.measure else None,
        "level": finding.level,
        "verdict": _verdict(finding, settings),
        "windows": finding.windows,
        "samples": finding.samples,
        "insufficient": finding.insufficient,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _verdict(finding: Finding, settings: BaselineSettings) -> str:
    if finding.insufficient:
        return f"insufficient data: {finding.insufficient}"
    if not finding.level:
        return "as it was"
    told = f"{'fails more' if finding.measure == ERROR_RATE else 'slower'}: {finding.level}"
    share = settings.levels.shares[LEVELS.index(finding.level)]
    return f"{told}, but so each day at this hour" if finding.at_this_hour <= 1 + share else told


def _show_findings(findings: Sequence[Finding], settings: BaselineSettings) -> None:
    """What is worse first; of what is not its p95; then what nothing can be said of."""
    worse = sorted((one for one in findings if one.level), key=lambda one: -one.ratio)
    known = {one.subject for one in worse}
    same = [one for one in findings if one.measure == _TOLD_ALWAYS and one.subject not in known]
    poor = [one for one in findings if one.insufficient and one.windows]
    unseen = sum(1 for one in findings if one.insufficient and not one.windows)
    if worse or same or poor:
        columns = ("route or query", "measure", "then", "now", "ratio", "95 % interval", "p", "verdict")
        rows = [_row(one, settings) for one in (*worse, *same, *poor)]
        show_table(columns, rows, right=columns[2:7], spare=("p", "95 % interval"))
    if unseen:
        told = f"{unseen} routes and queries have no window of {settings.minimum_requests} in this time"
        click.echo(f"{told}; a longer one may have: --last 24h")


def _row(finding: Finding, settings: BaselineSettings) -> Sequence[object]:
    verdict = _verdict(finding, settings)
    if finding.insufficient:
        return named(finding.subject), "", "", "", "", "", "", Text(verdict, "dim")
    shown = share_text if finding.measure == ERROR_RATE else seconds_text
    colour = BAND_COLOURS["normal" if not finding.level else "critical" if finding.level == "high" else "warning"]
    return (
        named(finding.subject),
        "errors" if finding.measure == ERROR_RATE else finding.measure,
        shown(finding.then),
        shown(finding.now),
        f"{finding.ratio:.2f}",
        f"{finding.low:.2f} to {finding.high:.2f}",
        f"{finding.p:.2g}",
        Text(verdict, colour),
    )


@dataclass(frozen=True, slots=True)
class Learning:
    """What a new baseline says against the one before; `worse` is what would pass for usual from then on."""

    new: Sequence[Subject]
    gone: Sequence[Subject]
    worse: Sequence[Finding]

    def to_json(self) -> dict[str, Any]:
        return {
            "new": [dict(subject.key) for subject in self.new],
            "gone": [dict(subject.key) for subject in self.gone],
            "worse": [
                {
                    "indicator": one.subject.indicator,
                    "key": dict(one.subject.key),
                    "hours": one.hours[0],
                    "measure": one.measure,
                    "then": one.then,
                    "now": one.now,
                    "ratio": one.ratio,
                    "level": one.level,
                }
                for one in self.worse
            ],
        }

    def show(self) -> None:
        for told, subjects in (("new", self.new), ("gone", self.gone)):
            if subjects:
                more = f" and {len(subjects) - _MOST_TOLD} more" if len(subjects) > _MOST_TOLD else ""
                click.echo(f"{told}: {', '.join(map(named, subjects[:_MOST_TOLD]))}{more}")
        if self.worse:
            columns = ("route or query", "hours", "measure", "then", "now", "ratio")
            rows = [(named(one.subject), one.hours[0], *_row_numbers(one)) for one in self.worse]
            show_table(columns, rows, right=columns[3:])
            click.echo(
                _WORSE,
                err=True,
            )


def _row_numbers(finding: Finding) -> Sequence[str]:
    shown = share_text if finding.measure == ERROR_RATE else seconds_text
    measure = "errors" if finding.measure == ERROR_RATE else finding.measure
    return measure, shown(finding.then), shown(finding.now), f"{finding.ratio:.2f}"


def what_would_be_learnt(before: Baseline | None, made: Baseline, settings: BaselineSettings) -> Learning:
    """All windows of each class of hours against those of before."""
    if before is None:
        return Learning((), (), ())
    findings: list[Finding] = []
    for subject, known in made.keys.items():
        if subject in before.keys:
            usual = Usual(subject, before.keys[subject], before.hours, settings)
            for windows in known.values():
                findings += usual.compare(windows)
    worse = [one for one in conclude(findings, settings) if one.level]
    return Learning(
        new=[subject for subject in made.keys if subject not in before.keys],
        gone=[subject for subject in before.keys if subject not in made.keys],
        worse=sorted(worse, key=lambda one: -one.ratio),
    )
