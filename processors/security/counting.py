"""Rules that count: so many sightings of one key, of so many different values, or so many bytes, within so long."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from processors.matchers import Matcher, parse_matchers
from processors.security.alarm import Alarm, Told, worst
from processors.security.habits import Habits
from processors.security.patience import Patience
from processors.security.settings import CountingSettings
from processors.security.sighting import Sighting
from processors.security.window import Counted, Measure, Window

_MOST = 2_000
"""Sightings of one key that are kept where sums or habits need many, …"""
_MANY = 500
"""… and where they don't; whatever else floods a key costs no more."""
_LARGEST = 1e12
"""More is told as so much, and sums of it are exact."""
_SLACK_NANO = 600_000_000_000
"""For what comes late."""
_SEPARATOR = "\x1f"


class CountingRule:
    """Holds a window for each of its keys, the least recently seen of too many ones dropped."""

    def __init__(self, name: str, settings: CountingSettings, max_keys: int, lateness_nano: int) -> None:
        self.name = name
        self.settings = settings
        self.within_nano = int(settings.within * 1e9)
        self._matches: Matcher | None = parse_matchers(settings.where)[1]
        self._max_keys = max_keys
        self._windows: OrderedDict[str, Window] = OrderedDict()
        self._habits = Habits(self.within_nano, max_keys) if settings.own_p99 else None
        self._measure = _measure(settings, lateness_nano)
        self._patience = Patience(lateness_nano, {*settings.by, settings.distinct, settings.sum} - {""})
        self._worst = settings.worse.severity if settings.worse is not None else settings.severity
        self.evicted = 0

    @property
    def told(self) -> Told:
        settings = self.settings
        measure = "total" if settings.sum else "distinct" if settings.distinct and settings.count == 1 else "count"
        return Told(
            settings.summary or f"{self.name}: {{count}}", "By" if settings.sum else "1", measure, settings.within
        )

    def matches(self, seen: Sighting) -> bool:
        settings = self.settings
        if settings.outcome and seen.outcome != settings.outcome:
            return False
        return self._matches is None or self._matches(seen.labels)

    @property
    def is_patient(self) -> bool:
        """Whether more sightings may make the condition hold no more, so that half of them must not be judged."""
        return self.settings.tries_each > 0

    def wait(self, seen: Sighting) -> None:
        self._patience.wait(seen)

    def settle(self, now_unix_nano: int) -> Iterator[Sighting]:
        """Those that are to be taken now."""
        return self._patience.settle(now_unix_nano)

    def take(self, seen: Sighting) -> Alarm | None:
        """From the first to the last moment at which the condition holds now that this has been seen."""
        settings = self.settings
        values = [seen.label(label) for label in settings.by]
        value = seen.label(settings.distinct) if settings.distinct else ""
        if not all(values) or (settings.distinct and not value):
            return None
        key = _SEPARATOR.join(values)
        amount = _amount(seen.labels, settings.sum) if settings.sum else 0.0
        window = self._window(key)
        kept = window.add(seen.time_unix_nano, value, amount, self._measure)
        bound = self._bound(key, seen.time_unix_nano)
        held = self._held(window, seen.time_unix_nano, bound, kept=kept)
        if self._habits is not None:
            self._habits.add(key, amount if settings.sum else 1.0, seen.time_unix_nano, bound)
        return self._alarm(values, held) if held else None

    def _held(self, window: Window, time: int, bound: float, *, kept: bool) -> list[tuple[Counted, str]]:
        """The first and the last moment, and those between where they may be worse: a flood must not be dear."""
        measure = self._measure
        newest = window.newest(time, measure)
        ends = [time, newest] if kept and newest > time else [newest]
        tested = [(counted := window.over(end, measure), self._severity(counted, bound)) for end in ends]
        severities = [severity for _, severity in tested]
        if measure.distinct and not any(severities) and window.values < self.settings.distinct_count:
            return []
        if len(ends) > 1 and not (all(severities) and self._worst in severities):
            tested = [(counted, self._severity(counted, bound)) for counted in window.around(time, measure)]
        return [one for one in tested if one[1]]

    def _window(self, key: str) -> Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window()
            while len(self._windows) > self._max_keys:
                self._windows.popitem(last=False)
                self.evicted += 1
        self._windows.move_to_end(key)
        return window

    def _bound(self, key: str, time_unix_nano: int) -> float:
        """Of the count or of the sum: as configured, or above what this key usually does."""
        settings = self.settings
        floor = float(settings.above or 0) if settings.sum else float(settings.count)
        own = self._habits.p99(key, time_unix_nano) if self._habits is not None else 0.0
        raised = max(floor, settings.own_p99 * own)
        return raised if settings.sum else min(raised, _MOST)

    def _severity(self, counted: Counted, bound: float) -> str:
        """Empty where the condition does not hold."""
        settings = self.settings
        holds = counted.total > bound if settings.sum else counted.sightings >= bound
        if not holds or counted.sightings < settings.count or counted.distinct < settings.distinct_count:
            return ""
        worse = settings.worse
        return worse.severity if worse is not None and counted.sightings >= worse.count else settings.severity

    def _alarm(self, values: Iterable[str], held: Sequence[tuple[Counted, str]]) -> Alarm:
        return Alarm(
            rule=self.name,
            key=tuple(zip(self.settings.by, values, strict=True)),
            lasts_nano=self.within_nano,
            first_unix_nano=held[0][0].end_unix_nano,
            last_unix_nano=held[-1][0].end_unix_nano,
            severity=worst(severity for _, severity in held),
            count=max(counted.sightings for counted, _ in held),
            distinct=max(counted.distinct for counted, _ in held),
            total=max(counted.total for counted, _ in held),
        )

    def forget(self, now_unix_nano: int) -> None:
        """Drop what no window reaches any more."""
        before = now_unix_nano - self.within_nano - _SLACK_NANO
        for key in [key for key, window in self._windows.items() if not window.forget(before)]:
            del self._windows[key]

    def forget_after(self, now_unix_nano: int) -> None:
        for window in self._windows.values():
            window.forget_after(now_unix_nano)

    @property
    def identity(self) -> str:
        """What its state is good for: a rule that looks at something else begins anew."""
        settings = self.settings
        parts = (settings.event, settings.outcome, settings.where, settings.by, settings.distinct, settings.sum)
        return repr((*parts, settings.within))

    def to_state(self) -> dict[str, Any]:
        windows = [[key, window.to_state()] for key, window in self._windows.items()]
        habits = self._habits.to_state() if self._habits is not None else []
        waiting = self._patience.to_state()
        return {"identity": self.identity, "windows": windows, "habits": habits, "waiting": waiting}

    def restore(self, content: Mapping[str, Any]) -> None:
        if content["identity"] != self.identity:
            return
        for key, window in content["windows"]:
            self._windows[key] = Window.from_state(window)
        if self._habits is not None:
            self._habits.restore(content["habits"])
        self._patience.restore(content.get("waiting", ()))


def _measure(settings: CountingSettings, lateness_nano: int) -> Measure:
    """Keeps what tells whether the condition holds, and how badly."""
    worst = max(settings.count, settings.worse.count if settings.worse is not None else 0)
    each = max(worst, settings.tries_each + 1)
    most = max(_MANY, 2 * each * max(settings.distinct_count, 1))
    if settings.sum or settings.own_p99:
        each, most = max(_MOST, each), max(_MOST, most)
    return Measure(
        int(settings.within * 1e9),
        lateness_nano,
        each,
        most,
        distinct=bool(settings.distinct),
        tries_each=settings.tries_each,
        summed=bool(settings.sum),
    )


def _amount(labels: Mapping[str, Any], name: str) -> float:
    """What is no number, or a negative one, is nothing."""
    value = labels.get(name)
    try:
        amount = float(value) if isinstance(value, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return min(amount, _LARGEST) if 0 < amount < math.inf else 0.0
