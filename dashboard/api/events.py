"""What happened in the business and to its security."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from analysis.events import EventCount, event_counts, event_course, failures, moments
from analysis.json_values import as_json, period_json
from dashboard.api.problems import documented
from dashboard.api.question import Limit, OverDay, Parts, Question
from dashboard.api.values import Attributes, Band, Counts, Model, Moment, Ranged, Seconds, Share, Text
from processors.indicators import indicator_of_event

ROUTER = APIRouter(prefix="/events", tags=["events"])
_STREAM = "What kind of events."
_Names = Annotated[
    list[Annotated[str, Query(min_length=1, max_length=256)]],
    Query(max_length=20, description="Only this event, or those whose names begin with it and a dot."),
]


class Occurred(Model):
    event: Text
    service: Text
    count: int
    successes: int
    failures: int
    success_rate: Share
    """Of those that succeeded or failed."""
    users: int
    p50: Seconds
    p95: Seconds
    max: Seconds
    first: Moment | None
    last: Moment | None


class EventOutcomes(Occurred):
    band: Band


class Failure(Model):
    """Of one event for one reason."""

    event: Text
    reason: Text
    count: int
    last: Moment | None
    trace_id: Text
    examples: Counts
    """What they were about: a work order, a job …"""


class Outcomes(Model):
    from_: Moment = Field(alias="from")
    to: Moment
    successes: int
    failures: int


class Events(Ranged):
    events: list[EventOutcomes]
    """The most frequent first."""
    failures: list[Failure]
    parts: list[Outcomes]


class Event(Model):
    time: Moment | None
    service: Text
    event: Text
    outcome: Text
    """success, failure, or empty."""
    seconds: Seconds
    trace_id: Text
    attributes: Attributes


class LatestEvents(Ranged):
    events: list[Event]
    """Newest first."""


@ROUTER.get("/{stream}", summary="Events by name: outcomes, reasons and times", responses=documented(404))
async def counted(
    asked: OverDay,
    stream: Annotated[Literal["business", "security"], Path(description=_STREAM)],
    event: _Names = [],  # noqa: B006  # FastAPI makes a new one
    parts: Parts = 12,
    limit: Limit = 100,
) -> Events:
    names = tuple(event)
    counts = await asked.ask(event_counts, stream, names)
    reasons = await asked.ask(failures, stream, names)
    course = await asked.ask(event_course, stream, names, parts)
    content = {
        "events": [_counted(asked, one) for one in counts[:limit]],
        "failures": [as_json(one, examples=dict(one.examples.most_common(10))) for one in reasons[:limit]],
        "parts": [
            {**period_json(part), "successes": good, "failures": bad}
            for part, (good, bad) in zip(asked.period.cut(parts), course, strict=True)
        ],
    }
    return Events.model_validate({**asked.range, **content})


@ROUTER.get("/{stream}/latest", summary="The last events as they were", responses=documented(404))
async def latest(
    asked: OverDay,
    stream: Annotated[Literal["business", "security", "system"], Path(description=_STREAM)],
    event: _Names = [],  # noqa: B006  # as above
    limit: Limit = 100,
) -> LatestEvents:
    found = await asked.ask(moments, stream, tuple(event), limit)
    return LatestEvents.model_validate({**asked.range, "events": [as_json(one) for one in found]})


def _counted(asked: Question, one: EventCount) -> dict[str, Any]:
    indicator = indicator_of_event(one.event or "")
    samples = one.successes + one.failures
    band = asked.bands.band(indicator, "ratio", one.success_rate, samples) if indicator else "no data"
    return as_json(one, success_rate=one.success_rate, band=band)
