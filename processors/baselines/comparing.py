"""Is it slower than it was, or does it fail more: the last windows of a key against those of its baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from typing import NamedTuple

from processors.baselines.baseline import Baseline, Known, Subject
from processors.baselines.hours import Hours
from processors.baselines.settings import LEVELS, NOUNS, BaselineSettings
from processors.baselines.statistics import adjusted, fisher, mann_whitney, median, rate_ratio, shift
from processors.baselines.windows import QUANTILES, Window

RECENT = 5
"""Windows that are compared."""
ERROR_RATE = "error_rate"
_LEAST_SECONDS, _MOST_SECONDS = 1e-9, 1e9
_DAY_MINUTES = 1440
_NEAR_MINUTES = 90
_FEWEST_NEAR = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One measure of a key; `then` and `now` are seconds, or a share of requests for the error rate."""

    subject: Subject
    hours: tuple[str, ...]
    """The classes that the compared windows lie in."""
    windows: int
    samples: int
    measure: str = ""
    then: float = math.nan
    now: float = math.nan
    ratio: float = math.nan
    low: float = math.nan
    high: float = math.nan
    """The 95 % interval of the ratio."""
    p: float = 1.0
    enough: bool = False
    """Whether the difference, or the number of errors, is one that anybody would care for."""
    at_this_hour: float = math.nan
    """The ratio against the windows of the baseline around the same time of day, where there are enough."""
    level: str = ""
    insufficient: str = ""
    """Why nothing can be said; there is no measure then."""

    def exceeds(self, share: float, alpha: float) -> bool:
        """Whether it is more by so much, and not by chance."""
        return self.enough and self.p < alpha and self.ratio > 1 + share


class _Quantile(NamedTuple):
    """Of a class of hours, in logarithms: its median, how far each window lies from it, and each with its minute."""

    middle: float
    around: list[float]
    by_minute: list[tuple[int, float]]

    def near(self, minute: int) -> float:
        """The median around that minute of the day; nan where there are too few windows."""
        logs = sorted(log for at, log in self.by_minute if _apart(at, minute) <= _NEAR_MINUTES)
        return median(logs) if len(logs) >= _FEWEST_NEAR else math.nan


def _apart(minute: int, other: int) -> int:
    """On the clock."""
    distance = abs(minute - other)
    return min(distance, _DAY_MINUTES - distance)


class _OfClass:
    """The windows of a class, ready to be compared with."""

    def __init__(self, windows: Sequence[Window], minimum: int, hours: Hours) -> None:
        self.windows = len(windows)
        self.samples = sum(window.samples for window in windows)
        self.errors = sum(window.errors for window in windows)
        self.quantiles: dict[str, _Quantile] = {}
        minutes = [hours.minute_of(window.start_unix_nano) for window in windows]
        for index, name in enumerate(QUANTILES):
            values = [(minute, window.quantiles[index]) for minute, window in zip(minutes, windows, strict=True)]
            by_minute = [(minute, _log(value)) for minute, value in values if not math.isnan(value)]
            if len(by_minute) >= minimum:
                logs = sorted(log for _, log in by_minute)
                middle = median(logs)
                self.quantiles[name] = _Quantile(middle, [log - middle for log in logs], by_minute)


