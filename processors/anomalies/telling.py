"""What people are told of a series: its evaluation, and the words of an anomaly."""

from __future__ import annotations

import math

from processors.anomalies.detector import STILLNESS, VIEWS, Score
from processors.anomalies.series import Series
from processors.anomalies.settings import AnomalySettings
from processors.anomalies.watches import Watch
from processors.description import Description
from processors.evaluation import Band, Evaluation, format_value

_DAY_SECONDS = 86400
_OF_THE_HOUR = {VIEWS[1], VIEWS[2]}
_OF_MEANS = {VIEWS[2], VIEWS[3]}


def describe(watch: Watch, settings: AnomalySettings) -> Description:
    return Description(
        name=watch.rule,
        bounds=(f"score >= {settings.notify_from:g}",),
        next_steps=(*watch.settings.next_steps, f"forecourt runbook alert {watch.rule}"),
        labels={"category": "anomaly"},
        indicator=watch.settings.indicator,
    )


def evaluate(series: Series, settings: AnomalySettings, now_unix_nano: int) -> Evaluation:
    watch, incident = series.watch, series.incident
    interesting = incident is not None or series.score.score >= settings.show_from
    score = incident.score if incident is not None else series.score
    return Evaluation(
        rule=watch.rule,
        key=series.key,
        value=series.value,
        unit=watch.unit,
        band=_band(series, interesting=interesting),
        severity="" if incident is None else watch.settings.severity,
        status="inactive" if incident is None else "firing",
        samples=series.samples,
        window_seconds=series.window_nano / 1e9,
        since_unix_nano=series.since_unix_nano,
        time_unix_nano=now_unix_nano,
        traces=(),
        detail="; ".join(_details(series, settings, score if interesting else None)),
        summary=summarize(series, score) if interesting else "",
    )


def _band(series: Series, *, interesting: bool) -> Band:
    if interesting:
        return "warning"
    return "no data" if series.value is None else "normal"


def is_learning(series: Series, settings: AnomalySettings) -> bool:
    return series.learned_nano <= settings.learning * 1e9


def _details(series: Series, settings: AnomalySettings, score: Score | None) -> list[str]:
    details = []
    if not series.learned_nano:
        details.append("waits for its first value")
    elif is_learning(series, settings):
        details.append(f"learning, {_progress(series.learned_nano / 1e9, settings.learning)}")
    if series.learned_nano and series.value is None:
        details.append(f"{series.samples} samples of at least {series.watch.minimum_count} within an hour")
    if score is not None:
        details.append(f"score {score.score:.2f}, {score.view}: {_usually(score, series.watch)}")
    return details


def _progress(learned_seconds: float, learning_seconds: float) -> str:
    name, length = ("day", _DAY_SECONDS) if learning_seconds >= _DAY_SECONDS else ("hour", 3600)
    whole = math.ceil(learning_seconds / length)
    return f"{name} {min(int(learned_seconds / length) + 1, whole)} of {whole}"


def _usually(score: Score, watch: Watch) -> str:
    if score.view == STILLNESS:
        return "usually not the same for an hour"
    low, high = format_value(score.low, watch.unit), told(score.high, watch.unit)
    usual = high if score.low == score.high else f"{low} to {high}"
    average = " on average" if score.view in _OF_MEANS else ""
    hour = " at this hour" if score.view in _OF_THE_HOUR else ""
    return f"usually {usual}{average}{hour}"


def summarize(series: Series, score: Score) -> str:
    """The value against what is usual, and the view that says so."""
    watch = series.watch
    return f"{watch.title} is {told(series.value, watch.unit)}, {_usually(score, watch)} (view: {score.view})"


def told(value: float | None, unit: str) -> str:
    text = format_value(value, unit)
    return f"{text} per second" if unit == "1/s" and value is not None else text
