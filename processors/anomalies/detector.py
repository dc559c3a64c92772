"""How unusual a point of a series is, from what came before it: plain numbers, some microseconds a point."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import log
from typing import Any, NamedTuple

from processors.anomalies.usual_range import UsualRange

VIEWS = ("value", "time of day", "drift", "level")
"""The value; less its usual for the hour; a slow mean of that; a fast mean of the value."""
STILLNESS = "stillness"
"""A fifth view, for a series that always moves and has stopped."""
_STILL_POINTS = 12
_STILL_STRENGTH = 3.0
_LONGEST_STILL = 2
"""Points that repeat the one before: more than that, ever, and a series is not one that always moves."""
_WEIGHTS = (1.5, 0.3, 0.8, 0.15)
_STEEPNESS = 40.0
_DRIFT_SHARE = 0.1
_LEVEL_SHARE = 0.25
"""What a new point counts in the exponentially weighted means of the last two views."""
_PROFILE_MEMORY = 60
_PROFILE_POINTS = 200
_PROFILE_SAMPLES = 9
"""An hour's usual value is known when there were more than so many points in all, and in that hour."""
_WARM_UP = 100
_PEAK_MEMORY = 120
"""Only what is more unusual than so many points before it has a score: the begin of an event, not all of it."""
_HOUR_NANO = 3600 * 1_000_000_000
_WEEK_HOURS = 7 * 24
_FIRST_WEEKEND_HOUR = 2 * 24
"""1970 began on a Thursday."""
_LARGEST = 1e300
_DAY_HOURS = 24


class Score(NamedTuple):
    """`low` and `high` are the usual range of the view that is most unusual, as the value itself compares to it."""

    score: float
    """0 to 1."""
    view: str
    """One of `VIEWS`, or `STILLNESS`; empty where all is usual."""
    low: float
    high: float
    offset: float
    """What was added to the view's own range: the value usual at this hour, or 0."""


class _Found(NamedTuple):
    """By a view: its share in the strength, what was usual before, and how far that has followed the value."""

    part: float
    low: float
    high: float
    followed: float


_NOTHING = _Found(0.0, 0.0, 0.0, 0.0)


