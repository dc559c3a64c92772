"""A small chart of an indicator: block characters for text, bars for HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_BLOCKS = "▁▂▃▄▅▆▇█"
_HEIGHT_PIXELS = 48


class Bar(NamedTuple):
    """`pixels` high; 0 where nothing was measured."""

    pixels: int
    bad: bool


def sparkline(values: Sequence[float | None]) -> str:
    """One character a value, from zero (or the lowest below it) to the highest; a space where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(0.0, *known), max(known)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if value is None else _BLOCKS[round((value - low) * scale)] for value in values)


def bars(values: Sequence[float | None], bad: Sequence[bool]) -> list[Bar]:
    """For a chart of 48 pixels; `bad` marks the values that are in a band."""
    known = [value for value in values if value is not None]
    high = max((abs(value) for value in known), default=0.0)
    return [
        Bar(0 if value is None else max(1, round(abs(value) / high * _HEIGHT_PIXELS)) if high else 1, mark)
        for value, mark in zip(values, bad, strict=True)
    ]
