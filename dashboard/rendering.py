"""Templates, and how they write numbers, times and texts of others."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import jinja2

from alerting.plain_text import plain
from dashboard.view import View
from processors.evaluation import format_key, format_value

_NANO = 1_000_000_000
_SHORT = 160
_LONG = 20_000
_DAY_SECONDS = 86_400
_BREAKS = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
NONE = "\N{EN DASH}"
"""Where there is no value."""
MARKS = {"normal": "●", "warning": "▲", "critical": "■", "no data": "○"}
"""By band: told by shape as well as by colour."""
SEVERITIES = ("critical", "high", "medium", "low")


def environment() -> jinja2.Environment:
    """With everything escaped, and an unknown name an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("dashboard", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # a new template would meet the old code
    )
    made.filters.update(
        ago=ago,
        bytes=size,
        count=count,
        key=format_key,
        lasted=lasted,
        long=long_text,
        moment=moment,
        share=lambda value: format_value(value, "ratio"),
        short=short,
        value=format_value,
    )
    made.globals.update(MARKS=MARKS, SEVERITIES=SEVERITIES)
    return made


def short(text: object, length: int = _SHORT) -> str:
    """One line of somebody else's text, without what would turn a line around."""
    return plain(str(text)[: 4 * length], length) if text is not None else ""


def long_text(text: object, length: int = _LONG) -> str:
    """Somebody else's text with its lines."""
    whole = str(text) if text is not None else ""
    lines = _CONTROLS.sub("\ufffd", _BREAKS.sub("\n", whole[:length]))
    return lines if len(whole) <= length else f"{lines}\n… {len(whole) - length:,} more characters"


def size(value: float) -> str:
    """12 B, 3.4 MiB."""
    told = format_value(value, "By")
    return told if told[-1] == "B" else f"{told} B"


def count(value: float | None) -> str:
    """12,345; a value that is no whole number with one digit."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def moment(time_unix_nano: int | None, view: View, *, date: bool | None = None, millis: bool = False) -> str:
    """In the zone of the view; with the date where it is not that of the view's end."""
    if not time_unix_nano:
        return NONE
    zone = view.timezone
    when = datetime.fromtimestamp(time_unix_nano // _NANO, UTC).astimezone(zone)
    today = datetime.fromtimestamp(view.now_unix_nano // _NANO, UTC).astimezone(zone).date()
    day = f"{when:%Y-%m-%d} " if (when.date() != today if date is None else date) else ""
    return f"{day}{when:%H:%M:%S}" + (f".{time_unix_nano % _NANO // 1_000_000:03d}" if millis else "")


def ago(time_unix_nano: int, view: View) -> str:
    """So long before the view's now."""
    return lasted((view.now_unix_nano - time_unix_nano) / _NANO)


def lasted(seconds: float | None) -> str:
    """In its two largest units: 3 min 5 s, 2 d 4 h."""
    if seconds is None:
        return NONE
    left = max(0, int(seconds))
    units = (("d", _DAY_SECONDS), ("h", 3600), ("min", 60), ("s", 1))
    parts: list[str] = []
    for name, length in units:
        number, left = divmod(left, length)
        if number or parts:
            parts.append(f"{number} {name}" if number else "")
    return " ".join(part for part in parts[:2] if part) or "0 s"
