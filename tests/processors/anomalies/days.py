"""Days of rollups for one watch, judged each 10 s as they would be live."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from processors.anomalies.judging import AnomalyJudging
from processors.anomalies.settings import AnomalySettings
from processors.evaluation import Evaluation, Transition
from processors.histogram import Histogram, of_values
from processors.rollups import MINUTE_NANO, Subject, Summary

START = 1_795_392_000 * 1_000_000_000
"""2026-11-23T00:00:00Z, a Monday."""
SECOND = 1_000_000_000
BUCKET = 300
DAY = 86400
TICK = 10

REQUEST_LABELS = ("service.name", "http.request.method", "http.route")


def nano(seconds: float) -> int:
    return START + round(seconds * SECOND)


def requests(at: float, values: Iterable[float], *, errors: int = 0, **changed: str) -> Summary:
    """A closed minute of one route."""
    key = (changed.get("service", "app"), "GET", changed.get("route", "/orders"))
    return _summary(Subject("http.server.response_time", REQUEST_LABELS, key), at, of_values(values), errors)


def counted(at: float, count: int, *, errors: int = 0, **changed: str) -> Summary:
    """A closed minute in which only the number matters."""
    values = Histogram()
    values.add(0.1, count)
    key = (changed.get("service", "app"), "GET", changed.get("route", "/orders"))
    return _summary(Subject("http.server.response_time", REQUEST_LABELS, key), at, values, errors)


def events(at: float, name: str, seconds: Iterable[float], *, errors: int = 0) -> Summary:
    subject = Subject("events", ("service.name", "event.name"), ("app", name))
    return _summary(subject, at, of_values(seconds), errors)


def used(at: float, indicator: str, *shares: float) -> Summary:
    return _summary(Subject(indicator, ("host.name",), ("server",)), at, of_values(shares), 0)


def _summary(subject: Subject, at: float, values: Histogram, errors: int) -> Summary:
    start = nano(at)
    return Summary(subject, "1min", start - start % MINUTE_NANO, errors, values)


class Days:
    """Of one watch; `told` is each transition as one line."""

    def __init__(self, watch: str, settings: dict[str, Any] | None = None, **changes: Any) -> None:
        others = {name: {"enabled": name == watch} for name in AnomalySettings().watches}
        watches = {**others, watch: {**others.get(watch, {}), **changes}}
        self.settings = AnomalySettings.model_validate({"watches": watches, **(settings or {})})
        self.judging = AnomalyJudging(self.settings)
        self.now = 0
        self.evaluations: list[Evaluation] = []
        self.transitions: list[Transition] = []

    def tick(self, until: int, *, frozen: bool = False) -> Days:
        while self.now + TICK <= until:
            self.now += TICK
            self.evaluations, transitions = self.judging.judge(nano(self.now), frozen=frozen)
            self.transitions += transitions
        return self

    def each(self, until: int, make: Callable[[int], Iterable[Summary]], *, frozen: bool = False) -> Days:
        """By 5 minutes: what has happened in them is there 35 s after their end, and judged 5 s later."""
        while self.now + BUCKET <= until:
            start, self.now = self.now, self.now + BUCKET
            for summary in make(start):
                self.judging.take(summary)
            self.evaluations, transitions = self.judging.judge(nano(self.now + 40), frozen=frozen)
            self.transitions += transitions
        return self

    def again(self) -> Days:
        """After a restart."""
        state = orjson.loads(orjson.dumps(self.judging.to_state()))
        self.judging = AnomalyJudging(self.settings)
        self.judging.restore(state)
        return self

    @property
    def evaluation(self) -> Evaluation:
        (evaluation,) = self.evaluations
        return evaluation

    @property
    def told(self) -> list[str]:
        return [
            f"{(one.time_unix_nano - START) // SECOND - 40} {one.status} {one.severity}" for one in self.transitions
        ]


def traffic(seed: int = 1, **changed: str) -> Callable[[int], list[Summary]]:
    """About 300 requests in 5 minutes."""
    chance = random.Random(seed)  # noqa: S311  # sample data
    return lambda at: [counted(at, round(chance.gauss(300, 15)), **changed)]
