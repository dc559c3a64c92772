"""Where and when each user logs in, learnt from logins that succeeded."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from processors.security.addresses import browser_family, network_of
from processors.security.sighting import AGENT, Sighting

_HOUR_NANO = 3_600_000_000_000
_DAY_NANO = 24 * _HOUR_NANO
_KNOWN_AFTER_NANO = _HOUR_NANO
"""A place is known an hour after the first login there: an attacker's first one makes it none."""
_REMEMBERED_NANO = 90 * _DAY_NANO
_NEVER = (0, 0)
_MOST_PLACES = 32
_MOST_FAMILIES = 16
_MOST_WAITING = 10_000
_LEAST_LOGINS = 20
_RARE = 0.02


class Login(NamedTuple):
    """A login that is new to its user in some way; `usual` is False at an hour at which they hardly ever log in.

    Of whom no network or no browser is known yet, none is new.
    """

    user: str
    address: str
    network: str
    family: str
    time_unix_nano: int
    trace_id: str
    new_network: bool
    new_family: bool
    usual: bool
    known_nano: int
    """How long the user has been known."""
    logins: int
    """Those before."""


@dataclass(slots=True)
class _User:
    since: int
    logins: int = 0
    networks: dict[str, list[int]] = field(default_factory=dict)
    """First and last login from each."""
    families: dict[str, int] = field(default_factory=dict)
    """Last login with each."""
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    stored: orjson.Fragment | None = None
    """As it was saved last, if it has not changed since."""


class Users:
    """Logins count once `lateness` is over, in the order in which they happened, whichever came first."""

    def __init__(self, lateness_nano: int, max_users: int) -> None:
        self._lateness_nano = lateness_nano
        self._max_users = max_users
        self._users: OrderedDict[str, _User] = OrderedDict()
        self._waiting: list[tuple[int, str, str, str, str]] = []
        self.evicted = 0

    def take(self, login: Sighting) -> None:
        family = browser_family(login.labels[AGENT])
        waits = (login.time_unix_nano, login.user, login.address, family, login.trace_id)
        heapq.heappush(self._waiting, waits)

    def is_known(self, user: str, address: str, time_unix_nano: int) -> bool:
        """Whether that user had logged in from that network an hour before or earlier, and within 90 days."""
        known = self._users.get(user)
        first, last = known.networks.get(network_of(address), _NEVER) if known else _NEVER
        return first + _KNOWN_AFTER_NANO <= time_unix_nano and _lately(last, time_unix_nano)

    def settle(self, now_unix_nano: int) -> Iterator[Login]:
        """The logins that are told in full by now, each compared with what was known before it."""
        until = now_unix_nano - self._lateness_nano
        while self._waiting and (self._waiting[0][0] <= until or len(self._waiting) > _MOST_WAITING):
            yield self._learn(*heapq.heappop(self._waiting))

    def _learn(self, time: int, name: str, address: str, family: str, trace_id: str) -> Login:
        user = self._users.get(name)
        if user is None:
            user = self._users[name] = _User(time)
            if len(self._users) > self._max_users:
                self._users.popitem(last=False)
                self.evicted += 1
        self._users.move_to_end(name)
        network = network_of(address) if address else ""
        told = Login(
            user=name,
            address=address,
            network=network,
            family=family,
            time_unix_nano=time,
            trace_id=trace_id,
            new_network=bool(network and user.networks) and not _lately(user.networks.get(network, _NEVER)[1], time),
            new_family=bool(family and user.families) and not _lately(user.families.get(family, 0), time),
            usual=_usual(user, time),
            known_nano=time - user.since,
            logins=user.logins,
        )
        user.stored = None
        user.logins += 1
        user.hours[_hour(time)] += 1
        if network:
            _remember_place(user.networks, network, time)
        if family:
            user.families[family] = time
            _trim(user.families, _MOST_FAMILIES)
        return told

    def is_usual_hour(self, user: str, time_unix_nano: int) -> bool:
        """False at an hour at which they hardly ever log in; who is not known well has no habits."""
        known = self._users.get(user)
        return known is None or _usual(known, time_unix_nano)

    def to_state(self) -> dict[str, Any]:
        return {"users": [_stored(name, user) for name, user in self._users.items()], "waiting": self._waiting}

    def restore(self, content: Any) -> None:
        for name, since, logins, networks, families, hours in content["users"]:
            self._users[name] = _User(since, logins, networks, families, hours)
        self._waiting = [(time, *rest) for time, *rest in content["waiting"]]
        heapq.heapify(self._waiting)


def _stored(name: str, user: _User) -> orjson.Fragment:
    if user.stored is None:
        content = [name, user.since, user.logins, user.networks, user.families, user.hours]
        user.stored = orjson.Fragment(orjson.dumps(content))
    return user.stored


def _lately(last: int, time: int) -> bool:
    return time - last <= _REMEMBERED_NANO


def _hour(time: int) -> int:
    return time // _HOUR_NANO % 24


def _usual(user: _User, time: int) -> bool:
    """By the hour and its neighbours."""
    whole = sum(user.hours)
    if whole < _LEAST_LOGINS:
        return True
    hour = _hour(time)
    near = sum(user.hours[(hour + step) % 24] for step in (-1, 0, 1))
    return near >= _RARE * whole


def _remember_place(places: dict[str, list[int]], network: str, time: int) -> None:
    seen = places.get(network)
    if seen is None or not _lately(seen[1], time):
        places[network] = [time, time]
    else:
        seen[1] = max(seen[1], time)
    if len(places) > _MOST_PLACES:
        del places[min(places, key=lambda known: places[known][1])]


def _trim(families: dict[str, int], most: int) -> None:
    if len(families) > most:
        del families[min(families, key=lambda known: families[known])]