class Detector:
    """Of one series. Reads no clock; times may repeat or step back; what is no finite number is passed over."""

    __slots__ = ("_counts", "_means", "_peaks", "_ranges", "_seen", "_still", "_values")

    def __init__(self, least_width: float = 0.0) -> None:
        """A usual range that is narrower than `least_width` counts as so wide."""
        self._seen = 0
        self._means = [0.0] * (2 * _DAY_HOURS)
        self._counts = [0] * (2 * _DAY_HOURS)
        self._ranges = [UsualRange(least_width) for _ in VIEWS]
        self._values: list[float | None] = [None] * len(VIEWS)
        self._still: tuple[float | None, int, int] = (None, 0, 0)
        """The last value, how many points have repeated it, and the most that ever did so with one before."""
        self._peaks: deque[tuple[int, float]] = deque()
        """Of the last points, those that no later one has surpassed: number and strength."""

    def update(self, time_unix_nano: int, value: float) -> Score:
        """Judge the point by those before it, then learn it."""
        if not -_LARGEST <= value <= _LARGEST:
            return Score(0.0, "", self._ranges[0].low, self._ranges[0].high, 0.0)
        self._seen += 1
        hours = time_unix_nano // _HOUR_NANO
        week = hours // _WEEK_HOURS
        found = [self._weigh(0, value, week)]
        offset = self._look(value, found[0].followed, _hour_of_profile(hours))
        found += [self._weigh(number, self._values[number], week) for number in (1, 2, 3)]
        parts = [one.part for one in found]
        strongest = max(parts)
        view = parts.index(strongest)
        name = VIEWS[view] if strongest > 0 else ""
        strength = sum(parts)
        if self._stands_still(value) and strength < _STILL_STRENGTH:
            name, strength = STILLNESS, _STILL_STRENGTH
        score = strength / (1 + strength) if name and self._is_peak(strength) else 0.0
        added = offset if view in {1, 2} else 0.0
        low, high = found[view].low + added, found[view].high + added
        if found[0].low >= 0:
            low, high = max(low, 0.0), max(high, 0.0)  # what never was negative is not usually so
        return Score(score, name, low, high, added)

    def _weigh(self, number: int, seen: float | None, week: int) -> _Found:
        """One view: how unusual it is, and what was usual before it is learnt."""
        if seen is None:
            return _NOTHING
        usual = self._ranges[number]
        low, high = usual.low, usual.high
        excess = usual.excess(seen)
        followed = usual.learn(week, seen, at_once=self._seen <= _WARM_UP)
        part = _WEIGHTS[number] * log(1 + _STEEPNESS * excess) if excess else 0.0
        return _Found(part, low, high, followed)

    def _look(self, value: float, followed: float, place: int) -> float:
        """Bring views and profile up to date; what is usual at this hour, or 0 while that is not known.

        Means take a value as far as its range has followed it: one spike would distort them for days.
        """
        _, _, drift, level = self._values
        level = followed if level is None else level + _LEVEL_SHARE * (followed - level)
        self._counts[place] = count = self._counts[place] + 1
        mean = self._means[place]
        self._means[place] = mean + (followed - mean) / min(count, _PROFILE_MEMORY)
        if self._seen <= _PROFILE_POINTS or count - 1 <= _PROFILE_SAMPLES:
            self._values = [value, None, drift, level]
            return 0.0
        rest = followed - mean
        drift = rest if drift is None else drift + _DRIFT_SHARE * (rest - drift)
        self._values = [value, rest, drift, level]
        return mean

    def _stands_still(self, value: float) -> bool:
        """Whether it has just done so for an hour as it never did before."""
        last, run, longest = self._still
        run = run + 1 if value == last else 0
        self._still = value, run, longest if run else max(longest, self._still[1])
        return run == _STILL_POINTS and longest <= _LONGEST_STILL and self._seen > _PROFILE_POINTS

    def _is_peak(self, strength: float) -> bool:
        """Whether it is stronger than the last points."""
        if self._seen <= _WARM_UP:
            return False
        peaks = self._peaks
        while peaks and peaks[0][0] < self._seen - _PEAK_MEMORY:
            peaks.popleft()
        highest = not peaks or strength > peaks[0][1]
        while peaks and peaks[-1][1] <= strength:
            peaks.pop()
        peaks.append((self._seen, strength))
        return highest

    def is_usual(self, score: Score) -> bool | None:
        """Whether the last point was in the range that was usual at that score; None where its view knows nothing."""
        if score.view == STILLNESS:
            return self._still[1] < _STILL_POINTS
        seen = self._values[VIEWS.index(score.view)]
        return None if seen is None else score.low - score.offset <= seen <= score.high - score.offset

    def to_state(self) -> Any:
        """A value for JSON, some kilobytes of it."""
        profile = [[mean, count] if count else 0 for mean, count in zip(self._means, self._counts, strict=True)]
        ranges = [usual.to_state() for usual in self._ranges]
        return [self._seen, self._values, profile, ranges, self._still, list(self._peaks)]

    @classmethod
    def from_state(cls, content: Sequence[Any], least_width: float = 0.0) -> Detector:
        """Go on where that one was."""
        detector = cls(least_width)
        detector._seen, values, profile, ranges, still, peaks = content
        detector._values = list(values)
        detector._still = (still[0], still[1], still[2])
        detector._means = [hour[0] if hour else 0.0 for hour in profile]
        detector._counts = [hour[1] if hour else 0 for hour in profile]
        for usual, weeks in zip(detector._ranges, ranges, strict=True):
            usual.restore(weeks)
        detector._peaks = deque((number, strength) for number, strength in peaks)
        return detector


def _hour_of_profile(hours: int) -> int:
    """The hour of the day in UTC, those of weekends apart; `hours` since 1970."""
    weekend = _FIRST_WEEKEND_HOUR <= hours % _WEEK_HOURS < _FIRST_WEEKEND_HOUR + 2 * _DAY_HOURS
    return hours % _DAY_HOURS + (_DAY_HOURS if weekend else 0)
