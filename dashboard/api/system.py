"""The monitoring itself: what runs, what it keeps, who changed what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from analysis.json_values import as_json
from dashboard.api.question import Limit, Now
from dashboard.api.values import Attributes, Band, Labels, Model, Moment, Number, Text, moment
from dashboard.exporter_standing import Standing
from dashboard.pages import system as page
from storage import audit as rows
from storage.state import CollectorRow
from storage.web_process import WebProcessRow

ROUTER = APIRouter(tags=["system"])


class Process(Model):
    pid: int
    version: Text
    endpoints: Labels
    started: Moment | None
    stopped: Moment | None
    """Null as long as it runs, or where it was killed."""


class Counted(Model):
    """A counter that should stay 0."""

    meaning: Text
    band: Band
    value: Number
    """Since the start of the sidecar."""


class Exporter(Model):
    """One signal of an exporter; records are counted since it was new."""

    exporter: Text
    signal: Text
    sent: int
    """Records that the other side took."""
    waiting_bytes: int
    """Of records that were not sent yet."""
    lag_seconds: Number
    """How long the oldest of them waits, or for how long nobody has sent."""
    band: Band
    """Of `lag_seconds`."""
    set_aside: int
    """Records that were refused for good and can be sent again: `forecourt store exporters --retry NAME`."""
    rejected: int
    """Records that the other side refused within a request that it took."""
    dropped: int
    """Records that were deleted before they were sent."""
    last_sent: Moment | None
    problem: Text
    """The last one; it stands still where its time is not before `last_sent`."""
    problem_time: Moment | None


class Status(Model):
    running: bool
    """Whether a sidecar judges now."""
    problem: Text
    """Why nobody judges; empty when somebody does."""
    configuration: Text
    """Where it came from."""
    collector: Process | None
    """That runs, or ran last; null where none has."""
    pages: Process | None
    """The web process beside it."""
    memory_bytes: Number
    """Of the collector."""
    threads: Number
    """Of the collector."""
    lag_seconds: Number
    """How far judging is behind what arrives."""
    accepted: Number
    """Records that were received since its start."""
    counted: list[Counted]
    exporters: list[Exporter]
    """What is sent on; empty where no exporter is configured."""
    unreachable: Text
    """Why the sidecar's own numbers can't be read; empty when they can."""


class Stream(Model):
    """Bytes as they lie there."""

    stream: Text
    segments: int
    records: int
    plain_bytes: int
    compressed_bytes: int
    archived_bytes: int
    last_day_bytes: int
    oldest_hour: Text
    newest_hour: Text


class Usage(Model):
    """Looked at once a minute."""

    bytes: int
    last_day_bytes: int
    free_bytes: int
    """Of the disk."""
    retention: Labels
    """What is kept how long, in words."""
    streams: list[Stream]
    """The largest first."""


class Entry(Model):
    id: int
    time: Moment | None
    by_whom: Text
    """Empty for somebody who is not known."""
    role: Text
    address: Text
    action: Text
    detail: Attributes
    outcome: Text


class Audit(Model):
    entries: list[Entry]
    """Newest first."""
    next: int | None
    """What `before` is for those that are older; null where there are none."""


@ROUTER.get("/status", summary="Whether the monitoring itself is well")
async def status(asked: Now) -> Status:
    found = await page.content(asked.of_page("/system"))
    process = found["process"] or {}
    content = {
        "running": not found["problem"],
        "problem": found["problem"],
        "configuration": asked.site.configuration,
        "collector": _process(found["row"], found["row"] and found["row"].version),
        "pages": _process(found["web"], ""),
        "memory_bytes": process.get("memory"),
        "threads": process.get("threads"),
        "lag_seconds": found["lag"],
        "accepted": found["accepted"],
        "counted": [{"meaning": meaning, "band": band, "value": value} for meaning, band, value in found["counted"]],
        "exporters": [_exporter(one) for one in found["exporters"].standings],
        "unreachable": found["unreachable"],
    }
    return Status.model_validate(content)


@ROUTER.get("/usage", summary="How much of what is stored")
async def usage(asked: Now) -> Usage:
    found = await page.content(asked.of_page("/system"))
    content = {
        "bytes": found["used_bytes"],
        "last_day_bytes": found["day_bytes"],
        "free_bytes": found["free"],
        "retention": asked.site.retention,
        "streams": [as_json(one) for one in found["used"]],
    }
    return Usage.model_validate(content)


@ROUTER.get("/audit", summary="Who changed what; needs the role operate")
async def audit(
    asked: Now,
    before: Annotated[int | None, Query(ge=1, lt=2**63, description="`next` of an answer, for what is older.")] = None,
    limit: Limit = 100,
) -> Audit:
    if not asked.may_operate:
        raise HTTPException(403, "who changed what is for the role operate")
    found = await asked.records.known([], rows.entries, limit, before)
    told = [as_json(one) for one in found]
    return Audit.model_validate({"entries": told, "next": found[-1].id if len(found) == limit else None})


def _exporter(standing: Standing) -> dict[str, Any]:
    row = standing.row
    return {
        "exporter": row.exporter,
        "signal": row.stream,
        "sent": row.sent_records,
        "waiting_bytes": row.waiting_bytes,
        "lag_seconds": standing.lag_seconds,
        "band": standing.band,
        "set_aside": row.set_aside_records,
        "rejected": row.rejected_records,
        "dropped": row.dropped_records,
        "last_sent": moment(row.sent_unix_nano),
        "problem": row.problem,
        "problem_time": moment(row.problem_unix_nano),
    }


def _process(row: CollectorRow | WebProcessRow | None, version: str | None) -> dict[str, Any] | None:
    if row is None:
        return None
    times = {"started": moment(row.started_unix_nano), "stopped": moment(row.stopped_unix_nano)}
    return {"pid": row.pid, "version": version, "endpoints": row.endpoints, **times}
