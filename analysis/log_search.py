"""Log records: found by what they say and who says it, and each with what was logged around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson

from analysis.engine import Engine, Rows
from analysis.period import DAY_NANO, HOUR_NANO, Period

BODY_LENGTH = 16_384
VALUE_LENGTH = 4_096
ATTRIBUTES = 128
"""Most of a record that is given on; what is cut ends in `…`."""
_LOOKS_NANO = (HOUR_NANO, 6 * HOUR_NANO, DAY_NANO, 7 * DAY_NANO)
"""The end of a period is looked at first, and so much more only while lines are missing."""
_UNSAID = 9
"""INFO: what a record without a severity counts as."""
_SPARE_ROWS = 16
_TOO_DEEP = "(nested too deep to be shown)"
_COLUMNS = """event_unix_nano, service, severity, severity_number, attr(scope, 'name') AS logger, body, event_name,
    trace_id, span_id, attributes, batch_id, batch_index"""
_ORDER = ("event_unix_nano", "coalesce(batch_id, '')", "coalesce(batch_index, 0)")

Cursor = tuple[int, str, int]
"""Event time, batch and place in it: where a line stands in the order of all."""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What is empty is not asked for.

    `at_least` is a severity number, `text` any part of the body, large or small; `logger` is the scope's name.
    """

    service: str = ""
    at_least: int = 0
    text: str = ""
    trace_id: str = ""
    logger: str = ""
    event_name: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """A record within limits; `exception` is its stack trace, else its type and message."""

    time_unix_nano: int
    service: str
    severity: str
    severity_number: int
    logger: str
    body: str
    event_name: str
    trace_id: str
    span_id: str
    attributes: dict[str, Any] = field(hash=False)
    exception: str
    batch_id: str
    batch_index: int

    @property
    def cursor(self) -> Cursor:
        return self.time_unix_nano, self.batch_id, self.batch_index


def search_logs(
    engine: Engine, period: Period, wanted: LogFilter, *, limit: int = 200, before: Cursor | None = None
) -> list[LogLine]:
    """Newest first, each record once; `before` is the last line's cursor, for those that are older."""
    end = period.end_unix_nano if before is None else min(period.end_unix_nano, before[0] + 1)
    looks = _looks(Period(period.start_unix_nano, max(period.start_unix_nano, end)))
    asked = condition(wanted)
    return list(islice(_lines(engine, looks, asked, before, limit, newest_first=True), limit))


def around(
    engine: Engine, time_unix_nano: int, batch_id: str, batch_index: int, *, count: int = 20
) -> tuple[list[LogLine], LogLine | None, list[LogLine]]:
    """What the same service logged just before a record, the record, and just after it, in the order of time.

    At most an hour to either side; None where there is no such record.
    """
    this = ("batch_id = ? AND batch_index = ?", [batch_id, batch_index])
    moment = Period(time_unix_nano, time_unix_nano + 1)
    line = next(_lines(engine, [moment], this, None, 1, newest_first=True), None)
    if line is None:
        return [], None, []
    same = ("coalesce(service, '') = ?", [line.service])
    past = _looks(Period(max(0, time_unix_nano - HOUR_NANO), time_unix_nano + 1))
    future = [Period(time_unix_nano, time_unix_nano + HOUR_NANO)]
    earlier = list(islice(_lines(engine, past, same, line.cursor, count, newest_first=True), count))
    later = list(islice(_lines(engine, future, same, line.cursor, count, newest_first=False), count))
    return earlier[::-1], line, later


def condition(wanted: LogFilter) -> tuple[str, list[Any]]:
    """The filter in SQL over `logs`, and what is bound to its question marks."""
    asked = [
        ("service = ?", wanted.service),
        (f"coalesce(nullif(severity_number, 0), {_UNSAID}) >= ?", max(0, wanted.at_least)),
        ("contains(lower(body), ?)", _lower(wanted.text)),
        ("trace_id = ?", wanted.trace_id.lower()),
        ("attr(scope, 'name') = ?", wanted.logger),
        ("event_name = ?", wanted.event_name),
    ]
    parts = [text for text, value in asked if value] + ["attr(attributes, ?) = ?"] * len(wanted.attributes)
    values = [value for _, value in asked if value] + [text for pair in wanted.attributes for text in pair]
    return " AND ".join(parts) or "true", values


def matches(record: Mapping[str, Any], wanted: LogFilter) -> bool:
    """Whether a stored record is one that the search would find.

    In nested values, and of very large and very small doubles, two writers of JSON may spell a thing differently.
    """
    attributes = _object(record.get("attributes"))
    told = {(name, _text(attributes[name])) for name, _ in wanted.attributes if attributes.get(name) is not None}
    return (
        wanted.service in {"", _text(record.get("service"))}
        and (wanted.at_least <= 0 or wanted.at_least <= (_whole(record.get("severity_number")) or _UNSAID))
        and (not wanted.text or _lower(wanted.text) in _lower(_text(record.get("body"))))
        and wanted.trace_id.lower() in {"", _text(record.get("trace_id"))}
        and wanted.logger in {"", _text(_object(record.get("scope")).get("name"))}
        and wanted.event_name in {"", _text(record.get("event_name"))}
        and told.issuperset(wanted.attributes)
    )


