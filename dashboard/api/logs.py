"""Log records, and the errors among them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from analysis.errors import error_groups
from analysis.json_values import as_json, period_json
from analysis.log_facets import LEVELS, facets, log_course
from analysis.log_search import Cursor, LogFilter, LogLine, search_logs
from dashboard.api.question import Limit, OverDay, OverHour, Pairs, Parts, Service, pairs_of
from dashboard.api.values import Attributes, Body, Counts, Model, Moment, Ranged, Text, moment
from dashboard.view import ViewError

ROUTER = APIRouter(tags=["logs"])
_CURSOR = re.compile(r"([0-9]{1,19})\.(-?[0-9]{1,18})\.(.{0,64})", re.DOTALL)
_Level = Annotated[
    str,
    Query(
        pattern="^(|trace|debug|info|warn|error|fatal)$", description="The least severity; empty: also those without."
    ),
]
_Contains = Annotated[str, Query(max_length=4096, description="A part of the body, in any case.")]
_Trace = Annotated[str, Query(max_length=64, description="Only of this trace.")]
_Logger = Annotated[str, Query(max_length=1024, description="Only of this logger (the scope's name).")]
_Event = Annotated[str, Query(max_length=1024, description="Only of this event.name.")]


class Record(Model):
    time: Moment | None
    service: Text
    severity: Text
    severity_number: int
    """1 to 24 (OpenTelemetry, Logs Data Model); 0 for none."""
    logger: Text
    event_name: Text
    body: Body
    trace_id: Text
    span_id: Text
    attributes: Attributes
    exception: Body
    """Its stack trace, else its type and message."""
    cursor: Text


class Records(Ranged):
    records: list[Record]
    """Newest first."""
    next: Text | None
    """What `before` is for those that are older; null where there are none."""


class Levels(Model):
    """Records of a part of the time, by level."""

    from_: Moment = Field(alias="from")
    to: Moment
    levels: dict[str, int]


class Facets(Ranged):
    """What the search would find, counted; a record that was sent twice counts twice."""

    severities: Counts
    services: Counts
    loggers: Counts
    events: Counts
    parts: list[Levels]


class Example(Model):
    time: Moment | None
    message: Text
    source: Text
    """Where it came from: span or log."""
    trace_id: Text


class ErrorGroup(Model):
    """Errors of one type, service, and message without what differs from one to the next."""

    error_type: Text
    message: Text
    service: Text
    count: int
    first: Moment | None
    last: Moment | None
    trend: list[int]
    """Counts in twelve equal parts of the time."""
    routes: Counts
    example: Example | None
    """The last one."""


class Errors(Ranged):
    errors: int
    groups: list[ErrorGroup]
    """The most frequent first."""
    left_out: int
    """Groups beyond the limit."""


def _filter(
    *,
    service: Service = "",
    level: _Level = "",
    contains: _Contains = "",
    trace_id: _Trace = "",
    logger: _Logger = "",
    event: _Event = "",
    attribute: Pairs = [],  # noqa: B006  # FastAPI makes a new one
) -> LogFilter:
    least = LEVELS.get(level.upper(), 0)
    return LogFilter(service, least, contains, trace_id, logger, event, pairs_of(attribute))


_Wanted = Annotated[LogFilter, Depends(_filter)]


@ROUTER.get("/logs", summary="Log records by what they say and who says it")
async def search(
    asked: OverHour,
    wanted: _Wanted,
    before: Annotated[str, Query(max_length=128, description="`next` of an answer, for what is older.")] = "",
    limit: Limit = 100,
) -> Records:
    found = await asked.ask(search_logs, wanted, limit=limit, before=_cursor(before))
    last = _text(found[-1]) if len(found) == limit else None
    return Records.model_validate({**asked.range, "records": [_record(one) for one in found], "next": last})


@ROUTER.get("/logs/facets", summary="How many records of each level, service, logger and event")
async def counted(
    asked: OverHour,
    wanted: _Wanted,
    parts: Parts = 60,
    most: Annotated[int, Query(ge=1, le=100, description="At most so many values of each.")] = 12,
) -> Facets:
    found = await asked.ask(facets, wanted, most=most)
    course = await asked.ask(log_course, wanted, parts)
    periods = asked.period.cut(parts)
    told = [{**period_json(part), "levels": levels} for part, levels in zip(periods, course, strict=True)]
    names = ("severities", "services", "loggers", "events")
    return Facets.model_validate({**asked.range, **{name: getattr(found, name) for name in names}, "parts": told})


@ROUTER.get("/errors", summary="What failed, grouped")
async def errors(asked: OverDay, service: Service = "", limit: Limit = 30) -> Errors:
    found = [one for one in await asked.ask(error_groups) if service in {"", one.service}]
    groups = [
        as_json(one, routes=dict(one.routes.most_common()), example=one.example and as_json(one.example))
        for one in found[:limit]
    ]
    count = sum(one.count for one in found)
    return Errors.model_validate(
        {**asked.range, "errors": count, "groups": groups, "left_out": max(0, len(found) - limit)}
    )


def _record(line: LogLine) -> dict[str, Any]:
    names = ("service", "severity", "severity_number", "logger", "event_name", "body", "trace_id", "span_id")
    told = {name: getattr(line, name) for name in (*names, "attributes", "exception")}
    return {**told, "time": moment(line.time_unix_nano), "cursor": _text(line)}


def _text(line: LogLine) -> str:
    time, batch, place = line.cursor
    return f"{time}.{place}.{batch[:64]}"


def _cursor(text: str) -> Cursor | None:
    found = _CURSOR.fullmatch(text)
    if text and found is None:
        raise ViewError(f"before={text[:40]}: expected `next` of an answer")
    return (int(found[1]), found[3], int(found[2])) if found else None
