"""How far the clocks of senders are from ours: told by when their freshest records say that they happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_MINUTE_NANO = 60_000_000_000
_AHEAD_NANO = 2_000_000_000
"""A record from the future proves a clock that is ahead; up to here nobody minds."""
_BEHIND_NANO = 60_000_000_000
_STEADY_NANO = 5_000_000_000
"""A backlog catches up or falls behind; a wrong clock is late by the same in each minute."""
_MINUTES = 3
_MAX_SENDERS = 1000


@dataclass(slots=True)
class _Sender:
    minute: int = 0
    least: int = 2**63
    """Smallest difference between arrival and event in this minute, in nanoseconds."""
    minutes: deque[int] = field(default_factory=lambda: deque(maxlen=_MINUTES))
    shift: int = 0


class Clocks:
    """Times are nanoseconds since 1970."""

    def __init__(self) -> None:
        self._senders: dict[str, _Sender] = {}

    def corrected(self, sender: str, event_unix_nano: int, received_unix_nano: int) -> int:
        """When it happened by our clock: never after it arrived."""
        known = self._senders.get(sender)
        if known is None:
            if len(self._senders) >= _MAX_SENDERS:
                return min(event_unix_nano, received_unix_nano)
            known = self._senders[sender] = _Sender()
        difference = received_unix_nano - event_unix_nano
        minute = received_unix_nano // _MINUTE_NANO
        if minute == known.minute and difference >= known.least and not known.shift:
            return event_unix_nano if difference > 0 else received_unix_nano
        if minute != known.minute:
            _close_minute(known)
            known.minute, known.least = minute, difference
        known.least = min(known.least, difference)
        if difference < -_AHEAD_NANO and difference < known.shift:
            known.shift = difference
        return min(event_unix_nano + known.shift, received_unix_nano)

    def skewed(self) -> dict[str, float]:
        """Seconds that each wrong clock is ahead of ours (negative: behind), by sender."""
        return {name: -sender.shift / 1e9 for name, sender in self._senders.copy().items() if sender.shift}

    def to_state(self) -> Any:
        return [[name, s.minute, s.least, list(s.minutes), s.shift] for name, s in self._senders.items()]

    def restore(self, content: Iterable[Any]) -> None:
        for name, minute, least, minutes, shift in content:
            self._senders[name] = _Sender(minute, least, deque(minutes, _MINUTES), shift)


def _close_minute(sender: _Sender) -> None:
    if not sender.minute:
        return
    sender.minutes.append(sender.least)
    least, most = min(sender.minutes), max(sender.minutes)
    if least < -_AHEAD_NANO or (
        len(sender.minutes) == _MINUTES and least > _BEHIND_NANO and most - least < _STEADY_NANO
    ):
        sender.shift = least
    else:
        sender.shift = 0
