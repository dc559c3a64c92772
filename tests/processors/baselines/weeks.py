"""Minutes of rollups for one or more routes, a baseline of them, and judging each 10 s as it would be live."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson

from processors.baselines.baseline import Baseline, Subject, learn
from processors.baselines.hours import Hours
from processors.baselines.judging import BaselineJudging
from processors.baselines.settings import BaselineSettings
from processors.baselines.windows import Gathering, Minute, Window
from processors.evaluation import Evaluation, Transition
from processors.histogram import of_values
from processors.rollups import MINUTE_NANO, Summary
from processors.rollups import Subject as RolledUp

MONDAY = 1_795_392_000 * 1_000_000_000
"""2026-11-23T00:00:00Z."""
SECOND = 1_000_000_000
LABELS = ("service.name", "http.request.method", "http.route")
SETTINGS = BaselineSettings(timezone="UTC")
NINE = 9 * 60
"""Minutes since midnight."""


def orders(route: str = "/orders") -> Subject:
    return Subject("http.server.response_time", ("app", "GET", route))


def values(chance: random.Random, count: int = 40, times: float = 1.0) -> list[float]:
    return [chance.lognormvariate(-2, 0.5) * times for _ in range(count)]


def closed(at: float, seconds: Iterable[float], errors: int = 0, subject: Subject | None = None) -> Summary:
    """The minute that begins so many minutes after Monday's midnight."""
    indicator, labels = subject or orders()
    return Summary(
        RolledUp(indicator, LABELS, labels), "1min", MONDAY + round(at) * MINUTE_NANO, errors, of_values(seconds)
    )


def minute_of(summary: Summary) -> Minute:
    return Minute(summary.start_unix_nano, summary.histogram.count, summary.errors, summary.histogram)


def windows_of(minutes: Iterable[Minute], hours: Hours, minimum: int) -> list[Window]:
    """Of one key, from minutes in any order."""
    gathering = Gathering(hours, minimum)
    for minute in minutes:
        gathering.take(minute)
    return list(gathering.close(2**63))


def baseline_of(summaries: Iterable[Summary], name: str = "default", settings: BaselineSettings = SETTINGS) -> Baseline:
    minutes: dict[Subject, list[Minute]] = {}
    for one in summaries:
        minutes.setdefault(Subject(one.subject.indicator, one.subject.values), []).append(minute_of(one))
    hours = Hours(settings.working_hours, settings.timezone)
    found = {subject: windows_of(mine, hours, settings.minimum_requests) for subject, mine in minutes.items()}
    return learn(
        name, found, settings, start_unix_nano=MONDAY, end_unix_nano=MONDAY + 10**15, created_unix_nano=MONDAY + 10**15
    )


def usual_day(seed: int = 1, *, start: int = NINE, minutes: int = 300, failing: float = 0.0) -> list[Summary]:
    """Forty requests a minute, median 135 ms."""
    chance = random.Random(seed)  # noqa: S311  # the same each time
    return [
        closed(start + at, values(chance), errors=sum(chance.random() < failing for _ in range(40)))
        for at in range(minutes)
    ]


class Live:
    """`told` is each transition as one line: minutes since it began, rule, status, severity."""

    def __init__(
        self, baseline: Baseline | None = None, settings: BaselineSettings = SETTINGS, *, begin: int = NINE
    ) -> None:
        self.settings = settings
        self.judging = BaselineJudging(settings)
        self.baselines: Sequence[Baseline] = [baseline] if baseline else []
        self.judging.use(self.baselines)
        self.begin = begin
        self.now = MONDAY + begin * MINUTE_NANO
        self.transitions: list[Transition] = []
        self.evaluations: list[Evaluation] = []
        self.frozen = False
        self.restarts_each = 0
        self.first_use = True
        self._ticks = 0

    def feed(self, minutes: int, made: Callable[[int], Iterable[Summary]]) -> Live:
        """So many minutes; each closes half a minute after its end."""
        waiting: list[Summary] = []
        first = (self.now - MONDAY) // MINUTE_NANO
        end = self.now + minutes * MINUTE_NANO
        for at in range(first, first + minutes):
            waiting += made(at)
        while self.now < end:
            self.now += 10 * SECOND
            for one in [one for one in waiting if one.start_unix_nano + 90 * SECOND <= self.now]:
                waiting.remove(one)
                self.judging.take(one)
            self._tick()
        for one in waiting:
            self.judging.take(one)  # what closes in the half minute to come
        return self

    def _tick(self) -> None:
        self.evaluations, transitions = self.judging.judge(self.now, frozen=self.frozen)
        self.transitions += transitions
        self._ticks += 1
        if self.restarts_each and self._ticks % self.restarts_each == 0:
            self.restart()

    def restart(self) -> None:
        state: Any = orjson.loads(orjson.dumps(self.judging.to_state()))
        self.judging = BaselineJudging(self.settings)
        steps = [lambda: self.judging.use(self.baselines), lambda: self.judging.restore(state)]
        for step in steps if self.first_use else reversed(steps):
            step()

    @property
    def told(self) -> list[str]:
        return [" ".join((self._since(one), one.rule, one.status, one.severity)) for one in self.transitions]

    def _since(self, one: Transition) -> str:
        return f"{(one.time_unix_nano - MONDAY) / 60e9 - self.begin:.0f}"


def steady(seed: int, times: float = 1.0, count: int = 40, errors: int = 0) -> Callable[[int], Iterator[Summary]]:
    """Minutes so many times as slow as usual."""
    chance = random.Random(seed)  # noqa: S311  # the same each time

    def made(at: int) -> Iterator[Summary]:
        yield closed(at, values(chance, count, times), errors)

    return made
