"""Texts from telemetry made harmless: one line, no control characters, no reversed writing, bounded."""

from __future__ import annotations

import unicodedata

_TURNS = frozenset("\u200e\u200f\u061c\u2028\u2029")


def plain(text: object, limit: int = 300) -> str:
    """Printable, without line breaks, at most `limit` characters."""
    # Cut first: what is thrown away costs nothing.
    shown = "".join(" " if _unprintable(character) else character for character in str(text)[: 4 * limit])
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _unprintable(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} or character in _TURNS
