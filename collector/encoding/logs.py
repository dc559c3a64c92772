"""Lines of the stream `logs` as log records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.encoding.times import Moved
from collector.encoding.values import Attributes, body, identifier


def add_log(logs: Any, record: Mapping[str, Any], attributes: Attributes, moved: Moved) -> None:
    """To the lean ScopeLogs' own; raise KeyError, TypeError or ValueError for what is no log record of ours."""
    fields = {
        "time_unix_nano": moved(record["time_unix_nano"]),
        "observed_time_unix_nano": moved(record["observed_time_unix_nano"]),
        "severity_number": record["severity_number"],
        # Where the name was not sent, `severity` is one for people and this stands beside it.
        "severity_text": record.get("severity_text", record["severity"]),
        "attributes": attributes(record["attributes"]),
        "trace_id": identifier(record, "trace_id"),
        "span_id": identifier(record, "span_id"),
    }
    if record["body"] is not None:
        fields["body"] = body(record["body"])
    for field in ("event_name", "flags", "dropped_attributes_count"):
        if field in record:
            fields[field] = record[field]
    logs.add(**fields)
