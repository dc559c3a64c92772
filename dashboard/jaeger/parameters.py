"""What is asked, as Jaeger's query_parser.go reads it: defaults, units and refusals are Jaeger's."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import orjson
from starlette.datastructures import QueryParams

from analysis.period import DAY_NANO, NANO, Period
from analysis.span_search import SpanFilter
from dashboard.jaeger.durations import nanoseconds

T = TypeVar("T")
_MICRO = 1000
_MILLI = 10**6
_LATEST_NANO = 2**62
"""The year 2116: what is later is in another unit."""
_GRAIN_NANO = 5 * NANO
"""Who asks for what is newest within it shares the answer."""
_SEARCH_NANO = 2 * DAY_NANO
_DEPENDENCIES_NANO = DAY_NANO
_LIMIT = 100
_MOST_TRACES = 1500
"""That Jaeger's own page offers."""
_MOST_IDS = 20
_MOST_TAGS = 10
_WHOLE = re.compile(r"[-+]?[0-9]{1,19}")
_ID = re.compile(r"[0-9a-fA-F]{1,32}")
_ID_LENGTH = 32
_BOOLEANS = frozenset({"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"})


class ParameterError(ValueError):
    """It can't be asked so; the message names the parameter and says what was expected."""


@dataclass(frozen=True, slots=True)
class Search:
    """Traces by their ids (32 hex digits), or if there are none those with a span that is `wanted`."""

    trace_ids: tuple[str, ...]
    wanted: SpanFilter
    period: Period
    limit: int


def search_of(query: QueryParams, now_unix_nano: int) -> Search:
    """Of /api/traces; raise ParameterError."""
    period = _search_period(query, now_unix_nano)
    wanted = SpanFilter(_first(query, "service"), _first(query, "operation"), *_durations(query), tags=_tags(query))
    limit = _read(query, "limit", _whole, _LIMIT)
    check_booleans(query)
    ids = query.getlist("traceID")
    if len(ids) > _MOST_IDS:
        raise ParameterError(f"{len(ids)} parameters 'traceID', expected at most {_MOST_IDS}")
    if not ids and not wanted.service:
        raise ParameterError("parameter 'service' is required")
    if not 0 < limit <= _MOST_TRACES:
        raise ParameterError(f"invalid parameter: limit must be greater than 0, and at most {_MOST_TRACES}")
    return Search(tuple(map(trace_id_of, ids)), wanted, period, limit)


def dependencies_of(query: QueryParams, now_unix_nano: int) -> Period:
    """Of /api/dependencies; raise ParameterError."""
    end = _time(query, "endTs", _MILLI, _soon(now_unix_nano))
    lookback = _read(query, "lookback", _whole, _DEPENDENCIES_NANO // _MILLI) * _MILLI
    if lookback <= 0:
        raise ParameterError("unable to parse param 'lookback': expected a number of milliseconds above 0")
    return Period(max(0, end - lookback), end)


def service_of(query: QueryParams) -> str:
    """Raise ParameterError where none is named."""
    service = _first(query, "service")
    if not service:
        raise ParameterError("parameter 'service' is required")
    return service


def kind_of(query: QueryParams) -> str:
    """Of /api/operations; empty where any will do."""
    return _first(query, "spanKind")


def only_service_of(query: QueryParams) -> str:
    """Of /api/dependencies; empty where any will do."""
    return _first(query, "service")


def trace_id_of(text: str) -> str:
    """In 32 digits, as ids stand in the records; leading zeros may be missing. Raise ParameterError."""
    if not _ID.fullmatch(text):
        raise ParameterError(f"cannot parse traceID {text[:80]!r}: expected 1 to 32 hexadecimal digits")
    return text.lower().rjust(_ID_LENGTH, "0")


def check_times(query: QueryParams) -> None:
    """Of one trace, which is found whenever it was: clients send them in one unit or another. Raise ParameterError."""
    for name in ("start", "end"):
        _read(query, name, _whole, 0)


def check_booleans(query: QueryParams) -> None:
    """`raw` changes nothing here: spans are always as they were sent. Raise ParameterError."""
    if _first(query, "raw") not in {"", *_BOOLEANS}:
        raise ParameterError("unable to parse param 'raw': expected true or false")


def is_pretty(query: QueryParams) -> bool:
    return _first(query, "prettyPrint") not in {"", "false"}


def _search_period(query: QueryParams, now: int) -> Period:
    start = _time(query, "start", _MICRO, max(0, now - now % _GRAIN_NANO - _SEARCH_NANO))
    end = _time(query, "end", _MICRO, _soon(now))
    if start > end:
        raise ParameterError("invalid parameter: start time must be before end time")
    return Period(start, end + 1)


def _soon(now: int) -> int:
    return now - now % _GRAIN_NANO + _GRAIN_NANO


def _durations(query: QueryParams) -> tuple[int, int | None]:
    """At least and at most, in nanoseconds; 0 is as good as none."""
    least, most = (_read(query, name, nanoseconds, 0) for name in ("minDuration", "maxDuration"))
    if least and most and most < least:
        raise ParameterError("'maxDuration' should be greater than 'minDuration'")
    return least, most or None


def _tags(query: QueryParams) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for text in query.getlist("tag"):
        key, colon, value = text.partition(":")
        if not colon:
            raise ParameterError(f"malformed 'tag' parameter, expecting key:value, received: {text[:80]}")
        found[key] = value
    for text in query.getlist("tags"):
        found |= _json_tags(text)
    if len(found) > _MOST_TAGS:
        raise ParameterError(f"{len(found)} tags, expected at most {_MOST_TAGS}")
    return tuple(sorted(found.items()))


def _json_tags(text: str) -> dict[str, str]:
    try:
        tags = orjson.loads(text)
    except orjson.JSONDecodeError:
        tags = None
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise ParameterError('malformed \'tags\' parameter, expected a JSON object of texts, such as {"error":"true"}')
    return tags


def _time(query: QueryParams, name: str, unit_nano: int, default: int) -> int:
    """Nanoseconds since 1970; the records have nothing before that."""
    given = _read(query, name, _whole, None)
    if given is None:
        return default
    if given * unit_nano >= _LATEST_NANO:
        unit = "microseconds" if unit_nano == _MICRO else "milliseconds"
        raise ParameterError(f"unable to parse param '{name}': expected {unit} since 1970")
    return max(0, given * unit_nano)


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError("expected a whole number")
    return int(text)


def _read(query: QueryParams, name: str, read: Callable[[str], int], default: T) -> int | T:
    text = _first(query, name)
    try:
        return read(text) if text else default
    except ValueError as error:
        raise ParameterError(f"unable to parse param '{name}': {text[:80]!r}: {error}") from error


def _first(query: QueryParams, name: str) -> str:
    """As Go reads a query."""
    return next(iter(query.getlist(name)), "")
