"""What alerting knows of a rule besides its evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RuleNote:
    """`bands` are as configured (`> 5%`), worst last; `indicator` is empty for a metric of its own name."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    bands: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    indicator: str = ""
