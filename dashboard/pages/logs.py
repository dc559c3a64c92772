"""Logs: searching them, following them, and what was said around one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from analysis.engine import Engine
from analysis.log_facets import LEVELS as LEVELS_OF_ALL
from analysis.log_facets import facets, log_course
from analysis.log_search import Cursor, LogFilter, LogLine, around, search_logs
from analysis.period import DAY_NANO, HOUR_NANO, Period
from dashboard.charts import Line, bars
from dashboard.page import Asked, NotThereError, Page
from dashboard.pages.traces import attributes_of

LEVELS = (("", 0), ("DEBUG", 5), ("INFO", 9), ("WARN", 13), ("ERROR", 17), ("FATAL", 21))
"""Names and least severity numbers (https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber)."""
_LEAST = {**LEVELS_OF_ALL, "": 0}
_TONES = {
    "UNSPECIFIED": "muted",
    "TRACE": "muted",
    "DEBUG": "muted",
    "INFO": "",
    "WARN": "warning",
    "ERROR": "critical",
    "FATAL": "critical",
}
_TIMES = frozenset({"last", "from", "to", "refresh", "before", "index", "batch"})
_FILTERS = ("text", "level", "service", "logger", "event", "trace", "attributes")
_PARTS = 60
_LINES = 200
_AROUND = 25
_DETAIL_CHARACTERS = 400_000
"""Of all lines of a page together; what is beyond is shown when one asks for that line."""
_DETAIL_OF_ONE = 60_000
_LARGEST = 2**63 - 1
_LONGEST_NANO = 7 * DAY_NANO
"""Every record of the time is read to count them."""
_MILLI = 1_000_000


async def listed(asked: Asked) -> dict[str, Any]:
    wanted, problem = filter_of(asked)
    period = asked.view.period
    countable = period.nanos <= _LONGEST_NANO
    before, unread = _cursor(asked)
    problem = problem or unread
    found, counts, course = await asyncio.gather(
        asked.records.ask(_search, period, wanted, before) if not problem else _none(),
        asked.records.ask(facets, period, wanted) if countable and not problem else _no_facets(),
        asked.records.ask(_course, period, wanted) if countable and not problem else _none(),
    )
    return {
        "found": with_details(found),
        "older": _older(asked, found),
        "before": bool(before),
        "facets": counts,
        "course": _chart(period, course) if course else None,
        "problem": problem,
        "wanted": wanted,
        "levels": LEVELS,
        "level": asked.text("level").upper(),
        "attributes": asked.text("attributes"),
        "tail": "/logs/tail?" + urlencode({name: value for name, value in asked.query.items() if name not in _TIMES}),
        "filters": {name: value for name, value in asked.query.items() if name in _FILTERS and value},
    }


PAGE = Page("/logs", "Logs", "logs.html.j2", listed, refresh="off")


def filter_of(asked: Asked) -> tuple[LogFilter, str]:
    """What the address asks for, and what of it could not be understood."""
    return log_filter(dict(asked.query))


def log_filter(query: dict[str, str]) -> tuple[LogFilter, str]:
    """As `filter_of`, of any query."""
    texts = {name: query.get(name, "")[:500] for name in _FILTERS}
    at_least = _LEAST.get(texts["level"].upper())
    if at_least is None:
        return LogFilter(), f"level={texts['level'][:40]}: expected one of {', '.join(name for name, _ in LEVELS[1:])}"
    try:
        attributes = attributes_of(texts["attributes"])
    except ValueError as error:
        return LogFilter(), str(error)
    return (
        LogFilter(
            texts["service"],
            at_least,
            texts["text"],
            texts["trace"].strip().lower(),
            texts["logger"],
            texts["event"],
            attributes,
        ),
        "",
    )


async def _none() -> list[Any]:
    return []


async def _no_facets() -> None:
    return None


def _search(engine: Engine, period: Period, wanted: LogFilter, before: Cursor | None) -> list[LogLine]:
    return search_logs(engine, period, wanted, limit=_LINES, before=before)


def _course(engine: Engine, period: Period, wanted: LogFilter) -> list[dict[str, int]]:
    return log_course(engine, period, wanted, _PARTS)


def with_details(found: Sequence[LogLine], always: LogLine | None = None) -> list[tuple[LogLine, bool]]:
    """Each line, and whether all of it stands in the page."""
    room = _DETAIL_CHARACTERS
    shown = []
    for line in found:
        characters = _characters(line)
        fits = characters <= min(room, _DETAIL_OF_ONE) or line is always
        room -= characters if fits else 0
        shown.append((line, fits))
    return shown


def _characters(line: LogLine) -> int:
    """About what its details take."""
    told = sum(len(name) + 2 * len(str(value)) + 120 for name, value in line.attributes.items())
    return told + 2 * len(line.body) + len(line.exception)


def _cursor(asked: Asked) -> tuple[Cursor | None, str]:
    """Of the last line of the page before, None for the first page; and what is wrong with it."""
    if not asked.query.get("before"):
        return None, ""
    time, index = _number(asked, "before"), _number(asked, "index")
    if time is None or index is None:
        return None, f"before={asked.text('before')[:40]}: no place in the logs, take the link Older to go further back"
    return (time, asked.text("batch"), index), ""


def _number(asked: Asked, name: str) -> int | None:
    try:
        found = int(asked.query.get(name, ""))
    except ValueError:
        return None
    return found if 0 <= found <= _LARGEST else None


def _older(asked: Asked, found: Sequence[LogLine]) -> str:
    """The address of what came before these lines."""
    if len(found) < _LINES:
        return ""
    time, batch, index = found[-1].cursor
    kept = {name: value for name, value in asked.query.items() if name in _FILTERS}
    return asked.view.link("/logs", **kept, before=time, batch=batch, index=index)


def _chart(period: Period, course: Sequence[dict[str, int]]) -> dict[str, Any]:
    """Levels that there were, the mildest at the bottom."""
    times = [part.start_unix_nano // _MILLI for part in period.cut(_PARTS)]
    names = [name for name in _TONES if any(one.get(name) for one in course)]
    series = [Line(name, [one[name] for one in course], tone=_TONES[name]) for name in names]  # type: ignore[arg-type]  # one of them
    return bars(times, series, unit="1")


async def near(asked: Asked) -> dict[str, Any]:
    """What the same service said just before and just after a record."""
    time, index = _number(asked, "time"), _number(asked, "index")
    if time is None or index is None:
        raise NotThereError("no record is named: time, batch and index of one are wanted, as Logs links them")
    earlier, line, later = await asked.records.ask(_around, time, asked.text("batch"), index)
    if line is None:
        raise NotThereError("this record is not here any more: it may have been deleted by age")
    return {"lines": with_details([*reversed(later), line, *reversed(earlier)], line), "line": line}


AROUND = Page(
    "/logs/around", "Around a record", "log_around.html.j2", near, refresh="off", section="/logs", ranged=False
)


def _around(engine: Engine, time: int, batch: str, index: int) -> tuple[list[LogLine], LogLine | None, list[LogLine]]:
    if not HOUR_NANO <= time < 2**62:
        return [], None, []
    return around(engine, time, batch, index, count=_AROUND)
