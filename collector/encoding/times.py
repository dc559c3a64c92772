"""Times moved as a whole, for history that is shown as if it were now."""

from __future__ import annotations

_END = 2**64
"""OTLP's times are unsigned numbers of 64 bits."""


class Moved:
    """Nanoseconds since 1970 by `shift_nano` later; 0 is no time and stays, and none leaves OTLP's range."""

    def __init__(self, shift_nano: int = 0) -> None:
        self._shift_nano = shift_nano

    def __call__(self, unix_nano: int) -> int:
        if not self._shift_nano or not unix_nano:
            return unix_nano
        return min(max(unix_nano + self._shift_nano, 1), _END - 1)
