"""What the operator may set about anomalies."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from processors.anomalies.default_watches import DEFAULT_WATCHES
from processors.conditions import parse_condition
from processors.indicators import INDICATORS
from processors.matchers import MatcherText
from processors.settings_model import Settings, over_the_default
from processors.units import Seconds

ROUTE_LABELS = ("service.name", "http.request.method", "http.route")
ROLLED_UP = {
    "http.server.response_time": ROUTE_LABELS,
    "db.query.response_time": ("service.name", "db.system.name", "db.query.summary"),
    "events": ("service.name", "event.name"),
    "host.cpu": ("host.name",),
    "host.memory": ("host.name",),
    "host.disk": ("host.name", "system.filesystem.mountpoint"),
    "db.pool.utilization": ("service.name", "db.client.connection.pool.name"),
    "probe.latency": ("target",),
}
"""Indicators that have rollups, and by which labels; a metric that a rule measures has one by `service.name`."""

Statistic = Literal[
    "rate",
    "count",
    "failures",
    "failure_ratio",
    "success_ratio",
    "mean",
    "max",
    "p50",
    "p75",
    "p90",
    "p95",
    "p99",
]


def _amount(value: Any) -> Any:
    """In seconds, bytes or plain; a percentage is a hundredth."""
    if not isinstance(value, str):
        return value
    try:
        return parse_condition(f"> {value}").bound
    except ValueError:
        raise ValueError(f"{value!r} is not an amount, expected for example 50ms, 2% or 10") from None


class WatchSettings(Settings):
    """A statistic of 5 minutes; where there are fewer than `minimum_count` samples, of up to an hour."""

    enabled: bool = True
    indicator: str
    statistic: Statistic = "mean"
    where: tuple[MatcherText, ...] = ()
    by: tuple[str, ...] = ("service.name",)
    minimum_count: int = Field(1, ge=1)
    least_change: Annotated[float, BeforeValidator(_amount)] = Field(0.0, ge=0)
    severity: Literal["low", "medium"] = "medium"
    title: str = ""
    next_steps: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_rolled_up(self) -> Self:
        if self.indicator in INDICATORS and self.indicator not in ROLLED_UP:
            raise ValueError(f"{self.indicator!r} has no rollups, expected one of {', '.join(ROLLED_UP)} or a metric")
        missing = [label for label in self.by if label not in ROLLED_UP.get(self.indicator, ("service.name",))]
        if missing:
            labels = ", ".join(ROLLED_UP.get(self.indicator, ("service.name",)))
            raise ValueError(f"by: rollups of {self.indicator} have no {missing[0]!r}, expected some of {labels}")
        return self


class AnomalySettings(Settings):
    """`processors.anomalies`; a watch of the default with some keys changed keeps its others."""

    enabled: bool = True
    show_from: float = Field(0.7, gt=0, lt=1)
    notify_from: float = Field(0.8, gt=0, le=1)
    learning: Seconds = 7 * 86400.0
    max_series: int = Field(500, ge=1)
    by_route: tuple[str, ...] = ()
    watches: dict[str, WatchSettings] = Field(default_factory=lambda: _default_watches({}))

    @field_validator("watches", mode="before")
    @classmethod
    def _over_the_default(cls, given: Any) -> Any:
        return over_the_default(DEFAULT_WATCHES, given)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.notify_from < self.show_from:
            raise ValueError(f"notify_from {self.notify_from} is below show_from {self.show_from}")
        for name in self.by_route:
            self._has_routes(name)
        return self

    def _has_routes(self, name: str) -> None:
        watch = self.watches.get(name)
        if watch is None:
            close = difflib.get_close_matches(name, self.watches, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected some of {', '.join(self.watches)}"
            raise ValueError(f"by_route: {name!r} is not a watch ({hint})")
        if ROLLED_UP.get(watch.indicator) != ROUTE_LABELS:
            raise ValueError(f"by_route: {name} measures {watch.indicator}, which has no routes")


def _default_watches(_given: Mapping[str, Any]) -> dict[str, WatchSettings]:
    return {name: WatchSettings.model_validate(watch) for name, watch in DEFAULT_WATCHES.items()}
