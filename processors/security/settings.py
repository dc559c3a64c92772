"""What the operator may set about security: whom to leave alone, and any number of any rule."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator

from processors.matchers import MatcherText
from processors.security.default_rules import DEFAULT_RULES
from processors.settings import Severity
from processors.settings_model import Settings, over_the_default
from processors.units import Bytes, Seconds


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no address or network, expected for example 203.0.113.7 or 10.0.0.0/8") from None
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


class AllowSettings(Settings):
    """No alert is about these addresses and users; what comes from these user agents is not looked at."""

    addresses: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    users: tuple[str, ...] = ()
    user_agents: tuple[Annotated[str, AfterValidator(_pattern)], ...] = ()


class WorseSettings(Settings):
    """From so many on the severity is another."""

    count: int = Field(ge=1)
    severity: Severity


class _RuleSettings(Settings):
    enabled: bool = True
    severity: Severity
    within: Seconds = Field(900.0, gt=0, le=7 * 86400)
    except_known: bool = False
    except_: tuple[MatcherText, ...] = Field((), alias="except")
    labels: dict[str, str] = Field(default_factory=dict)
    summary: str = ""
    next_steps: tuple[str, ...] = ()


class CountingSettings(_RuleSettings):
    """So many sightings of one key within so long; `distinct` asks for different values of a label beside it."""

    kind: Literal["count"] = "count"
    event: str = Field(min_length=1)
    outcome: Literal["", "success", "failure", "cancelled"] = ""
    where: tuple[MatcherText, ...] = ()
    by: tuple[str, ...] = ("client.address",)
    count: int = Field(1, ge=1, le=10_000)
    distinct: str = ""
    distinct_count: int = Field(0, ge=0, le=10_000)
    tries_each: int = Field(0, ge=0)
    sum: str = ""
    above: Bytes | None = None
    own_p99: float = Field(0.0, ge=0)
    worse: WorseSettings | None = None

    @field_validator("by")
    @classmethod
    def _has_a_key(cls, by: tuple[str, ...]) -> tuple[str, ...]:
        if not by:
            raise ValueError("needs a label, for example [client.address]")
        return by


class BreachSettings(_RuleSettings):
    """A success within so long after an alert of one of the rules `after`, of the same user or address."""

    kind: Literal["breach"]
    after: tuple[str, ...]
    lasts: Seconds = 3600.0


class NewPlaceSettings(_RuleSettings):
    """A login from a network and with a browser that are both new for a user who is known for so long."""

    kind: Literal["new_place"]
    known_for: Seconds = 14 * 86400.0
    logins: int = Field(5, ge=1)


class SpikeSettings(_RuleSettings):
    """More failed logins than a service usually has: `score` is that of the anomaly `failed_logins`."""

    kind: Literal["spike"]
    score: float = Field(0.8, gt=0, lt=1)
    count: int = Field(20, ge=1)


def _kind(rule: Any) -> str:
    found = rule.get("kind", "count") if isinstance(rule, Mapping) else getattr(rule, "kind", "count")
    return str(found)


RuleSettings = Annotated[
    Annotated[CountingSettings, Tag("count")]
    | Annotated[BreachSettings, Tag("breach")]
    | Annotated[NewPlaceSettings, Tag("new_place")]
    | Annotated[SpikeSettings, Tag("spike")],
    Discriminator(_kind),
]


KINDS: dict[str, type[Settings]] = {
    "count": CountingSettings,
    "breach": BreachSettings,
    "new_place": NewPlaceSettings,
    "spike": SpikeSettings,
}


class SecuritySettings(Settings):
    """`processors.security`; a rule of the default with some keys changed keeps its others."""

    enabled: bool = True
    max_keys: int = Field(10_000, ge=1)
    allow: AllowSettings = AllowSettings()
    rules: dict[str, RuleSettings] = Field(default_factory=dict, validate_default=True)

    @field_validator("rules", mode="before")
    @classmethod
    def _over_the_default(cls, given: Any) -> Any:
        return over_the_default(DEFAULT_RULES, given)
