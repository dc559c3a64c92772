"""The judges beside the thresholds: baselines, anomalies and attacks; each has its rules, its state and its alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from processors.anomalies.judging import AnomalyJudging
from processors.anomalies.settings import AnomalySettings
from processors.baselines.judging import BaselineJudging
from processors.baselines.settings import BaselineSettings
from processors.description import Description
from processors.evaluation import Evaluation, Transition
from processors.rollups import Summary
from processors.security.judging import SecurityJudging
from processors.security.settings import SecuritySettings

_NAMES = ("baselines", "anomalies", "security")


@dataclass(frozen=True, slots=True)
class JudgesSettings:
    """Who judges; None for who does not."""

    baselines: BaselineSettings | None = None
    anomalies: AnomalySettings | None = None
    security: SecuritySettings | None = None


class Judges:
    """Owned by the judgement that they belong to."""

    def __init__(self, settings: JudgesSettings, lateness_seconds: float) -> None:
        self.baselines = BaselineJudging(settings.baselines or BaselineSettings(enabled=False))
        self.security = SecurityJudging(settings.security or SecuritySettings(enabled=False), lateness_seconds)
        self.anomalies = AnomalyJudging(settings.anomalies or AnomalySettings(enabled=False))
        self._learnt: set[str] = set()

    @property
    def descriptions(self) -> tuple[Description, ...]:
        return (*self.baselines.descriptions, *self.anomalies.descriptions, *self.security.descriptions)

    @property
    def overflowed(self) -> int:
        """Keys beyond what there is room for."""
        return self.security.evicted + self.anomalies.overflowed + self.baselines.overflowed

    @property
    def indicators(self) -> frozenset[str]:
        """Whose rollups are looked at."""
        return self.anomalies.indicators | self.baselines.indicators

    def take(self, summary: Summary) -> None:
        """A period of the rollups is over."""
        self.baselines.take(summary)
        self.anomalies.take(summary)

    def judge(self, now_unix_nano: int, *, frozen: bool) -> tuple[list[Evaluation], list[Transition]]:
        """At each tick; while `frozen` nothing fires or resolves."""
        evaluations: list[Evaluation] = []
        transitions: list[Transition] = []
        for name in _NAMES:
            found, changed = getattr(self, name).judge(now_unix_nano, frozen=frozen)
            evaluations += found
            transitions += changed
            if name == "anomalies":
                for point in self.anomalies.points:
                    self.security.spikes(point)
        return evaluations, transitions

    def postpone(self, gap_nano: int) -> None:
        """Nobody looked for so long; a clock that was set back has a negative gap."""
        self.baselines.postpone(gap_nano)
        self.anomalies.postpone(gap_nano)

    def forget_after(self, now_unix_nano: int) -> None:
        """The clock was set back."""
        self.security.forget_after(now_unix_nano)

    def forget_alarms(self, over_by_unix_nano: int) -> None:
        """While learning from the past: what was over by then is of no interest."""
        self.security.forget_alarms(over_by_unix_nano)

    @property
    def _identities(self) -> set[str]:
        """What is to be learnt before it can judge."""
        return self.anomalies.identities | ({_NAMES[-1]} if self.security.descriptions else set())

    @property
    def unlearnt(self) -> bool:
        """Whether something of it has not been told what came before."""
        return not self._identities <= self._learnt

    def take_over(self, other: Judges) -> None:
        """What the other has learnt, where this one has not."""
        if _NAMES[-1] not in self._learnt:
            content = orjson.dumps(other.security.to_state(), option=orjson.OPT_NON_STR_KEYS)
            self.security.restore(orjson.loads(content))
        self.anomalies.take_over(other.anomalies, self._learnt)
        self._learnt = self._identities

    def to_state(self) -> dict[str, Any]:
        return {**{name: getattr(self, name).to_state() for name in _NAMES}, "learnt": sorted(self._learnt)}

    def restore(self, content: Mapping[str, Any]) -> None:
        """What a version before had no judge for begins anew."""
        self._learnt = set(content.get("learnt", ()))
        for name in _NAMES:
            if name in content:
                getattr(self, name).restore(content[name])
