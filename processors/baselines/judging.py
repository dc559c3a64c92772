"""Judging the rollups against a baseline as windows end: alerts that begin, change and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from processors.baselines.baseline import Baseline, Subject
from processors.baselines.series import Series
from processors.baselines.settings import LABELS, BaselineSettings
from processors.baselines.telling import describe
from processors.baselines.windows import WINDOW_NANO, Minute
from processors.description import Description
from processors.evaluation import Evaluation, Transition
from processors.rollups import Summary

_WAIT_NANO = 40 * 1_000_000_000
"""After its end a window is closed: its last minute is written 30 s after that, at a tick."""


class BaselineJudging:
    """Owned by one thread; reads no clock. Nothing is judged before `use` has said what there is to judge by."""

    def __init__(self, settings: BaselineSettings) -> None:
        self._settings = settings
        self._baseline: Baseline | None = None
        self._told = False
        self._series: dict[Subject, Series] = {}
        self._evaluations: list[Evaluation] | None = None
        """Those of the windows that ended last; None when they are to be made anew."""
        self._closed_until = 0
        self._tick = 0
        self.late = 0
        """Summaries of windows that were closed."""
        self.overflowed = 0
        """Summaries of keys beyond what there is room for."""

    @property
    def descriptions(self) -> tuple[Description, ...]:
        return describe(self._settings) if self._settings.enabled else ()

    @property
    def indicators(self) -> frozenset[str]:
        """Whose rollups are looked at."""
        return frozenset(self._settings.indicators) if self._settings.enabled else frozenset()

    def use(self, baselines: Sequence[Baseline]) -> None:
        """All that there are now; the active one is judged by, from the next window on."""
        self._baseline = next((one for one in baselines if one.name == self._settings.active), None)
        self._told = True
        for series in self._series.values():
            series.use(self._baseline)
        self._evaluations = None

    def take(self, summary: Summary) -> None:
        """Take a closed minute in; other resolutions say the same again."""
        indicator, labels, values = summary.subject
        if self._baseline is None or summary.resolution != "1min" or indicator not in self._settings.indicators:
            return
        subject = Subject(indicator, values)
        if labels != LABELS[indicator] or subject not in self._baseline.keys:
            return
        if summary.start_unix_nano < self._closed_until:
            self.late += 1
            return
        series = self._series_of(subject)
        if series is None:
            self.overflowed += 1
            return
        count, errors = summary.histogram.count, summary.errors
        series.take(Minute(summary.start_unix_nano, count, errors, summary.histogram))

    def _series_of(self, subject: Subject) -> Series | None:
        series = self._series.get(subject)
        if series is None and len(self._series) < self._settings.max_keys:
            series = self._series[subject] = Series(subject, self._settings)
            series.use(self._baseline)
        return series

    def judge(self, now_unix_nano: int, *, frozen: bool) -> tuple[list[Evaluation], list[Transition]]:
        """At each tick; while `frozen` windows are taken in, but nothing fires or resolves."""
        self._tick = now_unix_nano
        if not self._settings.enabled or not self._told:
            return [], []
        transitions = [*self._close(now_unix_nano, frozen=frozen)]
        if not frozen:
            transitions += self._end(now_unix_nano)
        if transitions or self._evaluations is None:
            self._evaluations = [one for series in self._series.values() for one in series.evaluate(now_unix_nano)]
        return [replace(one, time_unix_nano=now_unix_nano) for one in self._evaluations], transitions

    def _close(self, now: int, *, frozen: bool) -> Iterator[Transition]:
        end = (now - _WAIT_NANO) // WINDOW_NANO * WINDOW_NANO
        if end <= self._closed_until:
            return
        self._closed_until = end
        self._evaluations = None
        for series in self._series.values():
            yield from series.close(end, now, frozen=frozen)

    def _end(self, now: int) -> Iterator[Transition]:
        """Alerts about what is heard of no more, or what the baseline does not know."""
        for subject, series in list(self._series.items()):
            yield from series.end(now)
            if series.is_over(now):
                del self._series[subject]

    def postpone(self, gap_nano: int) -> None:
        """Nobody looked for so long; a negative gap is a clock that was set back."""
        for series in self._series.values():
            series.postpone(gap_nano)
        if gap_nano < 0 and self._tick:
            self.forget_after(self._tick + gap_nano)

    def forget_after(self, now_unix_nano: int) -> None:
        """The clock was set back: what "will" have happened counts for nothing."""
        self._tick = min(self._tick, now_unix_nano)
        self._closed_until = min(self._closed_until, (now_unix_nano - _WAIT_NANO) // WINDOW_NANO * WINDOW_NANO)
        for series in self._series.values():
            series.forget_after(now_unix_nano)
        self._evaluations = None

    def to_state(self) -> Any:
        """What a restart needs; a value for JSON. The baseline is no part of it."""
        return {
            "closed_until": self._closed_until,
            "tick": self._tick,
            "series": [[*subject, series.to_state()] for subject, series in self._series.items()],
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Go on from a state, before or after `use`."""
        self._closed_until, self._tick = content["closed_until"], content["tick"]
        for indicator, values, state in _known(content["series"]):
            series = Series(Subject(indicator, tuple(values)), self._settings)
            series.restore(state)
            if self._told:
                series.use(self._baseline)
            self._series[series.subject] = series
        self._evaluations = None


def _known(content: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Of indicators that there still are."""
    return (one for one in content if one[0] in LABELS)
