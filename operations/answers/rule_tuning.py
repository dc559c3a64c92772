"""`rules tune`: bounds that would have cried less, reckoned from the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from analysis.json_values import period_json
from analysis.tuning import Minutes, Proposal, can_be_tuned, courses, propose
from operations.checks.judged import rules_of
from operations.reading import Answer, Reading
from operations.rule_changes import banding, carried_out, changed, file_in_use, tell
from operations.tables import period_text, show_table
from processors.evaluation import format_value
from processors.rules import Rule


def tune(reading: Reading, names: tuple[str, ...], a_week: float, write: bool) -> Answer:  # noqa: FBT001  # from click
    """Of the rules that are named, or of all that rollups can tell."""
    rules = {rule.name: rule for rule in rules_of(reading)}
    for name in names:
        if name not in rules:
            raise click.UsageError(f"{name}: there is no such rule that is switched on; see: forecourt rules list")
    period = reading.period
    wanted = [rules[name] for name in names] if names else [rule for rule in rules.values() if can_be_tuned(rule)]
    untold = [rule.name for rule in rules.values() if not can_be_tuned(rule)]
    known: dict[str, Minutes] = {}
    proposals = [
        propose(rule, courses(reading.engine, rule, period, known), period, a_week)
        for rule in wanted
        if can_be_tuned(rule)
    ]
    better = [one for one in proposals if list(one.bands) != list(rules[one.rule].bands)]
    path = file_in_use(reading.config)
    changes = [
        change for one in better for change in banding(reading.source, one.rule, rules[one.rule].bands, one.bands)
    ]
    difference = carried_out(path, *changed(path, changes), write=write) if changes else ""
    content = {
        **period_json(period),
        "a_week": a_week,
        "rules": [_json(one, rules[one.rule]) for one in proposals],
        "not_reckoned": untold,
        "diff": difference,
        "written": write and bool(difference),
    }

    def show() -> None:
        click.echo(period_text(period))
        columns = ("rule", "usual", "99 %", "99.9 %", "alerts", "with the proposal", "bounds", "proposed")
        show_table(columns, [_row(one, rules[one.rule]) for one in proposals], right=columns[1:6], spare=columns[1:4])
        click.echo(f"not to be reckoned from rollups: {', '.join(untold) or 'none'}")
        if difference:
            tell(path, difference, written=write)
        else:
            click.echo("no bound would have to change")

    return Answer(content, show)


def _json(one: Proposal, rule: Rule) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "minutes": one.minutes,
        "median": one.usual[0] if one.minutes else None,
        "p99": one.usual[1] if one.minutes else None,
        "p99.9": one.usual[2] if one.minutes else None,
        "alerts": one.before,
        "alerts_proposed": one.after,
        "bounds": [str(band.when) for band in rule.bands],
        "proposed": [str(band.when) for band in one.bands],
    }


def _row(one: Proposal, rule: Rule) -> Sequence[object]:
    unit = rule.unit
    usual = [format_value(value, unit) if one.minutes else "" for value in one.usual]
    bounds, proposed = ([str(band.when) for band in bands] for bands in (rule.bands, one.bands))
    told = ", ".join(proposed) if proposed != bounds else "as they are"
    return one.rule, *usual, one.before, one.after, ", ".join(bounds), told
