"""Spans of some traces as they were sent, with all that another tool can show of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.engine import Engine
from analysis.limited import limited_attributes, limited_events, limited_links, parsed
from analysis.limited_columns import fitting, sized, summed, text_column
from analysis.period import Period
from analysis.traces import ENDED

_MOST_SPANS = 10_000
_TEXTS = ("span_id", "parent_span_id", "service", "name", "kind", "status", "status_message", "trace_state")
_DETAILS = ("attributes", "events", "links", "resource", "scope")


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """Texts are empty where nothing was sent; `kind` and `status` are those of the stream `traces`."""

    span_id: str
    parent_span_id: str
    service: str
    name: str
    kind: str
    status: str
    status_message: str
    trace_state: str
    start_unix_nano: int
    end_unix_nano: int
    attributes: dict[str, Any]
    events: list[dict[str, Any]]
    """Each with `time_unix_nano`, `name` and `attributes`."""
    links: list[dict[str, Any]]
    """Each with `trace_id`, `span_id` and `attributes`."""
    resource: dict[str, Any]
    """The attributes of who sent it."""
    scope: dict[str, Any]
    """Of the instrumentation, with `name` and `version`."""
    cut: tuple[str, ...]
    """What of it is not here, each as a sentence."""


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """Its spans begin in order."""

    trace_id: str
    spans: list[StoredSpan]
    cut: tuple[str, ...]
    """What of the whole is not here, each as a sentence."""


def stored_traces(engine: Engine, trace_ids: Sequence[str], period: Period) -> list[StoredTrace]:
    """In the order of the ids (32 hex digits), without those of which no span is in the period; raise QueryError.

    At most 10,000 spans of all together, roots before others and then by trace; one that was sent twice counts once.
    """
    if not trace_ids:
        return []
    rows = _rows(engine, trace_ids, period)
    traces: dict[int, dict[object, StoredSpan]] = {}
    for number, (place, _, *row) in enumerate(rows):
        traces.setdefault(place, {}).setdefault(row[0] or number, _span(row))
    whole_until = _whole_until(rows)
    return [
        _trace(trace_ids[place - 1], traces[place].values(), is_whole=place < whole_until) for place in sorted(traces)
    ]


def _rows(engine: Engine, trace_ids: Sequence[str], period: Period) -> list[tuple[Any, ...]]:
    order = "is_below, place, event_unix_nano, span_id, batch_id, batch_index"
    texts = ", ".join(f"{text_column(name)} AS {name}" for name in _TEXTS)
    wanted = ", ".join(f"(?, {place})" for place in range(1, len(trace_ids) + 1))
    return engine.sql(
        f"""
        WITH wanted AS (
            SELECT * FROM (VALUES {wanted}) AS given (trace_id, place)
        ), found AS (
            SELECT place, coalesce(traces.parent_span_id, '') <> '' AS is_below, event_unix_nano, {ENDED} AS ended,
                {sized(*_DETAILS)}, batch_id, batch_index, {texts}
            FROM traces JOIN wanted USING (trace_id) ORDER BY {order} LIMIT ?
        ), summed AS ({summed(order)})
        SELECT place, is_below, {", ".join(_TEXTS)}, event_unix_nano, ended, fits, {fitting(*_DETAILS)}
        FROM summed ORDER BY {order}
        """,  # noqa: S608  # our own expressions
        (*trace_ids, _MOST_SPANS),
        period,
    ).rows


def _whole_until(rows: Sequence[tuple[Any, ...]]) -> float:
    """The place of the first trace that may lack spans: rows end where the limit is."""
    if len(rows) < _MOST_SPANS:
        return math.inf
    place, is_below = rows[-1][:2]
    return float(place) if is_below else 0.0


def _trace(trace_id: str, spans: Iterable[StoredSpan], *, is_whole: bool) -> StoredTrace:
    cut = () if is_whole else (f"only {_MOST_SPANS:,} spans of all traces are shown, maybe not all of this one",)
    in_order = sorted(spans, key=lambda one: (one.start_unix_nano, one.span_id))
    return StoredTrace(trace_id, in_order, cut)


def _span(row: Sequence[Any]) -> StoredSpan:
    """With notes of what nobody can look at."""
    fits, attributes, events, links, resource, scope = row[len(_TEXTS) + 2 :]
    cut = [] if fits else ["its attributes, events and links are not shown: there is too much of them"]
    details: tuple[Any, ...] = (
        limited_attributes(parsed(attributes), "attributes", cut),
        limited_events(parsed(events), cut),
        limited_links(parsed(links), cut),
        limited_attributes(_part(parsed(resource), "attributes"), "resource", cut),
        limited_attributes(parsed(scope), "scope", cut),
    )
    return StoredSpan(*(*row[: len(_TEXTS) + 2], *details, tuple(cut)))


def _part(found: Any, key: str) -> Any:
    return found.get(key) if isinstance(found, dict) else None
