"""What people are told about a rule, whichever of the judges it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Description:
    """`bounds` are its bands in words, from mild to severe; `conditions` what they ask of its value, if that is all."""

    name: str
    bounds: tuple[str, ...]
    next_steps: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    indicator: str = ""
    conditions: tuple[str, ...] = ()
