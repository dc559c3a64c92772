"""A week or a month on one page."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from analysis.period import DAY_NANO
from dashboard.api.events import Occurred
from dashboard.api.hosts import Outage, Trend
from dashboard.api.logs import ErrorGroup
from dashboard.api.problems import documented
from dashboard.api.queries import Timed
from dashboard.api.question import UpTo
from dashboard.api.requests import Earlier
from dashboard.api.security import Offender
from dashboard.api.values import Band, Counts, Model, Moment, Ranged, Seconds, Share, Text
from dashboard.pages import reports as page
from dashboard.view import ViewError

_DAYS = {"weekly": 7, "monthly": 30}
ROUTER = APIRouter(prefix="/reports", tags=["reports"])


class Target(Model):
    target: Text
    up: Share
    down_seconds: Seconds


class AvailabilityReport(Model):
    target: Share
    """What is aimed at."""
    backend: Share
    """How much of the time that it was looked at it answered."""
    watched: Share
    """How much of the time it was looked at."""
    down_seconds: Seconds
    budget_seconds: Seconds
    """How long it may be down."""
    budget_left: Share
    """Negative when it was down for longer; null where nobody looked."""
    outages: list[Outage]
    targets: list[Target]


class RequestReport(Earlier):
    targets: dict[str, float]
    """Seconds for mean, p95 and p99."""
    met: dict[str, bool]
    before: Earlier | None
    """The same length before; null without requests."""


class RouteReport(Earlier):
    band: Band


class ReportPart(Model):
    from_: Moment = Field(alias="from")
    to: Moment
    requests: int
    errors: int
    p95: Seconds


class Noisy(Model):
    rule: Text
    episodes: int


class AlertReport(Model):
    episodes: int
    by_severity: Counts
    notified: int
    acknowledged: int
    median_seconds_to_acknowledge: Seconds
    noisiest: list[Noisy]
    never_fired: list[Text]
    """Rules that are switched on."""


class SecurityReport(Model):
    failed_logins: int
    offenders: list[Offender]
    rate_limited: int
    rate_limited_addresses: int


class Report(Ranged):
    title: Text
    seconds: Seconds
    availability: AvailabilityReport
    requests: RequestReport
    routes: list[RouteReport]
    """The ten slowest."""
    chart: list[ReportPart]
    errors: list[ErrorGroup]
    """The ten most frequent."""
    queries: list[Timed]
    """The ten slowest."""
    business: list[Occurred]
    alerts: AlertReport
    security: SecurityReport
    capacity: list[Trend]
    gaps: list[Ranged]
    """Whole hours in which nothing at all was recorded."""


@ROUTER.get("/{form}", summary="The 7 or 30 days up to a time; at most five minutes old", responses=documented(404))
async def report(
    asked: UpTo, form: Annotated[Literal["weekly", "monthly"], Path(description="Of 7 days, or of 30.")]
) -> Report:
    if asked.period.end_unix_nano < _DAYS[form] * DAY_NANO:
        raise ViewError(f"to: expected a time at least {_DAYS[form]} days after 1970")
    found = await page.content(asked.of_page("/reports", {"form": form}))
    return Report.model_validate(found["report"])
