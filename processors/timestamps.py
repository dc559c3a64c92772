"""Nanoseconds as RFC 3339 text; integers all the way, since a float can't hold them."""

from __future__ import annotations

from datetime import UTC, datetime

_NANO = 1_000_000_000
_SECONDS = 256


class Timestamps:
    """Remembers the texts of the last seconds, which most records share; safe for several threads."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def __call__(self, unix_nano: int) -> str:
        """As 2026-11-23T12:00:00.000000001Z; any unsigned 64-bit number of nanoseconds will do."""
        digits = str(unix_nano)
        text = self._texts.get(digits[:-9])
        if text is None or unix_nano < _NANO:
            text, digits = self._learn(unix_nano), digits.zfill(9)
        return f"{text}.{digits[-9:]}Z"

    def _learn(self, unix_nano: int) -> str:
        if len(self._texts) >= _SECONDS:
            self._texts.clear()
        second = unix_nano // _NANO
        text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        self._texts[str(second)] = text
        return text
