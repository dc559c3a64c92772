"""Rules: what each measures now, and what other bounds would have done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from analysis.json_values import as_json
from analysis.published import published
from dashboard.api.problems import documented
from dashboard.api.question import Now, OverWeek
from dashboard.api.values import Band, Labels, Model, Moment, Number, Ranged, Seconds, Text
from dashboard.operating import RefusedError
from dashboard.page import NotThereError
from dashboard.pages import rules as page
from dashboard.view import ViewError
from processors.judging_settings import KnownRule

ROUTER = APIRouter(prefix="/rules", tags=["rules"])
_Name = Annotated[str, Path(max_length=256, description="As /rules has it.")]
_MOST_EVALUATIONS = 200


class Evaluation(Model):
    """One key of a rule, as it was judged last."""

    key: Labels
    value: Number
    """In `unit`; null without data."""
    unit: Text
    """s, By, ratio for a share of 1, or 1 for a count."""
    band: Band
    severity: Text
    """Of its alert; empty when it neither fires nor may soon."""
    status: Text
    samples: int
    window_seconds: Seconds
    since: Moment | None
    traces: list[Text]
    detail: Text
    summary: Text


class Rule(Model):
    name: Text
    judge: Text
    """threshold, baseline, anomaly or security."""
    enabled: bool
    indicator: Text
    """What it measures; empty where it is more than one thing."""
    bounds: list[Text]
    """In words, from mild to severe."""
    next_steps: list[Text]
    labels: Labels
    band: Band
    """The worst of all its keys."""
    keys: int
    evaluations: list[Evaluation]
    """The worst first; at most 200."""


class Rules(Model):
    problem: Text | None
    """Why there are no values; null when there are."""
    rules: list[Rule]


class Happened(Model):
    """When it would have fired."""

    key: list[Text]
    start: Moment | None
    end: Moment | None
    level: Text
    severity: Text
    """The worst of that time."""
    ended: bool


class Change(Model):
    """What to write into the configuration."""

    file: Text
    difference: Text
    problem: Text
    """Why it can't be written; empty when it can."""


class Backtest(Ranged):
    source: Text
    """What the values are from."""
    before: list[Happened]
    """With the bounds that are configured, oldest first; at most 200."""
    after: list[Happened]
    """With those that were asked for."""
    before_count: int
    after_count: int
    change: Change | None
    """Null where the bounds are the configured ones."""


@ROUTER.get("", summary="Every rule with its values of now")
async def listed(asked: Now) -> Rules:
    judged = await asyncio.to_thread(published, asked.site.folder, asked.view.now_unix_nano)
    by_rule: dict[str, list[Mapping[str, Any]]] = {}
    for one in judged.evaluations:
        by_rule.setdefault(one["rule"], []).append(one)
    known = asked.site.judging.known_rules()
    told = [_rule(rule, by_rule.get(name, []), judges=not judged.problem) for name, rule in known.items()]
    return Rules.model_validate({"problem": judged.problem or None, "rules": told})


@ROUTER.get(
    "/{rule:path}/backtest", summary="When it would have fired with other bounds", responses=documented(404, 409)
)
async def backtest(
    asked: OverWeek,
    rule: _Name,
    when: Annotated[
        list[Annotated[str, Query(max_length=100)]],
        Query(min_length=1, max_length=8, description="The bound of each band, from mild to severe: `> 4s`, `> 12s`."),
    ],
) -> Backtest:
    query = {f"when{number}": text for number, text in enumerate(when)}
    found = await page.one(asked.of_page(f"/rules/{rule}", query, rule=rule))
    tried = found["tried"]
    if tried is None:
        raise RefusedError(f"{rule[:80]} is no threshold rule, and only their bounds can be tried")
    if len(when) > len(found["bands"]) or tried["problem"]:
        raise ViewError(tried["problem"] or f"{len(when)} bounds, expected at most {len(found['bands'])}")
    change = tried["change"]
    content = {
        "source": found["source"],
        "before": [as_json(one) for one in tried["before"]],
        "after": [as_json(one) for one in tried["after"]],
        "before_count": tried["before_count"],
        "after_count": tried["after_count"],
        "change": change and as_json(change),
    }
    return Backtest.model_validate({**asked.range, **content})


@ROUTER.get("/{rule:path}", summary="One rule with its values of now", responses=documented(404))
async def one(asked: Now, rule: _Name) -> Rule:
    known = asked.site.judging.known_rules().get(rule)
    if known is None:
        raise NotThereError(f"no rule {rule[:80]} is configured; /rules has those that are")
    judged = await asyncio.to_thread(published, asked.site.folder, asked.view.now_unix_nano)
    found = [one for one in judged.evaluations if one["rule"] == rule]
    return Rule.model_validate(_rule(known, found, judges=not judged.problem))


_WORST = {"critical": 0, "warning": 1, "normal": 2, "no data": 3}
_JUDGES = {"thresholds": "threshold", "baselines": "baseline", "anomalies": "anomaly", "security": "security"}


def _rule(rule: KnownRule, found: Sequence[Mapping[str, Any]], *, judges: bool) -> dict[str, Any]:
    """Of security's rules only what is unusual has values."""
    described = rule.description
    evaluations = sorted(found, key=lambda one: _WORST.get(one["band"], 9))
    quiet = rule.enabled and judges and rule.way[0] == "security"
    return {
        "name": rule.name,
        "judge": _JUDGES[rule.way[0]],
        "enabled": rule.enabled,
        "indicator": described.indicator,
        "bounds": described.bounds,
        "next_steps": described.next_steps,
        "labels": described.labels,
        "band": evaluations[0]["band"] if evaluations else "normal" if quiet else "no data",
        "keys": len(found),
        "evaluations": [as_json(one) for one in evaluations[:_MOST_EVALUATIONS]],
    }
