"""The machines, and what answers."""

from __future__ import annotations

from fastapi import APIRouter

from analysis.availability import availability, gaps
from analysis.health import last_looks
from analysis.host import process_memory, trends, utilization
from analysis.json_values import as_json, period_json
from dashboard.api.question import OverDay, OverHour, OverWeek
from dashboard.api.values import Band, Model, Moment, Number, Ranged, Seconds, Share, Text

ROUTER = APIRouter(tags=["hosts"])


class Utilization(Model):
    """How much of a resource is in use, as shares of 1."""

    indicator: Text
    of: Text
    """Host, disk or pool."""
    samples: int
    last: Share
    mean: Share
    p95: Share
    max: Share
    course: list[Number]
    """Means of equal parts of the time; null without values."""
    band: Band


class Trend(Model):
    """A line through the hourly means."""

    indicator: Text
    of: Text
    now: Share
    per_day: Number
    """In shares of 1 a day."""
    full_in_days: Number
    """Until 100 %; null when it does not grow, or not within 400 days."""
    points: int


class ProcessMemory(Model):
    """Bytes in use by the processes of a service."""

    service: Text
    instance: Text
    samples: int
    first: Number
    """The first measured, in bytes."""
    last: Number
    """The last measured, in bytes."""
    max: Number
    """The most, in bytes."""
    per_hour: Number
    """The slope, in bytes an hour; null for too little."""
    course: list[Number]


class Hosts(Ranged):
    resources: list[Utilization]
    trends: list[Trend]
    """Those that are full first sooner before others."""
    processes: list[ProcessMemory]
    """The largest first; at most 200."""


class Look(Model):
    """At one target, the last one."""

    target: Text
    kind: Text
    state: Text
    """up, down, locked, corrupt …"""
    band: Band
    latency_ms: Number
    """Until it answered, in milliseconds."""
    detail: Text
    certificate_days: Number
    """Until it ends; null where there is none."""
    time: Moment | None
    since: Moment | None
    """The first look of the time that found the same."""


class Health(Ranged):
    targets: list[Look]
    """Critical ones first."""


class Outage(Model):
    start: Moment | None
    end: Moment | None
    detail: Text


class Availability(Model):
    target: Text
    up: Share
    """Of the time that it was looked at."""
    watched_seconds: Seconds
    down_seconds: Seconds
    outages: list[Outage]
    """The last 500."""


class Available(Ranged):
    targets: list[Availability]
    gaps: list[Ranged]
    """Whole hours in which nothing at all was recorded."""


_MOST_OUTAGES = 500
_MOST_PROCESSES = 200


@ROUTER.get("/hosts", summary="Processors, memory, disks and pools, and where they are going")
async def hosts(asked: OverWeek) -> Hosts:
    found, going = await asked.ask(utilization), await asked.ask(trends)
    processes = await asked.ask(process_memory)
    content = {
        "resources": [as_json(one, band=asked.bands.band(one.indicator, "mean", one.last)) for one in found],
        "trends": [as_json(one) for one in going],
        "processes": [as_json(one) for one in processes[:_MOST_PROCESSES]],
    }
    return Hosts.model_validate({**asked.range, **content})


@ROUTER.get("/health", summary="What answered when it was looked at last")
async def health(asked: OverHour) -> Health:
    found = await asked.ask(last_looks)
    return Health.model_validate({**asked.range, "targets": [as_json(one, band=one.band) for one in found]})


@ROUTER.get("/availability", summary="How much of the time each target answered")
async def available(asked: OverDay) -> Available:
    found, unseen = await asked.ask(availability), await asked.ask(gaps)
    targets = [as_json(one, outages=[as_json(out) for out in one.outages[-_MOST_OUTAGES:]]) for one in found]
    return Available.model_validate({**asked.range, "targets": targets, "gaps": [period_json(one) for one in unseen]})
