"""The judges beside the thresholds: attacks now; each has its rules, its state and its alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from processors.description import Description
from processors.evaluation import Evaluation, Transition
from processors.rollups import Summary
from processors.security.judging import SecurityJudging
from processors.security.settings import SecuritySettings


@dataclass(frozen=True, slots=True)
class JudgesSettings:
    """Who judges; None for who does not."""

    security: SecuritySettings | None = None


class Judges:
    """Owned by the judgement that they belong to."""

    def __init__(self, settings: JudgesSettings, lateness_seconds: float) -> None:
        self.security = SecurityJudging(settings.security or SecuritySettings(enabled=False), lateness_seconds)
        self.unlearnt = bool(self.descriptions)
        """Whether no state has told them what came before."""

    @property
    def descriptions(self) -> tuple[Description, ...]:
        return self.security.descriptions

    @property
    def overflowed(self) -> int:
        """Keys beyond what there is room for."""
        return self.security.evicted

    def take(self, summary: Summary) -> None:
        """A period of the rollups is over."""

    def judge(self, now_unix_nano: int, *, frozen: bool) -> tuple[list[Evaluation], list[Transition]]:
        """At each tick; while `frozen` nothing fires or resolves."""
        return self.security.judge(now_unix_nano, frozen=frozen)

    def postpone(self, gap_nano: int) -> None:
        """Nobody looked for so long."""

    def forget_after(self, now_unix_nano: int) -> None:
        """The clock was set back."""
        self.security.forget_after(now_unix_nano)

    def take_over(self, other: Judges) -> None:
        """What the other has learnt."""
        self.restore(orjson.loads(orjson.dumps(other.to_state(), option=orjson.OPT_NON_STR_KEYS)))

    def to_state(self) -> dict[str, Any]:
        return {"security": self.security.to_state()}

    def restore(self, content: Mapping[str, Any]) -> None:
        """What a version before had no judge for begins anew."""
        self.unlearnt = False
        if "security" in content:
            self.security.restore(content["security"])
