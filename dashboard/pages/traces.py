"""Traces: finding them, and where the time of one went."""

from __future__ import annotations

import asyncio
from typing import Any

from analysis.engine import Engine
from analysis.period import DAY_NANO, NANO, Period
from analysis.span_tree import entry
from analysis.trace_comparison import compare, normal_like
from analysis.trace_search import Choices, TraceFilter, TraceSummary, find_trace, search_traces, services_and_names
from analysis.traces import Trace, whole_trace
from dashboard.page import Asked, NotThereError, Page
from dashboard.waterfall import waterfall
from processors.quantities import parse_duration

_ORDERS = ("newest", "slowest", "failed")
_STATUSES = ("", "error", "ok")
_LIMIT = 50
_MOST_ATTRIBUTES = 10
_ID_LENGTH = 32
_DIFFERENCES = 30
_STEP_NANO = 5 * NANO
"""Who asks for the same trace within it shares the answer."""


async def listed(asked: Asked) -> dict[str, Any]:
    wanted, problem = _filter(asked)
    order = asked.choice("order", _ORDERS)
    period = asked.view.period
    trace_id = asked.text("trace").strip().lower()
    found, choices = await asyncio.gather(
        asked.records.ask(_search, period, wanted, order) if not problem else _nothing(),
        asked.records.ask(_choices, period),
    )
    return {
        "found": found,
        "longest": max((one.seconds for one in found), default=0.0) or 1.0,
        "choices": choices,
        "wanted": wanted,
        "problem": problem,
        "attributes": asked.text("attributes"),
        "least": asked.text("least"),
        "most": asked.text("most"),
        "order": order,
        "orders": _ORDERS,
        "statuses": _STATUSES,
        "trace": trace_id,
        "limit": _LIMIT,
    }


PAGE = Page("/traces", "Traces", "traces.html.j2", listed, refresh="off")


async def _nothing() -> list[TraceSummary]:
    return []


def _search(engine: Engine, period: Period, wanted: TraceFilter, order: Any) -> list[TraceSummary]:
    return search_traces(engine, period, wanted, order=order, limit=_LIMIT)


def _choices(engine: Engine, period: Period) -> Choices:
    return services_and_names(engine, period)


def _filter(asked: Asked) -> tuple[TraceFilter, str]:
    """With what could not be understood, empty when all could."""
    status: Any = asked.choice("status", _STATUSES)
    service, name = asked.text("service"), asked.text("name")
    try:
        least, most = _seconds(asked.text("least")), _seconds(asked.text("most"))
        attributes = attributes_of(asked.text("attributes"))
    except ValueError as error:
        return TraceFilter(service, name, status), str(error)
    return TraceFilter(service, name, status, least or 0.0, most, attributes), ""


def _seconds(text: str) -> float | None:
    """`300ms`, or a number of seconds; None for nothing, ValueError for what is none."""
    text = text.strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return parse_duration(text)
    if not 0 <= seconds < DAY_NANO:
        raise ValueError(f"{text[:40]} is no number of seconds, expected for example 0.3 or 300ms")
    return seconds


def attributes_of(text: str) -> tuple[tuple[str, str], ...]:
    """One `name=value` a line; raise ValueError for what is none."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines()[:_MOST_ATTRIBUTES])):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{line[:80]!r} is no attribute, expected name=value, for example http.route=/api/orders")
        found.append((name.strip(), value.strip()))
    return tuple(found)


async def one(asked: Asked) -> dict[str, Any]:
    """Whenever it was: a link in a message does not say."""
    trace_id = asked.names["trace"].lower()
    found, period = await _trace(asked, trace_id)
    first = entry(found.roots)
    span = asked.text("span")
    shown = waterfall(found.roots, asked_span=span)
    return {
        "trace_id": trace_id,
        "trace": found,
        "shown": shown,
        "began": shown.start_unix_nano or period.start_unix_nano,
        "entry": first,
        "asked_span": span,
    }


ONE = Page("/traces/{trace}", "Trace", "trace.html.j2", one, refresh="off", section="/traces", ranged=False)


async def _trace(asked: Asked, trace_id: str) -> tuple[Trace, Period]:
    """With the time in which it was seen."""
    now = asked.view.now_unix_nano
    period = await asked.records.ask(find_trace, trace_id, now - now % _STEP_NANO + _STEP_NANO)
    if period is None:
        told = "" if len(trace_id) == _ID_LENGTH else ": a trace id has 32 hexadecimal digits"
        raise NotThereError(
            f"no span of trace {trace_id[:40]} was found{told}. It may have been deleted by age, or never sent; "
            "Logs can be searched for it too"
        )
    return await asked.records.ask(whole_trace, trace_id, period), period


async def compared(asked: Asked) -> dict[str, Any]:
    """Beside one of the same kind that took as long as usual and failed nowhere, or the one that `with` names."""
    trace_id = asked.names["trace"].lower()
    this, _ = await _trace(asked, trace_id)
    first = entry(this.roots)
    if first is None:
        raise NotThereError(f"trace {trace_id[:40]} has no span here, so there is nothing to compare")
    around = Period(max(0, first.start_unix_nano - DAY_NANO // 2), first.start_unix_nano + DAY_NANO // 2)
    other_id = asked.text("with").lower() or await asked.records.ask(_normal, trace_id, around)
    if not other_id or other_id == trace_id:
        return {"trace_id": trace_id, "other_id": "", "entry": first}
    other, _ = await _trace(asked, other_id)
    return {
        "trace_id": trace_id,
        "other_id": other_id,
        "entry": first,
        "other_entry": entry(other.roots),
        "differences": compare(this, other)[:_DIFFERENCES],
        "one": waterfall(this.roots),
        "other": waterfall(other.roots),
    }


COMPARED = Page(
    "/traces/{trace}/compare",
    "Trace against a normal one",
    "trace_comparison.html.j2",
    compared,
    refresh="off",
    section="/traces",
    ranged=False,
)


def _normal(engine: Engine, trace_id: str, period: Period) -> str:
    found = whole_trace(engine, trace_id, period)
    root = entry(found.roots)
    return normal_like(engine, period, root) if root is not None else ""
