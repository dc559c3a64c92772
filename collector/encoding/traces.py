"""Lines of the stream `traces` as spans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.decoding.traces import KINDS, STATUSES
from collector.encoding.times import Moved
from collector.encoding.values import Attributes, identifier

_KINDS: dict[Any, int] = {name: number for number, name in KINDS.items()}
_STATUSES: dict[Any, int] = {name: number for number, name in STATUSES.items()}


def add_span(spans: Any, record: Mapping[str, Any], attributes: Attributes, moved: Moved) -> None:
    """To the lean ScopeSpans' own; raise KeyError, TypeError or ValueError for what is no span of ours."""
    kind, status = record["kind"], record["status"]
    fields = {
        "trace_id": bytes.fromhex(record["trace_id"]),
        "span_id": bytes.fromhex(record["span_id"]),
        "name": record["name"],
        "kind": kind if kind.__class__ is int else _KINDS[kind],
        "start_time_unix_nano": moved(record["time_unix_nano"]),
        "end_time_unix_nano": moved(record["end_time_unix_nano"]),
        "attributes": attributes(record["attributes"]),
    }
    if "parent_span_id" in record:
        fields["parent_span_id"] = bytes.fromhex(record["parent_span_id"])
    for field in ("trace_state", "flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count"):
        if field in record:
            fields[field] = record[field]
    if status != "UNSET" or "status_message" in record:
        code = status if status.__class__ is int else _STATUSES[status]
        fields["status"] = {"code": code, "message": record.get("status_message", "")}
    if "events" in record:
        fields["events"] = [_event(event, attributes, moved) for event in record["events"]]
    if "links" in record:
        fields["links"] = [_link(link, attributes) for link in record["links"]]
    spans.add(**fields)


def _event(content: Mapping[str, Any], attributes: Attributes, moved: Moved) -> dict[str, Any]:
    return {
        **content,
        "time_unix_nano": moved(content["time_unix_nano"]),
        "attributes": attributes(content["attributes"]),
    }


def _link(content: Mapping[str, Any], attributes: Attributes) -> dict[str, Any]:
    return {
        **content,
        "trace_id": identifier(content, "trace_id"),
        "span_id": identifier(content, "span_id"),
        "attributes": attributes(content["attributes"]),
    }
