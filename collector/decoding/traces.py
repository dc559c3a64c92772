"""Spans as lines of the stream `traces`; a field at its default is left out, but those that every line has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collector.decoding.envelope import read_resource, read_scope
from collector.decoding.request import Request, Scoped

KINDS = {0: "UNSPECIFIED", 1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}
STATUSES = {0: "UNSET", 1: "OK", 2: "ERROR"}


def spans(message: Any, request: Request) -> Iterator[Scoped]:
    """The spans of each scope, with what they share."""
    for resource_spans in message.resource_spans:
        resource = read_resource(resource_spans.resource, resource_spans.schema_url, request.values)
        for scope_spans in resource_spans.scope_spans:
            scope = read_scope(scope_spans.scope, scope_spans.schema_url, request.values)
            yield Scoped(resource, scope, scope_spans.spans)


def span_record(span: Any, shared: Scoped, request: Request, index: int) -> tuple[dict[str, Any], int]:
    """The line's content and the event time."""
    text = request.values.text
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    time = start or request.received_unix_nano
    attributes, dropped = request.values.attributes(span.attributes)
    record: dict[str, Any] = {
        "timestamp": request.timestamps(time),
        "time_unix_nano": start,
        "received_unix_nano": request.received_unix_nano,
        "service": shared.resource.service,
        "name": text(span.name),
        "kind": KINDS.get(span.kind, span.kind),
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
    }
    if span.parent_span_id:
        record["parent_span_id"] = span.parent_span_id.hex()
    record["end_time_unix_nano"] = end
    record["duration_ms"] = (end - start) / 1e6
    status = span.status
    record["status"] = STATUSES.get(status.code, status.code)
    if status.message:
        record["status_message"] = text(status.message)
    _add_details(record, span, request)
    record["batch_id"] = request.batch_id
    record["batch_index"] = index
    record["attributes"] = attributes
    if dropped or span.dropped_attributes_count:
        record["dropped_attributes_count"] = dropped + span.dropped_attributes_count
    record["resource"] = shared.resource.json
    record["scope"] = shared.scope.json
    return record, time


def _add_details(record: dict[str, Any], span: Any, request: Request) -> None:
    """What few spans have."""
    if span.trace_state:
        record["trace_state"] = request.values.text(span.trace_state)
    if span.flags:
        record["flags"] = span.flags
    events, links = span.events, span.links
    if events:
        record["events"] = [_event(event, request) for event in events[: request.limits.event_count]]
    if links:
        record["links"] = [_link(link, request) for link in links[: request.limits.link_count]]
    dropped_events = span.dropped_events_count + max(0, len(events) - request.limits.event_count)
    if dropped_events:
        record["dropped_events_count"] = dropped_events
    dropped_links = span.dropped_links_count + max(0, len(links) - request.limits.link_count)
    if dropped_links:
        record["dropped_links_count"] = dropped_links


def _event(event: Any, request: Request) -> dict[str, Any]:
    attributes, dropped = request.values.attributes(event.attributes)
    content: dict[str, Any] = {
        "time_unix_nano": event.time_unix_nano,
        "name": request.values.text(event.name),
        "attributes": attributes,
    }
    if dropped or event.dropped_attributes_count:
        content["dropped_attributes_count"] = dropped + event.dropped_attributes_count
    return content


def _link(link: Any, request: Request) -> dict[str, Any]:
    attributes, dropped = request.values.attributes(link.attributes)
    content: dict[str, Any] = {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()}
    if link.trace_state:
        content["trace_state"] = request.values.text(link.trace_state)
    if link.flags:
        content["flags"] = link.flags
    content["attributes"] = attributes
    if dropped or link.dropped_attributes_count:
        content["dropped_attributes_count"] = dropped + link.dropped_attributes_count
    return content
