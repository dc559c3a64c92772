"""An anomaly that lasts: it ends by level and by time, since a score only tells when something begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from processors.anomalies.detector import Detector, Score

_CALM_POINTS = 3
_LONGEST_NANO = 6 * 3600 * 1_000_000_000


class Incident:
    """Knows what was usual when it began."""

    __slots__ = ("_calm", "_ends", "began_unix_nano", "score")

    def __init__(self, score: Score, now_unix_nano: int) -> None:
        self.score = score
        self.began_unix_nano = now_unix_nano
        self._ends = now_unix_nano + _LONGEST_NANO
        self._calm = 0

    def take(self, detector: Detector) -> None:
        """The detector has seen one point more."""
        usual = detector.is_usual(self.score)
        if usual is not None:
            self._calm = self._calm + 1 if usual else 0

    def over(self, now_unix_nano: int) -> str:
        """Why it is; empty while it goes on."""
        if self._calm >= _CALM_POINTS:
            return f"back in the usual range for {_CALM_POINTS} points"
        if now_unix_nano >= self._ends:
            return "it has lasted for 6h: this is the new usual"
        return ""

    def postpone(self, nano: int) -> None:
        self._ends += nano

    def to_state(self) -> Any:
        return [list(self.score), self.began_unix_nano, self._ends, self._calm]

    @classmethod
    def from_state(cls, content: Sequence[Any]) -> Incident:
        score, began, ends, calm = content
        incident = cls(Score(*score), began)
        incident._ends, incident._calm = ends, calm
        return incident