class Usual:
    """What is usual for one key."""

    def __init__(self, subject: Subject, known: Known, hours: Hours, settings: BaselineSettings) -> None:
        self.subject = subject
        self._hours = hours
        self._settings = settings
        self._classes = {name: _OfClass(windows, settings.minimum_windows, hours) for name, windows in known.items()}

    def compare(self, last: Sequence[Window]) -> list[Finding]:
        """Each measure of these windows, or one finding that says why there is none; not concluded yet.

        Each window is set against the median of its own class of hours, so that five may lie in two of them.
        """
        hours = tuple(dict.fromkeys(window.hours for window in last))
        finding = Finding(self.subject, hours, len(last), sum(window.samples for window in last))
        if why := self._insufficient(hours, len(last)):
            return [replace(finding, insufficient=why)]
        times = [self._quantile(finding, last, name, index) for index, name in enumerate(QUANTILES)]
        return [one for one in (*times, self._error_rate(finding, last)) if one is not None]

    def _insufficient(self, hours: Iterable[str], windows: int) -> str:
        settings = self._settings
        if windows < RECENT:
            least = f"{settings.minimum_requests} {NOUNS[self.subject.indicator]}"
            return f"{_counted(windows)} of at least {least}, {RECENT} are needed"
        for one in hours:
            known = self._classes[one].windows if one in self._classes else 0
            if known < settings.minimum_windows:
                return f"the baseline has {_counted(known)} of {one}, {settings.minimum_windows} are needed"
        return ""

    def _quantile(self, finding: Finding, last: Sequence[Window], name: str, index: int) -> Finding | None:
        if any(math.isnan(window.quantiles[index]) for window in last):
            return None
        usual = {hours: self._classes[hours].quantiles.get(name) for hours in finding.hours}
        if not all(usual.values()):
            return None
        known = {hours: one for hours, one in usual.items() if one is not None}
        sample = [_log(window.quantiles[index]) - known[window.hours].middle for window in last]
        around = list(merge(*(one.around for one in known.values())))
        ratio, interval = math.exp(median(sorted(sample))), shift(sample, around)
        then = math.exp(known[last[-1].hours].middle)
        return replace(
            finding,
            measure=name,
            then=then,
            now=then * ratio,
            ratio=ratio,
            low=math.exp(interval.low),
            high=math.exp(interval.high),
            p=mann_whitney(sample, around),
            enough=then * (ratio - 1) > self._settings.floor,
            at_this_hour=self._at_this_hour(known[last[-1].hours], [_log(one.quantiles[index]) for one in last], last),
        )

    def _at_this_hour(self, known: _Quantile, logs: Iterable[float], last: Sequence[Window]) -> float:
        near = known.near(self._hours.minute_of(last[-1].start_unix_nano))
        return math.exp(median(sorted(logs)) - near)

    def _error_rate(self, finding: Finding, last: Sequence[Window]) -> Finding:
        classes = [self._classes[hours] for hours in finding.hours]
        before, errors_before = sum(one.samples for one in classes), sum(one.errors for one in classes)
        errors = sum(window.errors for window in last)
        ratio = rate_ratio(errors, finding.samples, errors_before, before)
        return replace(
            finding,
            measure=ERROR_RATE,
            then=errors_before / before,
            now=errors / finding.samples,
            ratio=ratio.middle,
            low=ratio.low,
            high=ratio.high,
            p=fisher(errors, finding.samples, errors_before, before),
            enough=errors >= self._settings.minimum_errors,
        )


def _counted(windows: int) -> str:
    return "1 window" if windows == 1 else f"{windows} windows"


def _log(seconds: float) -> float:
    return math.log(min(max(seconds, _LEAST_SECONDS), _MOST_SECONDS))


def conclude(findings: Iterable[Finding], settings: BaselineSettings) -> list[Finding]:
    """With levels; each p as it counts among so many, so that many measures make no false one likelier."""
    given = list(findings)
    said = [finding for finding in given if finding.measure]
    told = dict(zip(map(id, said), adjusted([finding.p for finding in said]), strict=True))
    return [
        _levelled(replace(finding, p=told[id(finding)]), settings) if finding.measure else finding for finding in given
    ]


def _levelled(finding: Finding, settings: BaselineSettings) -> Finding:
    shares = zip(LEVELS, settings.levels.shares, strict=True)
    held = [level for level, share in shares if finding.exceeds(share, settings.alpha)]
    return replace(finding, level=held[-1] if held else "")


def compare(
    baseline: Baseline, recent: Mapping[Subject, Sequence[Window]], settings: BaselineSettings
) -> list[Finding]:
    """The last windows of each key against the baseline; keys in the order of the baseline, new ones after them."""
    findings: list[Finding] = []
    hours = baseline.hours
    for subject, known in baseline.keys.items():
        findings += Usual(subject, known, hours, settings).compare(recent.get(subject, ())[-RECENT:])
    for subject in sorted(recent.keys() - baseline.keys.keys()):
        windows = recent[subject][-RECENT:]
        samples = sum(window.samples for window in windows)
        findings.append(Finding(subject, (), len(windows), samples, insufficient="not in the baseline"))
    return conclude(findings, settings)
