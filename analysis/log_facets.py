"""What a search over log records would find, counted: by level, service, logger and event, and in time."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.engine import Engine
from analysis.log_search import LogFilter, condition
from analysis.period import Period

LEVELS = {"UNSPECIFIED": 0, "TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
"""The least severity number of each (OpenTelemetry, Logs Data Model, SeverityNumber)."""
_NAMES = tuple(LEVELS)
_LEVEL = """CASE WHEN severity_number BETWEEN 1 AND 24 THEN severity_number + 3 - (severity_number + 3) % 4
    ELSE 0 END"""
"""Four times the level's place among the names."""
_VALUE_LENGTH = 256

Counts = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Facets:
    """Values with how many records have them, the most frequent first; levels as LEVELS has them, the worst first.

    Records without a value are left out. What was sent twice counts twice.
    """

    severities: Counts
    services: Counts
    loggers: Counts
    events: Counts


def facets(engine: Engine, period: Period, wanted: LogFilter, *, most: int = 12) -> Facets:
    """At most so many values of each, but all levels; names are cut to 256 characters."""
    asked, values = condition(wanted)
    rows = engine.sql(
        f"""
        WITH named AS (
            SELECT {_LEVEL} AS level, left(service, {_VALUE_LENGTH}) AS who,
                   left(attr(scope, 'name'), {_VALUE_LENGTH}) AS logger, left(event_name, {_VALUE_LENGTH}) AS event
            FROM logs WHERE {asked}
        ), counted AS (
            SELECT CASE WHEN grouping(level) = 0 THEN 'level' WHEN grouping(who) = 0 THEN 'service'
                        WHEN grouping(logger) = 0 THEN 'logger' ELSE 'event' END AS facet,
                   coalesce(CAST(level AS VARCHAR), who, logger, event, '') AS name, count(*) AS records
            FROM named GROUP BY GROUPING SETS ((level), (who), (logger), (event))
        ), ranked AS (
            SELECT *, row_number() OVER (PARTITION BY facet ORDER BY records DESC, name) AS place
            FROM counted WHERE name <> ''
        )
        SELECT facet, name, records FROM ranked WHERE place <= ? OR facet = 'level' ORDER BY place
        """,  # noqa: S608  # our own names and question marks
        (*values, most),
        period,
    )
    found: dict[str, Counts] = {"level": [], "service": [], "logger": [], "event": []}
    for facet, name, count in rows:
        found[facet].append((name, count))
    levels = sorted(((int(name), count) for name, count in found["level"]), reverse=True)
    severities = [(_NAMES[level // 4], count) for level, count in levels]
    return Facets(severities, found["service"], found["logger"], found["event"])


def log_course(engine: Engine, period: Period, wanted: LogFilter, parts: int) -> list[dict[str, int]]:
    """How many records of each level, in so many equal parts of the period."""
    asked, values = condition(wanted)
    width = max(1, -(-period.nanos // parts))
    since = f"(event_unix_nano - {period.start_unix_nano})"
    rows = engine.sql(
        f"""
        WITH placed AS (SELECT {since} - {since} % {width} AS begins, {_LEVEL} AS level FROM logs WHERE {asked})
        SELECT begins, level, count(*) FROM placed GROUP BY begins, level
        """,  # noqa: S608  # our own names and numbers, and question marks
        values,
        period,
    )
    course = [dict.fromkeys(_NAMES, 0) for _ in range(parts)]
    for begins, level, count in rows:
        course[begins // width][_NAMES[level // 4]] += count
    return course
