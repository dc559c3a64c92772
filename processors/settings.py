"""What the operator may set about judging."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from processors.conditions import ConditionText
from processors.default_rules import DEFAULT_RULES
from processors.event_mapping import EventMappingSettings
from processors.indicators import known_indicator
from processors.matchers import MatcherText
from processors.quantities import format_duration, parse_duration
from processors.settings_model import Settings, over_the_default
from processors.units import Seconds

_OUTCOMES = re.compile(r"([1-9]\d*) outcomes")
_MAX_WINDOW_SECONDS = 24 * 3600


def _window(value: Any) -> Any:
    if isinstance(value, str) and (found := _OUTCOMES.fullmatch(value.strip())):
        return Outcomes(int(found[1]))
    if isinstance(value, Outcomes):
        return value
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a window, expected for example 5min, 1h or 50 outcomes") from None
    raise ValueError(f"{value!r} has no unit, expected a window as in 5min or 50 outcomes")


class Outcomes(int):
    """So many of the last outcomes, whenever they were."""

    def __str__(self) -> str:
        return f"{int(self)} outcomes"


def _window_text(window: float) -> str:
    return str(window) if isinstance(window, Outcomes) else format_duration(window)


WindowText = Annotated[Any, BeforeValidator(_window), PlainSerializer(_window_text)]


Level = Literal["warning", "critical"]
Severity = Literal["low", "medium", "high", "critical"]
Statistic = Literal[
    "p50",
    "p75",
    "p90",
    "p95",
    "p99",
    "p99.9",
    "mean",
    "min",
    "max",
    "last",
    "sum",
    "count",
    "rate",
    "ratio",
    "failures",
]


class BandSettings(Settings):
    """Entered when `when` holds; left when it doesn't, or, if `clear` is given, only when that holds."""

    level: Level
    when: ConditionText
    clear: ConditionText | None = None
    severity: Severity

    @model_validator(mode="after")
    def _clears_the_other_way(self) -> Self:
        if self.clear is not None and self.clear.upward == self.when.upward:
            raise ValueError(f"clear {self.clear} points the same way as when {self.when}; expected the other")
        return self


class RuleSettings(Settings):
    enabled: bool = True
    indicator: str | None = None
    metric: str | None = None
    statistic: Statistic = "mean"
    where: tuple[MatcherText, ...] = ()
    of: tuple[MatcherText, ...] = ()
    by: tuple[str, ...] = ("service.name",)
    window: WindowText = 300.0
    within: Seconds = 7 * 86400.0
    widen_to: Seconds | None = None
    minimum_count: int = Field(1, ge=1)
    minimum_failures: int = Field(0, ge=0)
    minimum_users: int = Field(0, ge=0)
    for_: Seconds = Field(0.0, alias="for")
    keep_firing_for: Seconds = 0.0
    bands: tuple[BandSettings, ...]
    labels: dict[str, str] = Field(default_factory=dict)
    summary: str = ""
    next_steps: tuple[str, ...] = ()

    @field_validator("bands")
    @classmethod
    def _has_bands(cls, bands: tuple[BandSettings, ...]) -> tuple[BandSettings, ...]:
        if not bands:
            raise ValueError('needs a band, for example {level: warning, when: "> 3s", severity: low}')
        return bands

    @model_validator(mode="after")
    def _measures_something(self) -> Self:
        if (self.indicator is None) == (self.metric is None):
            raise ValueError("needs either indicator or metric")
        if self.indicator is not None:
            known_indicator(self.indicator)
        if self.of and self.statistic != "ratio":
            raise ValueError(f"of is for statistic ratio, not {self.statistic}")
        if not isinstance(self.window, Outcomes) and self.window > _MAX_WINDOW_SECONDS:
            raise ValueError(f"window {format_duration(self.window)} is longer than 24h")
        return self


class ThresholdSettings(Settings):
    """`processors.thresholds`; a rule of the default with some keys changed keeps its others."""

    lateness: Seconds = 120.0
    max_keys: int = Field(1000, ge=1)
    max_series: int = Field(20_000, ge=1)
    events: tuple[EventMappingSettings, ...] = ()
    rules: dict[str, RuleSettings] = Field(default_factory=lambda: _default_rules({}))

    @field_validator("rules", mode="before")
    @classmethod
    def _over_the_default(cls, given: Any) -> Any:
        return over_the_default(DEFAULT_RULES, given)


def _default_rules(_given: Mapping[str, Any]) -> dict[str, RuleSettings]:
    return {name: RuleSettings.model_validate(rule) for name, rule in DEFAULT_RULES.items()}
