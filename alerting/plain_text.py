"""Texts from telemetry made harmless: one line, no control characters, no reversed writing, bounded."""

from __future__ import annotations

import unicodedata

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control and format characters (those that reverse writing among them), surrogates, private use, line separators."""


def plain(text: object, limit: int = 300) -> str:
    """Printable, without line breaks, at most `limit` characters."""
    shown = " ".join(printable(str(text)[: 4 * limit]).split())  # cut first: what is thrown away costs nothing
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def printable(text: str) -> str:
    """The text as it is, with a blank for each character that a terminal would obey."""
    return "".join(" " if _unprintable(character) else character for character in text)


def _unprintable(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE
