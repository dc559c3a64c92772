"""What failed, grouped by its type and by its message without what differs from one to the next."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from analysis.engine import Engine, Rows
from analysis.period import Period

TREND_PARTS = 12
_MESSAGE_LENGTH = 500
_VARIABLE = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<hex>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"\b[a-z]+:[0-9a-f]{16}\b"), "<hash>"),
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b"), "<hex>"),
    (re.compile(r"'[^']*'"), "'…'"),
    (re.compile(r'"[^"]*"'), '"…"'),
    (re.compile(r"(?<![A-Za-z_])\d+(?:[.,:]\d+)*"), "<n>"),
)
"""What makes two messages of one fault differ, the most telling form first."""


@dataclass(frozen=True, slots=True)
class Example:
    """The last error of a group, as it was."""

    time_unix_nano: int
    message: str
    source: str
    trace_id: str


@dataclass(slots=True)
class ErrorGroup:
    """Errors of one type, normalised message and service."""

    error_type: str
    message: str
    service: str
    count: int = 0
    first_unix_nano: int = 0
    last_unix_nano: int = 0
    trend: list[int] = field(default_factory=list)
    """Counts in twelve equal parts of the period."""
    routes: Counter[str] = field(default_factory=Counter)
    example: Example | None = None


def normalised(message: str) -> str:
    """The message with numbers, ids, addresses and quoted texts replaced by placeholders."""
    for pattern, placeholder in _VARIABLE:
        message = pattern.sub(placeholder, message)
    return message


def error_groups(engine: Engine, period: Period) -> list[ErrorGroup]:
    """The most frequent group first."""
    groups: dict[tuple[str, str, str], ErrorGroup] = {}
    width = max(1, -(-period.nanos // TREND_PARTS))
    rows = _counted(engine, period, width)
    for kind, message, service, route, begins, count, first, last, whole, source, trace_id in rows:
        name = (kind or "error", normalised(message or ""), service)
        group = groups.setdefault(name, ErrorGroup(*name, first_unix_nano=first, trend=[0] * TREND_PARTS))
        group.count += count
        group.trend[begins // width] += count
        group.routes[route or ""] += count
        group.first_unix_nano = min(group.first_unix_nano, first)
        if last >= group.last_unix_nano:
            group.last_unix_nano = last
            group.example = Example(last, whole or "", source or "", trace_id or "")
    return sorted(groups.values(), key=lambda one: (-one.count, one.error_type, one.message))


def _counted(engine: Engine, period: Period, width: int) -> Rows:
    """By part of the period, which is told by its beginning after that of the whole.

    A failed span without a message is no error of its own where its trace says what was raised.
    """
    since = f"(event_unix_nano - {period.start_unix_nano})"
    return engine.sql(
        f"""
        WITH told AS (
            SELECT DISTINCT trace_id AS trace FROM errors WHERE message <> '' AND trace_id <> ''
        ), numbered AS (
            SELECT *, left(message, {_MESSAGE_LENGTH}) AS shown, {since} - {since} % {width} AS begins
            FROM errors LEFT JOIN told ON errors.trace_id = told.trace AND errors.message = ''
            WHERE told.trace IS NULL
        )
        SELECT error_type, shown, service, route, begins, count(*), min(event_unix_nano), max(event_unix_nano),
               max_by(message, event_unix_nano), max_by(source, event_unix_nano), max_by(trace_id, event_unix_nano)
        FROM numbered
        GROUP BY error_type, shown, service, route, begins
        """,  # noqa: S608  # our own numbers
        (),
        period,
    )
