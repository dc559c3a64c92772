"""How often somebody may guess a token."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from processors.security.addresses import address_key, network_of

_NANO = 1_000_000_000
_WINDOW_NANO = 300 * _NANO
_MOST_OF_ONE = 5
_MOST_OF_NETWORK = 20
_MOST_OF_ALL = 300
_MOST_KNOWN = 1000
_REMEMBERED = _MOST_OF_ALL + _MOST_OF_ONE * _MOST_KNOWN


class _Failure(NamedTuple):
    time_unix_nano: int
    address: str
    network: str
    guess: bytes


class Attempts:
    """Failures of the last five minutes; an IPv6 address counts with all of its /64.

    Who guesses from many addresses is slowed down too, and keeps nobody out where a right token came from before.
    """

    def __init__(self) -> None:
        self._failures: deque[_Failure] = deque(maxlen=_REMEMBERED)
        self._known: OrderedDict[str, None] = OrderedDict()

    def failed(self, address: str, now_unix_nano: int, guess: bytes = b"") -> bool:
        """Whether it counts: the same guess from the same place, if one is given, does so only once.

        A program that goes on with a token of yesterday guesses nothing.
        """
        key = address_key(address)
        if guess and self._recent(now_unix_nano, lambda one: one.guess == guess and one.address == key):
            return False
        self._failures.append(_Failure(now_unix_nano, key, network_of(key), guess))
        return True

    def succeeded(self, address: str) -> None:
        """A right token came from there, in the life of this process."""
        key = address_key(address)
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def wait_seconds(self, address: str, now_unix_nano: int) -> int:
        """Until a token from there is looked at again; 0 when it is now."""
        key = address_key(address)
        waits = [self._wait(_MOST_OF_ONE, now_unix_nano, lambda one: one.address == key)]
        if key not in self._known:
            network = network_of(key)
            waits.append(self._wait(_MOST_OF_NETWORK, now_unix_nano, lambda one: one.network == network))
            waits.append(self._wait(_MOST_OF_ALL, now_unix_nano, lambda _: True))
        return max(waits)

    def _wait(self, most: int, now_unix_nano: int, counts: Callable[[_Failure], bool]) -> int:
        times = self._recent(now_unix_nano, counts)
        if len(times) < most:
            return 0
        left = times[-most] + _WINDOW_NANO - now_unix_nano
        return -(-left // _NANO)

    def _recent(self, now_unix_nano: int, counts: Callable[[_Failure], bool]) -> list[int]:
        """When those were; that a clock set back has put into the future are none."""
        return [
            one.time_unix_nano
            for one in self._failures
            if 0 <= now_unix_nano - one.time_unix_nano < _WINDOW_NANO and counts(one)
        ]
