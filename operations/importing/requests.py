"""Entries as an OTLP request, the same bytes for the same entries: whoever repeats it is known by its batch id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from operations.importing.entry import Entry
from processors.presence import IMPORTED

_MAX_DEPTH = 20
"""Below what the decoder takes (31 levels)."""


def request(entries: Sequence[Entry], service: str, first_line: int) -> bytes:
    """All of one service, by host; `first_line` tells apart chunks that say the same."""
    made = ExportLogsServiceRequest()
    by_host: dict[str, list[Entry]] = {}
    for entry in entries:
        by_host.setdefault(entry.host, []).append(entry)
    for host, group in by_host.items():
        logs = made.resource_logs.add()
        named = {"service.name": service, IMPORTED: True, **({"host.name": host} if host else {})}
        logs.resource.attributes.extend(_pairs({**named, "forecourt.import.first_line": first_line}))
        scopes: dict[str, Any] = {}
        for entry in group:
            if entry.logger not in scopes:
                scopes[entry.logger] = logs.scope_logs.add()
                scopes[entry.logger].scope.name = entry.logger
            record = scopes[entry.logger].log_records.add(
                time_unix_nano=entry.time_unix_nano,
                observed_time_unix_nano=entry.time_unix_nano,
                severity_text=entry.severity,
                severity_number=entry.severity_number,
                event_name=entry.event_name,
            )
            record.body.CopyFrom(_value(entry.body))
            record.attributes.extend(_pairs(entry.attributes))
    return made.SerializeToString(deterministic=True)


def _pairs(attributes: Any, depth: int = 0) -> list[KeyValue]:
    return [KeyValue(key=str(key), value=_value(value, depth)) for key, value in attributes.items()]


def _text(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return "(nested too deeply)"


def _value(value: Any, depth: int = 0) -> AnyValue:
    """What lies too deep to be sent comes as JSON text."""
    made = AnyValue()
    if depth > _MAX_DEPTH and isinstance(value, list | dict):
        value = _text(value)
    if isinstance(value, bool):
        made.bool_value = value
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        made.int_value = value
    elif isinstance(value, float):
        made.double_value = value
    elif isinstance(value, list):
        made.array_value.values.extend(_value(inner, depth + 1) for inner in value)
    elif isinstance(value, dict):
        made.kvlist_value.values.extend(_pairs(value, depth + 1))
    elif value is not None:
        made.string_value = str(value).encode("utf-8", errors="replace").decode()
    return made