def line_of(record: Mapping[str, Any]) -> LogLine:
    """A stored record as the search would give it."""
    times = map(_whole, map(record.get, ("time_unix_nano", "observed_time_unix_nano", "received_unix_nano")))
    logger = _text(_object(record.get("scope")).get("name"))
    return _line(record, next(filter(None, times), 0), logger, _object(record.get("attributes")))


def shortened(text: str, most: int, end: int = 0) -> str:
    """At most so many characters, so many of them from its end; `…` stands for what was cut out."""
    if len(text) <= most:
        return text
    return f"{text[: most - end - 1]}…{text[len(text) - end :]}"


def _looks(period: Period) -> Iterator[Period]:
    end = period.end_unix_nano
    for length in (*_LOOKS_NANO, period.nanos):
        start = max(period.start_unix_nano, period.end_unix_nano - length)
        if start < end:
            yield Period(start, end)
        end = start


def _lines(
    engine: Engine,
    periods: Iterator[Period] | Sequence[Period],
    asked: tuple[str, list[Any]],
    cursor: Cursor | None,
    limit: int,
    *,
    newest_first: bool,
) -> Iterator[LogLine]:
    """As many as are taken, each once; a record that was sent again stands beside its first form.

    What carries no time of its own has that of its arrival, and may stand elsewhere.
    """
    seen: set[tuple[str, int]] = set()
    most = limit + _SPARE_ROWS
    for period in periods:
        rows = most
        while rows == most:
            page = _page(engine, period, asked, cursor, most, newest_first=newest_first).dicts()
            rows = len(page)
            for row in page:
                line = _line(row, row["event_unix_nano"], _text(row["logger"]), _object(_parsed(row["attributes"])))
                cursor = line.cursor
                if cursor[1:] not in seen or not line.batch_id:
                    seen.add(cursor[1:])
                    yield line


def _page(
    engine: Engine,
    period: Period,
    asked: tuple[str, list[Any]],
    cursor: Cursor | None,
    most: int,
    *,
    newest_first: bool,
) -> Rows:
    """Those that come next behind the cursor."""
    text, values = asked
    beyond, direction = ("<", "DESC") if newest_first else (">", "ASC")
    order = ", ".join(f"{column} {direction}" for column in _ORDER)
    time, batch, place = _ORDER
    if cursor is not None:
        text += f" AND ({time} {beyond} ? OR {time} = ? AND ({batch} {beyond} ? OR {batch} = ? AND {place} {beyond} ?))"
        values = [*values, cursor[0], cursor[0], cursor[1], cursor[1], cursor[2]]
    return engine.sql(
        f"SELECT {_COLUMNS} FROM logs WHERE {text} ORDER BY {order} LIMIT ?",  # noqa: S608  # our own names and question marks
        (*values, most),
        period,
    )


def _line(record: Mapping[str, Any], time: int, logger: str, attributes: dict[str, Any]) -> LogLine:
    names = {
        name: shortened(_text(record.get(name)), VALUE_LENGTH)
        for name in ("service", "severity", "event_name", "trace_id", "span_id")
    }
    return LogLine(
        **names,
        time_unix_nano=time,
        severity_number=_whole(record.get("severity_number")),
        logger=shortened(logger, VALUE_LENGTH),
        body=shortened(_text(record.get("body")), BODY_LENGTH),
        attributes={shortened(key, VALUE_LENGTH): _limited(attributes[key]) for key in islice(attributes, ATTRIBUTES)},
        exception=_exception(attributes),
        batch_id=_text(record.get("batch_id")),
        batch_index=_whole(record.get("batch_index")),
    )


def _exception(attributes: Mapping[str, Any]) -> str:
    """By the semantic conventions for exceptions; the last lines of a trace tell the most."""
    trace, kind, message = (_text(attributes.get(f"exception.{part}")) for part in ("stacktrace", "type", "message"))
    return shortened(trace or ": ".join(filter(None, (kind, message))), BODY_LENGTH, BODY_LENGTH // 2)


def _limited(value: Any) -> Any:
    text = _text(value)
    is_whole = len(text) <= VALUE_LENGTH and text != _TOO_DEEP
    return value if is_whole else shortened(text, VALUE_LENGTH)


def _text(value: Any) -> str:
    """As `attr` has it: a text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    try:
        return "" if value is None else orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return _TOO_DEEP


def _lower(text: str) -> str:
    """Character by character, as SQL does: no letter looks at its neighbours or becomes two."""
    return text.lower() if text.isascii() else "".join(letter.lower()[0] for letter in text)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else 0


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _parsed(text: str | None) -> Any:
    try:
        return orjson.loads(text or "{}")
    except orjson.JSONDecodeError:  # what the engine's reader takes and ours does not
        return {"": text}
