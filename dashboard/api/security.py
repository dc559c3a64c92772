"""Who tries to get in, and what was noticed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from analysis.allowances import allowance
from analysis.attacks import Attacks, Episode, attacks
from analysis.engine import Engine
from analysis.failed_logins import failed_logins
from analysis.json_values import as_json
from analysis.period import DAY_NANO, Period
from analysis.security import login_failures, logins, rate_limits, suspicions
from dashboard.api.question import Limit, OverDay
from dashboard.api.values import Attributes, Labels, Model, Moment, Number, Ranged, Text, moment
from dashboard.records import Same
from dashboard.view import ViewError
from processors.security.settings import SecuritySettings
from processors.security.sighting import Sighting
from processors.security.users import Login

ROUTER = APIRouter(prefix="/security", tags=["security"])
_LONGEST_NANO = 7 * DAY_NANO
_FRESH_SECONDS = 120.0
_SHOWN = (
    *("user.id", "client.address", "url.path", "http.response.status_code", "http.response.body.size"),
    "event.reason",
)
_Threshold = Annotated[int, Query(ge=1, le=10**6, description="So many failures …")]
_Within = Annotated[
    float, Query(ge=1, le=31 * 86400, allow_inf_nan=False, description="… within so many seconds, by address or user.")
]


class LoginsOf(Model):
    """Of one address or user."""

    key: Text
    """Empty where nobody says it."""
    successes: int
    failures: int
    others: int
    """Users at an address, or addresses of a user."""
    first: Moment | None
    last: Moment | None


class Logins(Ranged):
    successes: int
    failures: int
    addresses: list[LoginsOf]
    """Those with the most failures first."""
    users: list[LoginsOf]


class Offender(Model):
    kind: Text
    """address or user."""
    key: Text
    failures: int
    """All of the time."""
    episodes: int
    """How often they came over the threshold."""
    first: Moment | None
    last: Moment | None


class FailedLogins(Ranged):
    threshold: int
    within_seconds: float
    """So many failures within so long a time."""
    offenders: list[Offender]
    """Most failures first."""


class Limited(Model):
    address: Text
    hits: int
    paths: int
    path: Text
    """Where it was refused most."""
    users: int
    first: Moment | None
    last: Moment | None


class RateLimits(Ranged):
    hits: int
    addresses: int
    top: list[Limited]
    """Those that were refused most first."""


class Suspicion(Model):
    kind: Text
    key: Text
    count: int
    first: Moment | None
    last: Moment | None
    detail: Text


class Suspicions(Ranged):
    suspicious: list[Suspicion]
    """Logins after many failures first, then the most frequent."""


class Evidence(Model):
    time: Moment | None
    event: Text
    outcome: Text
    trace_id: Text
    attributes: Attributes


class Attack(Model):
    """One alarm from its begin to its end."""

    rule: Text
    bounds: list[Text]
    mitre_attack_id: Text
    """The technique of MITRE ATT&CK."""
    key: Labels
    severity: Text
    first: Moment | None
    last: Moment | None
    count: int
    distinct: int
    total: Number
    """Of what the rule adds up, such as bytes that were exported."""
    summary: Text
    sightings: int
    """What it is about; the first and the last of it are `evidence`."""
    evidence: list[Evidence]
    allow: Text
    """YAML for below processors.security, if it is fine."""


class OddLogin(Model):
    """Odd for its user without being an alarm."""

    time: Moment | None
    user: Text
    address: Text
    network: Text
    browser: Text
    new_network: bool
    new_browser: bool
    usual_hour: bool
    trace_id: Text


class Noticed(Ranged):
    enabled: bool
    """Whether these rules judge what arrives."""
    episodes: list[Attack]
    """The worst first."""
    odd_logins: list[OddLogin]
    """Newest first."""


@ROUTER.get("/logins", summary="Logins by address and by user")
async def by_whom(asked: OverDay, limit: Limit = 20) -> Logins:
    addresses, users = await asked.ask(logins), await asked.ask(logins, by_user=True)
    content = {
        "successes": sum(one.successes for one in users),
        "failures": sum(one.failures for one in users),
        "addresses": [as_json(one) for one in addresses[:limit]],
        "users": [as_json(one) for one in users[:limit]],
    }
    return Logins.model_validate({**asked.range, **content})


@ROUTER.get("/failed-logins", summary="Addresses and users with many failed logins in a short time")
async def failed(
    asked: OverDay, threshold: _Threshold = 5, within_seconds: _Within = 900.0, limit: Limit = 100
) -> FailedLogins:
    found = failed_logins(await asked.ask(login_failures), threshold, within_seconds)
    content = {
        "threshold": threshold,
        "within_seconds": within_seconds,
        "offenders": [as_json(one) for one in found[:limit]],
    }
    return FailedLogins.model_validate({**asked.range, **content})


@ROUTER.get("/rate-limits", summary="Addresses that the rate limit refused")
async def limited(asked: OverDay, limit: Limit = 20) -> RateLimits:
    found = await asked.ask(rate_limits)
    hits = sum(one.hits for one in found)
    top = [as_json(one) for one in found[:limit]]
    return RateLimits.model_validate({**asked.range, "hits": hits, "addresses": len(found), "top": top})


@ROUTER.get("/suspicious", summary="What an operator should look at")
async def suspicious(
    asked: OverDay, threshold: _Threshold = 5, within_seconds: _Within = 900.0, limit: Limit = 100
) -> Suspicions:
    found = await asked.ask(suspicions, threshold, within_seconds)
    return Suspicions.model_validate({**asked.range, "suspicious": [as_json(one) for one in found[:limit]]})


@ROUTER.get("/attacks", summary="The records judged again by the rules of security; at most 7 days")
async def noticed(asked: OverDay, limit: Limit = 20) -> Noticed:
    if asked.period.nanos > _LONGEST_NANO:
        raise ViewError("choose at most 7 days: every event of the time is judged again")
    settings, lateness = asked.site.judging.security, asked.site.judging.thresholds.lateness
    found = await asked.records.shared(
        ("attacks of the API", asked.period), lambda: asked.ask(_attacks, Same(settings), lateness), _FRESH_SECONDS
    )
    content = {
        "enabled": settings.enabled,
        "episodes": [_attack(one, found) for one in found.episodes[:limit]],
        "odd_logins": [_login(one) for one in found.logins[:limit]],
    }
    return Noticed.model_validate({**asked.range, **content})


def _attacks(engine: Engine, period: Period, settings: Same[SecuritySettings], lateness_seconds: float) -> Attacks:
    return attacks(engine, period, settings.value, lateness_seconds)


def _attack(one: Episode, found: Attacks) -> dict[str, Any]:
    rule = found.descriptions[one.rule]
    return as_json(
        one,
        bounds=rule.bounds,
        mitre_attack_id=rule.labels.get("mitre_attack_id", ""),
        evidence=[_seen(seen) for seen in one.evidence],
        allow=allowance(one),
    )


def _seen(one: Sighting) -> dict[str, Any]:
    told = {name: one.labels[name] for name in _SHOWN if one.labels.get(name)}
    return {**one._asdict(), "time": moment(one.time_unix_nano), "attributes": told}


def _login(one: Login) -> dict[str, Any]:
    told = {"time": moment(one.time_unix_nano), "browser": one.family, "new_browser": one.new_family}
    return {**one._asdict(), **told, "usual_hour": one.usual}
