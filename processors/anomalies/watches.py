"""What a watch makes of rollups: which of them it takes, and the value of what it has taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from processors.anomalies.settings import ROUTE_LABELS, AnomalySettings, WatchSettings
from processors.histogram import Histogram
from processors.indicators import INDICATORS
from processors.matchers import parse_matchers
from processors.rollups import Subject, Summary

_UNITS = {"rate": "1/s", "count": "1", "failures": "1", "failure_ratio": "ratio", "success_ratio": "ratio"}
_OF_OUTCOMES = frozenset(_UNITS)
_ZERO_WHEN_EMPTY = {"rate", "count", "failures"}

Key = tuple[tuple[str, str], ...]
"""Labels and their values."""


class Cell:
    """The sum of summaries."""

    __slots__ = ("count", "errors", "values")

    def __init__(self, count: int = 0, errors: int = 0, values: Histogram | None = None) -> None:
        self.count = count
        self.errors = errors
        self.values = values
        """None where only outcomes are counted."""

    def merge(self, other: Cell) -> None:
        self.count += other.count
        self.errors += other.errors
        if other.values is not None:
            if self.values is None:
                self.values = Histogram()
            self.values.merge(other.values)

    def to_state(self) -> Any:
        return [self.count, self.errors, None if self.values is None else self.values.to_json()]

    @classmethod
    def from_state(cls, content: Sequence[Any]) -> Cell:
        count, errors, values = content
        return cls(count, errors, None if values is None else Histogram.from_json(values))


class Watch:
    """Settings under their name."""

    def __init__(self, name: str, settings: WatchSettings, *, by_route: bool) -> None:
        self.name = name
        self.rule = f"anomaly.{name}"
        self.settings = settings
        self.identity = f"{name} {settings.indicator} {settings.statistic} {' '.join(settings.where)}"
        """State of another identity is of no use."""
        self.title = settings.title or f"the {settings.statistic} of {settings.indicator}"
        self.zero_when_empty = settings.statistic in _ZERO_WHEN_EMPTY
        self.minimum_count = 0 if self.zero_when_empty else settings.minimum_count
        self.unit = _unit(settings)
        self._groupings = [settings.by, *([ROUTE_LABELS] if by_route and settings.by != ROUTE_LABELS else [])]
        self._labels, self._matches = parse_matchers(settings.where)

    def keys(self, subject: Subject) -> Iterator[Key]:
        """The series that take this subject's summaries."""
        labels = dict(zip(subject.labels, subject.values, strict=True))
        if self._matches is None or (self._labels & labels.keys() and self._matches(labels)):
            for names in self._groupings:
                if all(name in labels for name in names):
                    yield tuple((name, labels[name]) for name in names)

    def groups_by(self, labels: tuple[str, ...]) -> bool:
        """Whether it has keys of these labels, now."""
        return labels in self._groupings

    def cell(self, summary: Summary) -> Cell:
        """What counts of a summary: an event that took no time has no duration."""
        values = summary.histogram
        if self.settings.statistic in _OF_OUTCOMES:
            return Cell(values.count, summary.errors)
        if summary.subject.indicator == "events" and values.zeros:
            values = _without_zeros(values)
        return Cell(values.count, summary.errors, values)

    def measure(self, cell: Cell, seconds: float) -> float | None:
        """The value of so many seconds; None of too few samples."""
        if cell.count < self.minimum_count:
            return None
        if self.settings.statistic in _OF_OUTCOMES:
            return _of_outcomes(self.settings.statistic, cell, seconds)
        return self._of_values(cell.values or Histogram())

    def _of_values(self, values: Histogram) -> float | None:
        if not values.count:
            return None
        if self.settings.statistic == "mean":
            return values.sum / values.count
        if self.settings.statistic == "max":
            return values.max
        return values.quantile(float(self.settings.statistic[1:]) / 100)


def _of_outcomes(statistic: str, cell: Cell, seconds: float) -> float:
    if statistic == "rate":
        return cell.count / seconds
    if statistic == "count":
        return float(cell.count)
    if statistic == "failures":
        return float(cell.errors)
    failed = cell.errors / cell.count
    return failed if statistic == "failure_ratio" else 1 - failed


def _unit(settings: WatchSettings) -> str:
    if settings.statistic in _UNITS:
        return _UNITS[settings.statistic]
    if settings.indicator == "events":
        return "s"
    return INDICATORS[settings.indicator].unit if settings.indicator in INDICATORS else "1"


def _without_zeros(values: Histogram) -> Histogram:
    timed = Histogram()
    timed.merge(values)
    timed.count -= timed.zeros
    timed.zeros = 0
    return timed


def compile_watches(settings: AnomalySettings, *, everything: bool = False) -> list[Watch]:
    """Those that are switched on, or all."""
    return [
        Watch(name, one, by_route=name in settings.by_route)
        for name, one in settings.watches.items()
        if everything or (settings.enabled and one.enabled)
    ]
