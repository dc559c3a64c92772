"""Durations as Go writes and reads them (time.ParseDuration): 1.2s, 100ms, 1h15m."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "ns": 1,
    "us": 1000,
    "\u00b5s": 1000,  # micro sign
    "\u03bcs": 1000,  # Greek letter mu
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_MOST_CHARACTERS = 60
_MOST_NANO = 2**63


def nanoseconds(text: str) -> int:
    """Raise ValueError that says what was expected."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    parts = list(_PART.finditer(rest)) if len(rest) <= _MOST_CHARACTERS else []
    if not parts or "".join(part[0] for part in parts) != rest:
        raise ValueError("no duration, expected for example 1.2s, 100ms or 1us")
    nano = sign * int(sum(Decimal(part[1]) * _UNITS[part[2]] for part in parts))
    if not -_MOST_NANO < nano < _MOST_NANO:
        raise ValueError("longer than 292 years")
    return nano
