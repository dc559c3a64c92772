"""Samples on their way to the windows of rules and to rollups, at the time when they happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from processors.histogram import Histogram
from processors.rollups import Rollups, Subject
from processors.rules import Series


class Sampler:
    """What is later than `lateness` no window takes; rollups, where there are any, take everything."""

    def __init__(self, series: Iterable[Series], rollups: Rollups | None, lateness_seconds: float) -> None:
        self._by_indicator: dict[str, list[Series]] = {}
        for one in series:
            self._by_indicator.setdefault(one.indicator, []).append(one)
        self._rollups = rollups
        self.lateness_nano = int(lateness_seconds * 1e9)
        self.late = 0
        """Records that no window took."""

    def wants(self, *indicators: str) -> bool:
        """Whether a rule measures one of them."""
        return any(indicator in self._by_indicator for indicator in indicators)

    def takes(self, *indicators: str) -> bool:
        """Whether a rule measures one of them, or everything is rolled up anyway."""
        return self._rollups is not None or self.wants(*indicators)

    def wanted(self, prefix: str) -> list[str]:
        """The indicators with that prefix that rules ask for."""
        return [name for name in self._by_indicator if name.startswith(prefix)]

    def is_late(self, time_unix_nano: int, received_unix_nano: int) -> bool:
        """Whether it happened too long before it arrived; counts those that did."""
        late = received_unix_nano - time_unix_nano > self.lateness_nano
        self.late += late
        return late

    def take(
        self, indicator: str, labels: Mapping[str, Any], value: float, time_unix_nano: int, trace_id: str = ""
    ) -> None:
        for series in self._by_indicator.get(indicator, ()):
            series.take(labels, value, time_unix_nano, trace_id)

    def take_many(self, indicator: str, labels: Mapping[str, Any], values: Histogram, time_unix_nano: int) -> None:
        for series in self._by_indicator.get(indicator, ()):
            series.take_many(labels, values, time_unix_nano)

    def roll_up(
        self,
        indicator: str,
        labels: tuple[str, ...],
        key: tuple[str, ...],
        value: float | Histogram,
        time_unix_nano: int,
        *,
        errors: int = 0,
    ) -> None:
        """`labels` and `key` are names and their values."""
        if self._rollups is None:
            return
        subject = Subject(indicator, labels, key)
        if isinstance(value, Histogram):
            self._rollups.add_many(subject, value, errors, time_unix_nano)
        else:
            self._rollups.add(subject, value, time_unix_nano, failed=errors > 0)
