"""From windows that are worse to somebody being told: how long it must hold, and when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from processors.baselines.comparing import ERROR_RATE, Finding
from processors.baselines.settings import LEVELS, BaselineSettings

CLEARS_AFTER = 5
"""Windows on end below 1 + L/2."""
_MISSING = 6
"""Windows without a measure after which an alert about it is over: half an hour, as everywhere."""


ERRORS_ALPHA = 1e-4
"""For errors: they come in bursts, and one burst is in five comparisons."""


@dataclass(slots=True)
class Alarm:
    """Of one measure of a key."""

    held: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    """For how many windows on end each level has been exceeded."""
    below: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    """For how many windows on end it was so little that each level would clear."""
    missing: int = 0
    firing: int = -1
    """The level that people are told, -1 for none."""

    def take(self, exceeded: int, ratio: float, shares: Sequence[float], hold: Sequence[int]) -> None:
        """A window: the highest level that it exceeds, -1 for none."""
        self.missing = 0
        for level, share in enumerate(shares):
            self.held[level] = self.held[level] + 1 if exceeded >= level else 0
            self.below[level] = self.below[level] + 1 if ratio < 1 + share / 2 else 0
        ripe = max((level for level, held in enumerate(self.held) if held >= hold[level]), default=-1)
        self.firing = max(self.firing, ripe)
        if self.firing >= 0 and self.below[self.firing] >= CLEARS_AFTER:
            self.firing = max((level for level in range(self.firing) if self.held[level]), default=-1)

    def miss(self) -> None:
        """A window that says nothing of it."""
        self.held = [0] * len(LEVELS)
        self.missing += 1
        if self.missing >= _MISSING:
            self.firing = -1

    def to_state(self) -> Any:
        return [self.held, self.below, self.missing, self.firing]

    @classmethod
    def from_state(cls, content: Sequence[Any]) -> Alarm:
        held, below, missing, firing = content
        return cls(list(held), list(below), missing, firing)


class Alarms:
    """Of all measures of a key."""

    def __init__(self) -> None:
        self._of: dict[str, Alarm] = {}

    def take(self, findings: Iterable[Finding], settings: BaselineSettings) -> None:
        """What the window that ended last gave, once for each window."""
        said = {finding.measure: finding for finding in findings if finding.measure}
        for measure, finding in said.items():
            alarm = self._of.setdefault(measure, Alarm())
            alarm.take(
                _exceeded(finding, settings.levels.shares), finding.ratio, settings.levels.shares, settings.hold.windows
            )
        for measure in self._of.keys() - said.keys():
            self._of[measure].miss()

    def firing(self, measures: Iterable[str]) -> int:
        """The highest level that people are told, -1 for none."""
        return max((self._of[measure].firing for measure in measures if measure in self._of), default=-1)

    def held(self, measure: str, level: int) -> int:
        """For how many windows on end."""
        return self._of[measure].held[level] if measure in self._of else 0

    def end(self) -> None:
        """Nothing has been heard for so long that nothing can be said."""
        self._of.clear()

    def to_state(self) -> Any:
        return {measure: alarm.to_state() for measure, alarm in self._of.items()}

    def restore(self, content: Mapping[str, Any]) -> None:
        self._of = {measure: Alarm.from_state(alarm) for measure, alarm in content.items()}


def _exceeded(finding: Finding, shares: Sequence[float]) -> int:
    """The level that counts: what is so each day at this hour is no news."""
    if not finding.level or (finding.measure == ERROR_RATE and finding.p >= ERRORS_ALPHA):
        return -1
    level = LEVELS.index(finding.level)
    while level >= 0 and finding.at_this_hour < 1 + shares[level]:
        level -= 1
    return level
