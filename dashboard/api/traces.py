"""Traces: found, and one in full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from analysis.critical_path import critical_path
from analysis.json_values import as_json, period_json
from analysis.span_tree import SpanNode, TraceLog
from analysis.trace_search import Order, Status, TraceFilter, find_trace, search_traces
from analysis.traces import whole_trace
from dashboard.api.problems import documented
from dashboard.api.question import Limit, Now, OverHour, Pairs, Service, pairs_of
from dashboard.api.values import Attributes, Body, Model, Moment, Ranged, Seconds, Text, moment
from dashboard.page import NotThereError

ROUTER = APIRouter(prefix="/traces", tags=["traces"])
_LENGTH = Query(ge=0, le=1e9, allow_inf_nan=False, description="How long its root took, in seconds.")
_Id = Annotated[str, Path(pattern="^[0-9a-fA-F]{32}$", description="32 hexadecimal digits.")]


class TraceSummary(Model):
    trace_id: str
    start: Moment | None
    seconds: Seconds
    """Of its root."""
    service: Text
    """Of its root, as its name."""
    name: Text
    status_code: int | None
    """Of HTTP; null where there is none."""
    spans: int
    errors: int
    """Spans that failed."""
    services: list[Text]


class Traces(Ranged):
    traces: list[TraceSummary]


class LogOfTrace(Model):
    time: Moment | None
    severity: Text
    severity_number: int
    body: Body
    attributes: Attributes
    span_id: Text
    cut: list[Text]
    """What of it is not here, each as a sentence."""


class EventOfSpan(Model):
    time: Moment | None
    name: Text
    attributes: Attributes


class Link(Model):
    trace_id: Text
    span_id: Text
    attributes: Attributes


class Span(Model):
    span_id: Text
    parent_span_id: Text
    """Empty for a root."""
    depth: int
    """How many spans stand above it here."""
    service: Text
    name: Text
    kind: Text
    """INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER."""
    status: Text
    """UNSET, OK or ERROR."""
    status_message: Text
    start: Moment | None
    seconds: Seconds
    self_seconds: Seconds
    """While no child was at work."""
    detail: Text
    """The statement of a query, the address of a call."""
    error: Text
    """What was raised."""
    scope: Text
    attributes: Attributes
    resource: Attributes
    events: list[EventOfSpan]
    links: list[Link]
    logs: list[LogOfTrace]
    cut: list[Text]
    """What of it is not here, each as a sentence."""


class Waited(Model):
    """A part of the trace's time, and the span that it waited for."""

    span_id: Text
    start: Moment | None
    end: Moment | None


class Trace(Ranged):
    trace_id: str
    spans: list[Span]
    """As they were called: parents before their children; at most 2,000."""
    hidden_spans: int
    """That began after those."""
    critical_path: list[Waited]
    loose_logs: list[LogOfTrace]
    """Of no span that is here."""
    cut: list[Text]
    """What of the whole is not here, each as a sentence."""


@ROUTER.get("", summary="Traces by what their spans say")
async def search(
    *,
    asked: OverHour,
    service: Service = "",
    name: Annotated[str, Query(max_length=1024, description="A part of a span's name or route, in any case.")] = "",
    status: Annotated[Status, Query(description="error: any span failed; ok: none did; empty: either.")] = "",
    at_least_seconds: Annotated[float, _LENGTH] = 0.0,
    below_seconds: Annotated[float | None, _LENGTH] = None,
    attribute: Pairs = [],  # noqa: B006  # FastAPI makes a new one
    order: Annotated[Order, Query(description="failed: those with a failed span first.")] = "newest",
    limit: Limit = 50,
) -> Traces:
    wanted = TraceFilter(service, name, status, at_least_seconds, below_seconds, pairs_of(attribute))
    found = await asked.ask(search_traces, wanted, order=order, limit=limit)
    return Traces.model_validate({**asked.range, "traces": [as_json(one) for one in found]})


@ROUTER.get("/{trace_id}", summary="One trace with its log records", responses=documented(404))
async def one(asked: Now, trace_id: _Id) -> Trace:
    wanted = trace_id.lower()
    period = await asked.records.ask(find_trace, wanted, asked.view.now_unix_nano // 10**10 * 10**10)
    if period is None:
        raise NotThereError(f"no span of the trace {wanted} is recorded: it was not sampled, or is older than is kept")
    found = await asked.records.ask(whole_trace, wanted, period)
    content = {
        **period_json(period),
        "trace_id": wanted,
        "spans": [_span(*span) for span in _flat(found.roots)],
        "hidden_spans": found.hidden_spans,
        "critical_path": [as_json(part) for part in critical_path(found.roots)],
        "loose_logs": [_log(line) for line in found.loose_logs],
        "cut": found.cut,
    }
    return Trace.model_validate(content)


def _flat(roots: list[SpanNode]) -> Iterator[tuple[SpanNode, int]]:
    waiting = [(node, 0) for node in reversed(roots)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in reversed(node.children)]


_SAME = (
    *("span_id", "parent_span_id", "service", "name", "kind", "status", "status_message", "seconds"),
    *("self_seconds", "detail", "error", "scope", "attributes", "resource", "links", "cut"),
)


def _span(node: SpanNode, depth: int) -> dict[str, Any]:
    return {
        **{name: getattr(node, name) for name in _SAME},
        "depth": depth,
        "start": moment(node.start_unix_nano),
        "events": [{**event, "time": moment(event["time_unix_nano"])} for event in node.events],
        "logs": [_log(line) for line in node.logs],
    }


def _log(line: TraceLog) -> dict[str, Any]:
    return {**line._asdict(), "time": moment(line.time_unix_nano)}
