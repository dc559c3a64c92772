"""Log records as lines of the stream `logs`; a field at its default is left out, but those that every line has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collector.decoding.envelope import read_resource, read_scope
from collector.decoding.request import Request, Scoped

_NAMES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
SEVERITIES = {
    number: _NAMES[(number - 1) // 4] + (str((number - 1) % 4 + 1) if (number - 1) % 4 else "")
    for number in range(1, 25)
}
"""Short names of the logs data model: 9 is INFO, 10 is INFO2."""


def log_records(message: Any, request: Request) -> Iterator[Scoped]:
    """The log records of each scope, with what they share."""
    for resource_logs in message.resource_logs:
        resource = read_resource(resource_logs.resource, resource_logs.schema_url, request.values)
        for scope_logs in resource_logs.scope_logs:
            scope = read_scope(scope_logs.scope, scope_logs.schema_url, request.values)
            yield Scoped(resource, scope, scope_logs.log_records)


def log_record(log: Any, shared: Scoped, request: Request, index: int) -> tuple[dict[str, Any], int]:
    """The line's content and the event time: as sent, else observed, else arrival."""
    time = log.time_unix_nano or log.observed_time_unix_nano or request.received_unix_nano
    attributes, dropped = request.values.attributes(log.attributes)
    record: dict[str, Any] = {
        "timestamp": request.timestamps(time),
        "time_unix_nano": log.time_unix_nano,
        "received_unix_nano": request.received_unix_nano,
        "service": shared.resource.service,
        "severity": request.values.text(log.severity_text) or SEVERITIES.get(log.severity_number, ""),
        "severity_number": log.severity_number,
        "body": request.values.body(log.body),
    }
    _add_details(record, log, request)
    record["observed_time_unix_nano"] = log.observed_time_unix_nano
    record["batch_id"] = request.batch_id
    record["batch_index"] = index
    record["attributes"] = attributes
    if dropped or log.dropped_attributes_count:
        record["dropped_attributes_count"] = dropped + log.dropped_attributes_count
    record["resource"] = shared.resource.json
    record["scope"] = shared.scope.json
    return record, time


def _add_details(record: dict[str, Any], log: Any, request: Request) -> None:
    if not log.severity_text and log.severity_number:
        # The name shown was not sent: remembered so that the record turns back into what it was.
        record["severity_text"] = ""
    if log.event_name:
        record["event_name"] = request.values.text(log.event_name)
    if log.trace_id:
        record["trace_id"] = log.trace_id.hex()
    if log.span_id:
        record["span_id"] = log.span_id.hex()
    if log.flags:
        record["flags"] = log.flags
