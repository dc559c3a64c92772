"""Rates, counted by times that are handed in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

_MINUTE_NANO = 60 * 10**9
_MOST_ROUTES = 1000


class TokenBucket:
    """Full at first; `take` gives out what `per_nano` has filled in since.

    A time before the last fills nothing in, and 0, a time not known, neither.
    """

    __slots__ = ("_capacity", "_last_unix_nano", "_per_nano", "_tokens")

    def __init__(self, per_nano: float, capacity: float) -> None:
        self._per_nano = per_nano
        self._capacity = capacity
        self._tokens = capacity
        self._last_unix_nano = 0

    def take(self, count: int, time_unix_nano: int) -> bool:
        """Whether there were so many."""
        self._tokens = self._at(time_unix_nano)
        self._last_unix_nano = time_unix_nano or self._last_unix_nano
        if self._tokens < count:
            return False
        self._tokens -= count
        return True

    def is_full(self, time_unix_nano: int) -> bool:
        """Whether a new one would be the same."""
        return self._at(time_unix_nano) >= self._capacity

    def _at(self, time_unix_nano: int) -> float:
        elapsed = max(0, time_unix_nano - self._last_unix_nano)
        return min(self._capacity, self._tokens + elapsed * self._per_nano)


class RouteRates:
    """A bucket for each route, of at most a minute's traces.

    Routes beyond a thousand within the same minute share one bucket: names that never end can't get round the rate.
    """

    def __init__(self, traces_per_minute: float, routes: Mapping[str, float]) -> None:
        self._traces_per_minute = traces_per_minute
        self._own = {route: _of_a_minute(count) for route, count in routes.items()}
        self._others: OrderedDict[str, TokenBucket] = OrderedDict()
        self._shared = _of_a_minute(traces_per_minute)

    def take(self, route: str, time_unix_nano: int) -> bool:
        """Whether one more trace of the route is within its rate."""
        bucket = self._own.get(route) or self._other(route, time_unix_nano)
        return bucket.take(1, time_unix_nano)

    def _other(self, route: str, time_unix_nano: int) -> TokenBucket:
        others = self._others
        if route in others:
            others.move_to_end(route)
            return others[route]
        if len(others) >= _MOST_ROUTES:
            if not next(iter(others.values())).is_full(time_unix_nano):
                return self._shared
            others.popitem(last=False)
        bucket = others[route] = _of_a_minute(self._traces_per_minute)
        return bucket


def _of_a_minute(count: float) -> TokenBucket:
    """Where less than one a minute is wanted, one in some minutes; 0: none ever."""
    return TokenBucket(count / _MINUTE_NANO, max(count, 1.0) if count else 0.0)
