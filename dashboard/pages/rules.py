"""Rules: what each measures against its bands, over time, and what other bounds would have done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from analysis import tuning
from analysis.engine import Engine
from analysis.period import DAY_NANO, MINUTE_NANO, Period
from analysis.published import Judged, published
from analysis.tuning import Course, Value
from analysis.what_if import Firing, firings
from dashboard.bands import band_ranges, rules_of
from dashboard.charts import Line, TimelineItem, lines, timeline
from dashboard.page import Asked, NotThereError, Page
from dashboard.records import Same
from processors.conditions import parse_condition
from processors.judging_settings import KnownRule
from processors.rule_state import Band
from processors.rules import Rule
from storage.value_rows import SLOT_NANO, RecordedValues, recorded_values

_JUDGES = {"thresholds": "threshold", "baselines": "baseline", "anomalies": "anomaly", "security": "security"}
_BANDS = {"critical": 0, "warning": 1, "normal": 2, "no data": 3}
_MOST_KEYS = 8
_MOST_POINTS = 720
_MOST_FIRINGS = 200
_MILLI = 1_000_000
_LONGEST_NANO = 31 * DAY_NANO


async def listed(asked: Asked) -> dict[str, Any]:
    judged = await asyncio.to_thread(published, asked.site.folder, asked.view.now_unix_nano)
    by_rule: dict[str, list[Mapping[str, Any]]] = {}
    for one in judged.evaluations:
        by_rule.setdefault(one["rule"], []).append(one)
    rows = [_row(rule, by_rule.get(name, []), judged) for name, rule in asked.site.judging.known_rules().items()]
    wanted = asked.text("find").lower()
    shown = [one for one in rows if wanted in one["name"].lower() or wanted in one["judge"]]
    return {
        "rows": sorted(shown, key=lambda one: (not one["enabled"], _BANDS.get(one["band"], 9), one["name"])),
        "problem": judged.problem,
        "find": asked.text("find"),
        "total": len(rows),
    }


PAGE = Page("/rules", "Rules", "rules.html.j2", listed, refresh="10s", ranged=False)


def _row(rule: KnownRule, found: Sequence[Mapping[str, Any]], judged: Judged) -> dict[str, Any]:
    worst = min(found, key=lambda one: (_BANDS.get(one["band"], 9), one["value"] is None), default=None)
    quiet = rule.way[0] == "security" and not judged.problem
    return {
        "name": rule.name,
        "judge": _JUDGES[rule.way[0]],
        "enabled": rule.enabled,
        "bounds": rule.description.bounds,
        "key_count": len(found),
        "band": worst["band"] if worst else "normal" if quiet and rule.enabled else "no data",
        "value": worst["value"] if worst else None,
        "unit": worst["unit"] if worst else "1",
        "key": worst["key"] if worst else {},
        "samples": worst["samples"] if worst else 0,
        "firing": sum(one["status"] == "firing" for one in found),
        "detail": (worst["summary"] or worst["detail"]) if worst else "nobody" if quiet else "",
    }


async def one(asked: Asked) -> dict[str, Any]:
    name = asked.names["rule"]
    known = asked.site.judging.known_rules().get(name)
    if known is None:
        raise NotThereError(f"no rule {name[:80]} is configured; the page Rules has those that are")
    judged = await asyncio.to_thread(published, asked.site.folder, asked.view.now_unix_nano)
    evaluations = [one for one in judged.evaluations if one["rule"] == name]
    rule = rules_of(asked.site).get(name)
    found, source = await _courses(asked, name, rule)
    return {
        "rule": known,
        "judge": _JUDGES[known.way[0]],
        "settings": rule.settings if rule else None,
        "bands": rule.bands if rule else (),
        "evaluations": sorted(evaluations, key=lambda one: _BANDS.get(one["band"], 9))[:50],
        "hidden": max(0, len(evaluations) - 50),
        "problem": judged.problem,
        "course": _chart(asked, name, _unit(rule, evaluations), found) if found else None,
        "source": source,
        "tried": await _tried(asked, rule, found) if rule else None,
        "narrow": asked.view.period.nanos > _LONGEST_NANO,
    }


ONE = Page("/rules/{rule:path}", "Rule", "rule.html.j2", one, last="24h", refresh="30s", section="/rules")


def _unit(rule: Rule | None, evaluations: Sequence[Mapping[str, Any]]) -> str:
    return rule.unit if rule else str(evaluations[0]["unit"]) if evaluations else "1"


async def _courses(asked: Asked, name: str, rule: Rule | None) -> tuple[list[Course], str]:
    """From rollups where they tell it, minute by minute; else what the sidecar kept of the last day."""
    period = asked.view.period
    if rule is not None and tuning.can_be_tuned(rule) and period.nanos <= _LONGEST_NANO:
        return await asked.records.ask(_from_rollups, Same(rule), period), "minute by minute, from rollups"
    values = await asked.records.known([], recorded_values, name)
    kept = [made for one in values if (made := _of_recorded(one, period)).values]
    return kept, "the worst of each 5 minutes of the last 24 h, as judged"


def _from_rollups(engine: Engine, rule: Same[Rule], period: Period) -> list[Course]:
    return tuning.courses(engine, rule.value, period)


def _of_recorded(one: RecordedValues, period: Period) -> Course:
    """A slot without a value had nothing to measure."""
    by_slot = dict(one.slots)
    first, last = (min(by_slot), max(by_slot)) if by_slot else (0, -1)
    values = [
        Value(slot + SLOT_NANO, by_slot.get(slot)) for slot in range(first, last + 1, SLOT_NANO) if period.holds(slot)
    ]
    return Course(tuple(value for _, value in one.key), tuple(values))


def _chart(asked: Asked, name: str, unit: str, found: Sequence[Course]) -> dict[str, Any]:
    """The keys that have most values, thinned to what a screen shows: of each step the value furthest out."""
    shown = sorted(found, key=lambda one: -len(one.values))[:_MOST_KEYS]
    starts = [part.start_unix_nano for part in asked.view.parts(_points(asked.view.period, shown))]
    upward = not any(one.high is not None and one.low is None for one in band_ranges(asked.site, name))
    series = [Line(", ".join(one.key) or name, _thinned(one.values, starts, upward=upward)) for one in shown]
    return lines([start // _MILLI for start in starts], series, unit=unit, bands=band_ranges(asked.site, name))


def _points(period: Period, found: Sequence[Course]) -> int:
    """No more than there are values in the time, or they would be dots with nothing between them."""
    apart = [later.time_unix_nano - one.time_unix_nano for course in found for one, later in pairwise(course.values)]
    return max(2, min(_MOST_POINTS, period.nanos // max(1, min(apart, default=MINUTE_NANO)) + 1))


def _thinned(values: Sequence[Value], starts: Sequence[int], *, upward: bool) -> list[float | None]:
    worst = max if upward else min
    thinned: list[float | None] = [None] * len(starts)
    index = 0
    for one in values:
        while index + 1 < len(starts) and starts[index + 1] < one.time_unix_nano:
            index += 1
        if one.value is not None:
            before = thinned[index]
            thinned[index] = one.value if before is None else worst(before, one.value)
    return thinned


async def _tried(asked: Asked, rule: Rule, found: Sequence[Course]) -> dict[str, Any] | None:
    """Other bounds, as the address names them: `when0`, `when1` …; None where it names none."""
    if not any(f"when{number}" in asked.query for number in range(len(rule.bands))):
        return None
    try:
        bands = tuple(_band(asked, number, band) for number, band in enumerate(rule.bands))
    except ValueError as error:
        return {"problem": str(error)}
    before, after = await asyncio.to_thread(lambda: (firings(found, rule, rule.bands), firings(found, rule, bands)))
    change = await asyncio.to_thread(asked.site.reband, rule.name, bands) if bands != rule.bands else None
    return {
        "problem": "",
        "bands": bands,
        "before": before[:_MOST_FIRINGS],
        "after": after[:_MOST_FIRINGS],
        "before_count": len(before),
        "after_count": len(after),
        "timeline": _timeline(asked, before, after),
        "change": change,
    }


def _band(asked: Asked, number: int, band: Band) -> Band:
    """What clears it stays as far from its bound as it is."""
    when = parse_condition(asked.text(f"when{number}", str(band.when)))
    if when.upward != band.when.upward:
        raise ValueError(f"{when}: a bound of this rule begins with {'>' if band.when.upward else '<'}")
    if band.clear is None:
        return replace(band, when=when)
    clear = asked.text(f"clear{number}", str(band.clear)).strip()
    return replace(band, when=when, clear=parse_condition(clear) if clear else None)


def _timeline(asked: Asked, before: Sequence[Firing], after: Sequence[Firing]) -> dict[str, Any]:
    period = asked.view.period
    items = [
        TimelineItem(
            row,
            one.start_unix_nano // _MILLI,
            max(one.end_unix_nano, one.start_unix_nano + MINUTE_NANO) // _MILLI,
            one.severity,
            ", ".join(one.key) or one.level,
        )
        for row, found in enumerate((before, after))
        for one in found[:_MOST_FIRINGS]
    ]
    return timeline(
        ["as configured", "with your bounds"],
        items,
        start_ms=period.start_unix_nano // _MILLI,
        end_ms=period.end_unix_nano // _MILLI,
    )
