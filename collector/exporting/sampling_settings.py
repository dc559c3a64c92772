"""What the operator may set about tail sampling, in the words of the Collector's tail_sampling processor."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from processors.matchers import refuse_dear
from processors.settings_model import Settings
from processors.units import Seconds

LONGEST_ROUTE = 256
"""Characters of a route, or of the name that stands for one."""

_Value = TypeVar("_Value")

Rate = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Route = Annotated[str, Field(min_length=1, max_length=LONGEST_ROUTE)]


def _not_empty(values: tuple[_Value, ...]) -> tuple[_Value, ...]:
    if not values:
        raise ValueError("is empty; expected at least one")
    return values


Some = Annotated[tuple[_Value, ...], AfterValidator(_not_empty)]
"""At least one; unlike `min_length` it says nothing where those that there are have problems of their own."""

_EXAMPLES = {
    "status_code": "{status_codes: [ERROR]}",
    "latency": "{threshold: 2s}",
    "probabilistic": "{sampling_percentage: 10}",
    "string_attribute": "{key: http.route, values: [/api/health]}",
    "rate_limiting": "{spans_per_second: 100}",
    "route_rate": "{traces_per_minute: 60}",
    "and": "{and_sub_policy: [{name: slow, type: latency, latency: {threshold: 2s}}]}",
    "drop": "{drop_sub_policy: [{name: slow, type: latency, latency: {threshold: 2s}}]}",
}


class StatusCodeSettings(Settings):
    """Any span of the trace has one of them."""

    status_codes: Some[Literal["OK", "ERROR", "UNSET"]]


class LatencySettings(Settings):
    """From the earliest start to the latest end it took at least so long."""

    threshold: Seconds | None = None
    threshold_ms: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.threshold is None) == (self.threshold_ms is None):
            raise ValueError("needs either threshold, for example 2s, or threshold_ms, for example 2000")
        return self

    @property
    def threshold_nano(self) -> int:
        return int((self.threshold or 0) * 1e9) + (self.threshold_ms or 0) * 1_000_000


class ProbabilisticSettings(Settings):
    """So many of a hundred traces, by their ids."""

    sampling_percentage: float = Field(ge=0, le=100)
    hash_salt: str = ""


class StringAttributeSettings(Settings):
    """A span, or its resource, has the attribute with one of the values; with `invert_match`: none has."""

    key: str = Field(min_length=1)
    values: Some[str]
    enabled_regex_matching: bool = False
    cache_max_size: int = Field(128, ge=1, le=100_000)
    """Answers of the regular expressions that are remembered."""
    invert_match: bool = False

    @model_validator(mode="after")
    def _searchable(self) -> Self:
        if self.enabled_regex_matching:
            for pattern in self.values:
                _check_pattern(pattern)
        return self


class RateLimitingSettings(Settings):
    """Traces as long as their spans are within the rate; one with more spans than `burst_capacity` never is."""

    spans_per_second: int = Field(ge=1)
    burst_capacity: int | None = Field(None, ge=1)
    """Twice `spans_per_second` if not given."""


class RouteRateSettings(Settings):
    """So many traces of each route; `routes` has those with a rate of their own."""

    traces_per_minute: Rate = 60.0
    routes: dict[Route, Rate] = Field(default_factory=dict)


class _Policy(Settings):
    name: str = Field(min_length=1)
    type: str
    status_code: StatusCodeSettings | None = None
    latency: LatencySettings | None = None
    probabilistic: ProbabilisticSettings | None = None
    string_attribute: StringAttributeSettings | None = None
    rate_limiting: RateLimitingSettings | None = None
    route_rate: RouteRateSettings | None = None

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        if self.type in _EXAMPLES and self.details is None:
            example = f"{self.type}: {_EXAMPLES[self.type]}"
            raise ValueError(f"policy {self.name!r} of type {self.type} needs its settings, for example {example}")
        if others := [kind for kind in _EXAMPLES if kind != self.type and self._of(kind) is not None]:
            raise ValueError(f"policy {self.name!r} of type {self.type} has no use for {', '.join(others)}")
        return self

    @property
    def details(self) -> Settings | None:
        """The settings of its type; always_sample has none."""
        return self._of(self.type)

    def _of(self, kind: str) -> Settings | None:
        found: Settings | None = getattr(self, "and_" if kind == "and" else kind, None)
        return found


class SubPolicySettings(_Policy):
    type: Literal[
        "always_sample",
        "status_code",
        "latency",
        "probabilistic",
        "string_attribute",
        "rate_limiting",
        "route_rate",
    ]


class AndSettings(Settings):
    """All of them hold; none is asked after one that doesn't."""

    and_sub_policy: Some[SubPolicySettings]


class DropSettings(Settings):
    """What all of them hold for is left out, whatever other policies say."""

    drop_sub_policy: Some[SubPolicySettings]


class PolicySettings(_Policy):
    type: Literal[
        "always_sample",
        "status_code",
        "latency",
        "probabilistic",
        "string_attribute",
        "rate_limiting",
        "route_rate",
        "and",
        "drop",
    ]
    and_: AndSettings | None = Field(None, alias="and")
    drop: DropSettings | None = None


class TailSamplingSettings(Settings):
    """Whole traces are kept or left out, `decision_wait` after their first span came."""

    decision_wait: Seconds = Field(30.0, gt=0, le=600)
    num_traces: int = Field(50_000, ge=1, le=10_000_000)
    """Traces that are remembered."""
    policies: Some[PolicySettings]

    @model_validator(mode="after")
    def _usable_together(self) -> Self:
        names = [policy.name for policy in self.policies]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"policies: {', '.join(map(repr, twice))} stands there twice; expected names of their own")
        if all(policy.type == "drop" for policy in self.policies):
            raise ValueError(
                "policies: all of them drop, so nothing would be sent; "
                "expected another, for example {name: rest, type: always_sample}"
            )
        return self


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    try:
        refuse_dear("value =~ " + " ".join(pattern.splitlines()))
    except ValueError:
        raise ValueError(
            f"{pattern!r} may take for ever to match: expected no repeated group as (…)+, "
            "and at most three of * + {}, for example /api/.*"
        ) from None
