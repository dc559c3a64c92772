"""The single errors of a group, as they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.engine import Engine
from analysis.errors import normalised
from analysis.log_search import BODY_LENGTH, VALUE_LENGTH, shortened
from analysis.period import Period

_COMPARED = 500
"""As many characters of a message as groups are made by."""
_TRACE_LENGTH = 65_536
_NAMES = ("service", "route", "source", "trace_id", "span_id")
_OF_GROUP = """
    coalesce(nullif(error_type, ''), 'error') = ? AND coalesce(service, '') = ?
    AND (message IS NULL OR message <> '' OR coalesce(trace_id, '') NOT IN (
        SELECT trace_id FROM errors WHERE message <> '' AND trace_id <> ''
    ))
"""


@dataclass(frozen=True, slots=True)
class ErrorExample:
    """One error within limits: what is cut has a `…`."""

    time_unix_nano: int
    service: str
    route: str
    message: str
    source: str
    trace_id: str
    span_id: str
    stacktrace: str


def errors_like(
    engine: Engine, period: Period, error_type: str, message: str, service: str, *, limit: int = 50
) -> list[ErrorExample]:
    """Those of the group that `error_groups` tells by type, normalised message and service, newest first."""
    said = _said(engine, period, error_type, message, service)[:limit]
    if not said:
        return []
    marks = ", ".join("?" * len(said))
    rows = engine.sql(
        f"""
        SELECT event_unix_nano, service, route, message, source, trace_id, span_id, stacktrace
        FROM errors WHERE {_OF_GROUP} AND left(coalesce(message, ''), {_COMPARED}) IN ({marks})
        ORDER BY event_unix_nano DESC, batch_id, batch_index LIMIT ?
        """,  # noqa: S608  # our own names and numbers, and question marks
        (error_type, service, *said, limit),
        period,
    )
    return [_example(row) for row in rows.dicts()]


def _said(engine: Engine, period: Period, error_type: str, message: str, service: str) -> list[str]:
    """The messages of the group, the last to come first: the newest n errors have no others than the first n."""
    rows = engine.sql(
        f"""
        WITH told AS (
            SELECT left(coalesce(message, ''), {_COMPARED}) AS said, event_unix_nano FROM errors WHERE {_OF_GROUP}
        )
        SELECT said FROM told GROUP BY said ORDER BY max(event_unix_nano) DESC, said
        """,  # noqa: S608  # our own names and numbers, and question marks
        (error_type, service),
        period,
    )
    return [said for (said,) in rows if normalised(said) == message]


def _example(row: Mapping[str, Any]) -> ErrorExample:
    return ErrorExample(
        time_unix_nano=row["event_unix_nano"],
        message=shortened(row["message"] or "", BODY_LENGTH),
        stacktrace=shortened(row["stacktrace"] or "", _TRACE_LENGTH, _TRACE_LENGTH // 2),
        **{name: shortened(row[name] or "", VALUE_LENGTH) for name in _NAMES},
    )
