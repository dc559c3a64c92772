"""Durations and sizes as people write them: 30s, 2h, 64MiB."""

from __future__ import annotations

import re
from typing import Any

_SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400, "day": 86400, "days": 86400}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")


def parse_duration(text: str) -> float:
    """Seconds; raise ValueError that says what was expected."""
    return _parse(text, _SECONDS, "a duration, for example 1000ms, 30s, 5min, 2h or 30days")


def parse_size(text: str) -> int:
    """Bytes; raise ValueError that says what was expected."""
    return int(_parse(text, _BYTES, "a size, for example 512KiB, 64MiB or 5GiB"))


def _parse(text: str, units: dict[str, Any], expected: str) -> float:
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or found[2] not in units:
        raise ValueError(f"{text!r} is not {expected}")
    return float(found[1]) * float(units[found[2]])


def format_size(count: int) -> str:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if count and count % _BYTES[unit] == 0:
            return f"{count // _BYTES[unit]}{unit}"
    return f"{count}B"


def format_duration(seconds: float) -> str:
    for unit in ("h", "min", "s"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"
