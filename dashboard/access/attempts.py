"""How often somebody may guess a token."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from processors.security.addresses import address_key

_NANO = 1_000_000_000
_WINDOW_NANO = 300 * _NANO
_MOST_OF_ONE = 5
_MOST_OF_ALL = 30
_REMEMBERED = 1000


class _Failure(NamedTuple):
    time_unix_nano: int
    address: str
    guess: bytes


class Attempts:
    """Failures of the last five minutes; an IPv6 address counts with all of its /64."""

    def __init__(self) -> None:
        self._failures: deque[_Failure] = deque(maxlen=_REMEMBERED)

    def failed(self, address: str, now_unix_nano: int, guess: bytes = b"") -> bool:
        """Whether it counts: the same guess from the same place, if one is given, does so only once.

        A program that goes on with a token of yesterday guesses nothing.
        """
        key = address_key(address)
        if guess and any(one.guess == guess and one.address == key for one in self._recent(now_unix_nano)):
            return False
        self._failures.append(_Failure(now_unix_nano, key, guess))
        return True

    def wait_seconds(self, address: str, now_unix_nano: int) -> int:
        """Until a login from there is heard again; 0 when it is heard now."""
        of_all = [one.time_unix_nano for one in self._recent(now_unix_nano)]
        return max(self.wait_of_one_seconds(address, now_unix_nano), _wait(of_all, _MOST_OF_ALL, now_unix_nano))

    def wait_of_one_seconds(self, address: str, now_unix_nano: int) -> int:
        """As `wait_seconds`, whatever others did: those who have a token aren't kept out by those who guess."""
        key = address_key(address)
        own = [one.time_unix_nano for one in self._recent(now_unix_nano) if one.address == key]
        return _wait(own, _MOST_OF_ONE, now_unix_nano)

    def _recent(self, now_unix_nano: int) -> list[_Failure]:
        """Those that a clock set back has put into the future are none."""
        return [one for one in self._failures if 0 <= now_unix_nano - one.time_unix_nano < _WINDOW_NANO]


def _wait(times: list[int], most: int, now_unix_nano: int) -> int:
    if len(times) < most:
        return 0
    left = times[-most] + _WINDOW_NANO - now_unix_nano
    return -(-left // _NANO)
