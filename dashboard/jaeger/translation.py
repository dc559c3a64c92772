"""A trace as Jaeger's query service tells it.

OpenTelemetry's Jaeger translator (opentelemetry-collector-contrib, pkg/translator/jaeger) says what becomes of a span,
Jaeger's internal/uimodel which fields and types the JSON has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from analysis.trace_spans import StoredSpan, StoredTrace

_MOST_EXACT = 2**53 - 1
"""Beyond it Jaeger writes an integer as text: JavaScript would round it."""
_KINDS = frozenset({"INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"})
_SHORT, _LONG = 16, 32
_CHILD, _FOLLOWING = "CHILD_OF", "FOLLOWS_FROM"
_MICRO = 1000
Tags = list[dict[str, Any]]


def trace_json(trace: StoredTrace, *, packed: bool = False) -> dict[str, Any]:
    """`packed` has each span written already: thousands of them as objects take ten times the memory."""
    processes = _Processes()
    made = (_span(trace.trace_id, span, processes.id_of(span)) for span in trace.spans)
    spans = [orjson.Fragment(orjson.dumps(span)) for span in made] if packed else list(made)
    return {
        "traceID": trace_id_json(trace.trace_id),
        "spans": spans,
        "processes": processes.told,
        "warnings": list(trace.cut) or None,
    }


def trace_id_json(trace_id: str) -> str:
    """One of 64 bits has 16 digits."""
    short = trace_id.rjust(_LONG, "0")
    return short[-_SHORT:] if short[:-_SHORT].strip("0") == "" else short


def kind_json(kind: str) -> str:
    """As the tag `span.kind`; empty where it says nothing."""
    return kind.lower() if kind in _KINDS else ""


class _Processes:
    """The senders of a trace's spans, each once."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, Any]] = {}
        self._ids: dict[bytes, str] = {}

    def id_of(self, span: StoredSpan) -> str:
        named = {key: value for key, value in span.resource.items() if key != "service.name"}
        process = {"serviceName": span.service, "tags": _tags(named)}
        own = orjson.dumps(process)
        if own not in self._ids:
            self._ids[own] = f"p{len(self._ids) + 1}"
            self.told[self._ids[own]] = process
        return self._ids[own]


def _span(trace_id: str, span: StoredSpan, process: str) -> dict[str, Any]:
    return {
        "traceID": trace_id_json(trace_id),
        "spanID": _span_id(span.span_id),
        "operationName": span.name,
        "references": _references(trace_id, span),
        "startTime": span.start_unix_nano // _MICRO,
        "duration": max(0, span.end_unix_nano - span.start_unix_nano) // _MICRO,
        "tags": _span_tags(span),
        "logs": [_log(event) for event in span.events],
        "processID": process,
        "warnings": list(span.cut) or None,
    }


def _span_id(span_id: str) -> str:
    return span_id.rjust(_SHORT, "0")


def _references(trace_id: str, span: StoredSpan) -> list[dict[str, str]]:
    """The parent first; a link to it says what kind of parent it is."""
    found: dict[tuple[str, str], str] = {}
    if span.parent_span_id.strip("0"):
        found[trace_id_json(trace_id), _span_id(span.parent_span_id)] = _CHILD
    for link in span.links:
        is_child = link["attributes"].get("opentracing.ref_type") == "child_of"
        found[trace_id_json(link["trace_id"]), _span_id(link["span_id"])] = _CHILD if is_child else _FOLLOWING
    return [{"refType": kind, "traceID": trace, "spanID": own} for (trace, own), kind in found.items()]


def _span_tags(span: StoredSpan) -> Tags:
    scope = {f"otel.scope.{name}": _text(span.scope.get(name)) for name in ("name", "version")}
    after = {
        "span.kind": kind_json(span.kind),
        "otel.status_code": span.status if span.status in {"OK", "ERROR"} else "",
        "error": span.status == "ERROR",
        "otel.status_description": span.status_message,
        "w3c.tracestate": span.trace_state,
    }
    return [*_tags(_told(scope)), *_tags(span.attributes), *_tags(_told(after))]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _told(tags: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tags.items() if value}


def _log(event: Mapping[str, Any]) -> dict[str, Any]:
    attributes = event["attributes"]
    named = {"event": event["name"]} if event["name"] and "event" not in attributes else {}
    return {"timestamp": max(0, event["time_unix_nano"]) // _MICRO, "fields": [*_tags(named), *_tags(attributes)]}


def _tags(attributes: Mapping[str, Any]) -> Tags:
    return [_tag(key, value) for key, value in attributes.items()]


def _tag(key: str, value: Any) -> dict[str, Any]:
    kind, told = _typed(value)
    return {"key": key, "type": kind, "value": told}


def _typed(value: Any) -> tuple[str, Any]:
    """What JSON has no word for is text, as an integer beyond 53 bits."""
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int):
        return "int64", value if abs(value) <= _MOST_EXACT else str(value)
    if isinstance(value, float):
        return "float64", value
    if isinstance(value, dict) and len(value) == 1:
        return _one_key_form(value)
    return "string", _as_text(value)


def _one_key_form(value: dict[str, Any]) -> tuple[str, Any]:
    """Of what the records can't write otherwise: docs/architecture.md, Record fields."""
    ((name, inner),) = value.items()
    if name == "bytesValue" and isinstance(inner, str):
        return "binary", inner
    if name == "doubleValue" and isinstance(inner, str):
        return "float64", inner
    return "string", _as_text(inner if name == "kvlistValue" else value)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
