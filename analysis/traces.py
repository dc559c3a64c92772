"""One trace: its spans as a tree, and the log records that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analysis.engine import Engine
from analysis.limited import (
    limited_attributes,
    limited_events,
    limited_links,
    limited_text,
    parsed,
)
from analysis.limited_columns import fitting, sized, summed, text_column
from analysis.period import Period
from analysis.span_tree import SpanNode, TraceLog, tree

__all__ = ["ENDED", "SpanNode", "Trace", "TraceLog", "trace", "whole_trace"]

_MAX_SPANS = 2000
_MAX_LOGS = 2000
_LEFT_OUT = "are not shown: there is too much of them"
_DETAILS = ("attributes", "events", "links", "resource", "scope")
_TELLING = ("db.query.text", "url.full")
ENDED = "greatest(coalesce(end_time_unix_nano, 0), event_unix_nano)"
"""When a span ended, in SQL over `traces`: one without an end, or with one before its beginning, took no time."""


@dataclass(frozen=True, slots=True)
class Trace:
    """`roots` have no parent here and begin in order; `loose_logs` belong to no span that is shown."""

    roots: list[SpanNode]
    loose_logs: list[TraceLog]
    spans: int
    """That it has, the hidden ones too."""
    hidden_spans: int
    """That began after the first 2,000."""
    cut: tuple[str, ...]
    """What of the whole is not here, each as a sentence."""


def trace(engine: Engine, trace_id: str, period: Period) -> list[SpanNode]:
    """Its spans without a parent here, by their beginning; a span sent twice counts once."""
    return whole_trace(engine, trace_id, period).roots


def whole_trace(engine: Engine, trace_id: str, period: Period) -> Trace:
    """At most 2,000 spans and as many log records, the first ones; each once, however often it was sent."""
    nodes, spans = _spans(engine, trace_id, period)
    logs, more_logs = _logs(engine, trace_id, period)
    by_id = {node.span_id: node for node in nodes if node.span_id}
    loose: list[TraceLog] = []
    for line in logs:
        node = by_id.get(line.span_id)
        (loose if node is None else node.logs).append(line)
    hidden = spans - len(nodes)
    cut = [f"{hidden:,} spans more began later and are not shown"] if hidden else []
    if more_logs:
        cut.append(f"only the first {len(logs):,} log records are shown")
    return Trace(tree(nodes, by_id), loose, spans, hidden, tuple(cut))


def _spans(engine: Engine, trace_id: str, period: Period) -> tuple[list[SpanNode], int]:
    """Those to show, in order, and how many there are."""
    order = "event_unix_nano, span_id, batch_id, batch_index"
    rows = engine.sql(
        f"""
        WITH found AS (
            SELECT {text_column("span_id")} AS span_id, {text_column("parent_span_id")} AS parent,
                {text_column("service")} AS service, {text_column("name")} AS name, {text_column("kind")} AS kind,
                {text_column("status")} AS status, event_unix_nano, {ENDED} AS ended,
                {text_column("status_message")} AS message, {sized(*_DETAILS)}, batch_id, batch_index
            FROM traces WHERE trace_id = ? ORDER BY {order} LIMIT ?
        ), summed AS ({summed(order)})
        SELECT span_id, parent, service, name, kind, status, event_unix_nano, ended, message, fits,
            {fitting(*_DETAILS)}
        FROM summed ORDER BY {order}
        """,  # noqa: S608  # our own expressions
        (trace_id, 2 * _MAX_SPANS),
        period,
    ).rows
    once: dict[object, tuple[Any, ...]] = {}
    for number, row in enumerate(rows):
        once.setdefault(row[0] or number, row)
    spans = len(once) if len(rows) < 2 * _MAX_SPANS else _number_of_spans(engine, trace_id, period)
    nodes = [_node(*row) for row in list(once.values())[:_MAX_SPANS]]
    return nodes, max(spans, len(nodes))


def _number_of_spans(engine: Engine, trace_id: str, period: Period) -> int:
    ((count,),) = engine.sql("SELECT count(DISTINCT span_id) FROM traces WHERE trace_id = ?", (trace_id,), period)
    return int(count)


def _node(*row: Any) -> SpanNode:
    """The row without what nobody can look at, and with notes of that."""
    message, fits, attributes, events, links, resource, scope = row[8:]
    cut = [] if fits else [f"its attributes, events and links {_LEFT_OUT}"]
    told, with_them = limited_attributes(parsed(attributes), "attributes", cut), limited_events(parsed(events), cut)
    node = SpanNode(*(*row[:8], _detail(told), _raised(with_them)))
    node.status_message, node.attributes, node.events, node.cut = message, told, with_them, cut
    node.links = limited_links(parsed(links), cut)
    node.resource = limited_attributes(_inner(parsed(resource), "attributes"), "resource", cut)
    names = [_inner(parsed(scope), key) for key in ("name", "version")]
    node.scope = limited_text(" ".join(name for name in names if name and isinstance(name, str)), "scope", cut)
    return node


def _inner(found: Any, key: str) -> Any:
    return found.get(key) if isinstance(found, dict) else None


def _detail(attributes: dict[str, Any]) -> str:
    return str(next((attributes[key] for key in _TELLING if attributes.get(key) is not None), ""))


def _raised(events: list[dict[str, Any]]) -> str:
    for event in events:
        if event["name"] == "exception":
            attributes = event["attributes"]
            return f"{attributes.get('exception.type', '')}: {attributes.get('exception.message', '')}"
    return ""


def _logs(engine: Engine, trace_id: str, period: Period) -> tuple[list[TraceLog], bool]:
    """In order, and whether there are more."""
    order = "event_unix_nano, batch_id, batch_index"
    rows = engine.sql(
        f"""
        WITH found AS (
            SELECT event_unix_nano, {text_column("severity")} AS severity, coalesce(severity_number, 0) AS number,
                {text_column("body")} AS body, length(body) AS characters, {text_column("span_id")} AS span,
                {sized("attributes")}, batch_id, batch_index
            FROM logs WHERE trace_id = ? ORDER BY {order} LIMIT ?
        ), summed AS ({summed(order)})
        SELECT event_unix_nano, severity, number, body, characters, span, fits, {fitting("attributes")}, batch_id,
            batch_index
        FROM summed ORDER BY {order}
        """,  # noqa: S608  # our own expressions
        (trace_id, 2 * _MAX_LOGS),
        period,
    ).rows
    # What a client sent again is there twice; a line without a batch is itself.
    once = {row[-2:] if row[-2] else number: row[:-2] for number, row in enumerate(rows)}.values()
    return [_log(*row) for row in list(once)[:_MAX_LOGS]], len(once) > _MAX_LOGS or len(rows) == 2 * _MAX_LOGS


def _log(*row: Any) -> TraceLog:
    time, severity, number, body, characters, span_id, fits, attributes = row
    cut = [] if fits else [f"its attributes {_LEFT_OUT}"]
    text = limited_text(body, "body", cut, characters or 0)
    told = limited_attributes(parsed(attributes), "attributes", cut)
    return TraceLog(time, severity, number, text, told, span_id, tuple(cut))
