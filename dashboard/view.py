"""What part of time a page shows and how: all of it stands in the address, so that any view can be shared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from analysis.period import DAY_NANO, HOUR_NANO, MINUTE_NANO, NANO, Period
from processors.quantities import parse_duration

RANGES = ("15min", "1h", "6h", "24h", "7days", "30days")
"""That the picker offers."""
REFRESHES = ("off", "5s", "10s", "30s", "1min")
_STEPS = (
    *(seconds * NANO for seconds in (5, 10, 30)),
    *(minutes * MINUTE_NANO for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR_NANO for hours in (1, 2, 6, 12)),
    *(days * DAY_NANO for days in (1, 2, 7, 14, 28)),
)
_PARTS = 60
_GRAIN_NANO = 5 * NANO
"""Views that move with the clock move in such steps, so that many who look share one answer."""
_LONGEST_NANO = 366 * DAY_NANO
_EXACT_NANO = HOUR_NANO
"""Up to this length records are read themselves; what is longer is told by rollups, and begins with a minute."""
_LEAST_REFRESH_SECONDS = 2.0
_ZONE = re.compile(r"[A-Za-z0-9+_-]{1,40}(/[A-Za-z0-9+_-]{1,40}){0,2}")
_TRAVELLING = ("last", "from", "to", "zone", "refresh")


class ViewError(ValueError):
    """The address asks for what no page can show; the message says what it may ask for."""


@dataclass(frozen=True, slots=True)
class View:
    """`given` is what of it stands in the address."""

    period: Period
    now_unix_nano: int
    last: str
    """Empty where beginning and end are given."""
    zone: str
    refresh: str
    refresh_seconds: float | None
    given: tuple[tuple[str, str], ...]

    @property
    def timezone(self) -> ZoneInfo:
        return _zone(self.zone)

    @property
    def moves(self) -> bool:
        """Whether it ends now."""
        return bool(self.last)

    def link(self, path: str, /, **query: object) -> str:
        """The same view of another page; a value of None or '' is left out, one of the view's own names replaces it."""
        wanted = {**dict(self.given), **{name.rstrip("_"): value for name, value in query.items()}}
        if "last" in query:
            wanted = {name: value for name, value in wanted.items() if name not in {"from", "to"}}
        elif "from_" in query:
            wanted.pop("last", None)
        text = urlencode({name: value for name, value in wanted.items() if value not in (None, "")})
        return f"{path}?{text}" if text else path

    def around(self, path: str, time_unix_nano: int, seconds: float, /, **query: object) -> str:
        """As `link`, of so long before and after a moment."""
        start, end = (time_unix_nano + int(sign * seconds * NANO) for sign in (-1, 1))
        return self.link(path, from_=instant(start), to=instant(end), **query)

    @property
    def exact(self) -> bool:
        """Whether it is short enough for records to be read themselves."""
        return self.period.nanos <= _EXACT_NANO

    def parts(self, most: int = _PARTS, *, minutes: bool = False) -> tuple[Period, ...]:
        """At most so many adjoining parts, at round times but for the ends; none below a minute if `minutes`."""
        start, end = self.period.start_unix_nano, self.period.end_unix_nano
        if minutes:
            start -= start % MINUTE_NANO
        steps = [step for step in _STEPS if step >= MINUTE_NANO or not minutes]
        step = next((step for step in steps if (end - start) / step <= most - 1), steps[-1])
        marks = [start, *range(start - start % step + step, end, step), end]
        return tuple(Period(one, other) for one, other in pairwise(marks))


def instant(time_unix_nano: int) -> str:
    """RFC 3339 with milliseconds, for an address."""
    moment = datetime.fromtimestamp(time_unix_nano // NANO, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_unix_nano % NANO // 1_000_000:03d}Z"


def view_of(query: Mapping[str, str], now_unix_nano: int, *, last: str = "1h", refresh: str = "10s") -> View:
    """Raise ViewError; `last` and `refresh` are the page's own where the address says nothing."""
    given = tuple((name, query[name]) for name in _TRAVELLING if query.get(name))
    zone = query.get("zone") or "UTC"
    _zone(zone)
    refresh = query.get("refresh") or refresh
    moving, period = _period(query, now_unix_nano, last)
    seconds = _refresh_seconds(refresh) if moving else None
    return View(period, now_unix_nano, moving, zone, refresh if moving else "off", seconds, given)


def _period(query: Mapping[str, str], now: int, default: str) -> tuple[str, Period]:
    since, until = query.get("from", ""), query.get("to", "")
    if not since and not until:
        last = query.get("last") or default
        nanos = int(_seconds("last", last) * NANO)
        end = now - now % _GRAIN_NANO
        if not _GRAIN_NANO <= nanos <= _LONGEST_NANO:
            raise ViewError(f"last={last[:40]}: expected 5s to 366days")
        return last, _from_minute(Period(max(0, end - nanos), end))
    end = _moment("to", until) if until else now - now % _GRAIN_NANO
    start = _moment("from", since) if since else max(0, end - int(_seconds("last", default) * NANO))
    if not start < end <= start + _LONGEST_NANO:
        raise ViewError(
            f"from={since[:40]}, to={until[:40]}: expected a beginning before the end, at most 366 days apart"
        )
    return "", _from_minute(Period(start, end))


def _from_minute(period: Period) -> Period:
    start = period.start_unix_nano
    return period if period.nanos <= _EXACT_NANO else Period(start - start % MINUTE_NANO, period.end_unix_nano)


def _seconds(name: str, text: str) -> float:
    try:
        return parse_duration(text[:40])
    except ValueError as error:
        raise ViewError(f"{name}={text[:40]}: {error}") from error


def _refresh_seconds(text: str) -> float | None:
    if text == "off":
        return None
    seconds = _seconds("refresh", text)
    if not _LEAST_REFRESH_SECONDS <= seconds <= DAY_NANO / NANO:
        raise ViewError(f"refresh={text[:40]}: expected off, or 2s to 1day")
    return seconds


def _moment(name: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text[:40])
    except ValueError as error:
        raise ViewError(f"{name}={text[:40]}: no time, expected for example 2026-11-23T10:30:00Z") from error
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    nano = (since.days * 86_400 + since.seconds) * NANO + since.microseconds * 1000
    if not 0 <= nano < 2**63:
        raise ViewError(f"{name}={text[:40]}: no record can be from then, expected 1970 to 2262")
    return nano


@lru_cache(64)
def _zone(name: str) -> ZoneInfo:
    try:
        if not _ZONE.fullmatch(name):
            raise ZoneInfoNotFoundError  # noqa: TRY301  # a name is no path
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ViewError(f"zone={name[:40]}: no time zone, expected for example UTC or Europe/Berlin") from error
