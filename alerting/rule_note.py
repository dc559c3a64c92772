"""What alerting knows of a rule besides its evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from processors.description import Description


@dataclass(frozen=True, slots=True)
class RuleNote:
    """`bands` are as configured (`> 5%`), worst last; `indicator` is empty where a rule has none of its own."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    bands: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    indicator: str = ""


def note_of(rule: Description) -> RuleNote:
    return RuleNote(rule.name, rule.labels, rule.conditions, rule.next_steps, rule.indicator)
