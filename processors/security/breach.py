"""A login that succeeds after so many that failed: perhaps somebody has found a password."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from processors.security.alarm import Alarm, Alarms, Told
from processors.security.settings import BreachSettings
from processors.security.sighting import ADDRESS, USER, Sighting

_SLACK_NANO = 600_000_000_000
"""For failures that come late; what comes in its order asks for no login before it."""
_MOST = 10_000

_Login = tuple[int, str, str, str]
"""When, who, from where, and its trace."""


class BreachRule:
    """Remembers the logins of the last minutes, since failures before them may arrive after them."""

    def __init__(self, name: str, settings: BreachSettings) -> None:
        self.name = name
        self.settings = settings
        self._within_nano = int(settings.within * 1e9)
        self._logins: OrderedDict[_Login, None] = OrderedDict()
        self._by_key: dict[tuple[str, str], dict[_Login, None]] = {}
        self.evicted = 0

    @property
    def told(self) -> Told:
        return Told(self.settings.summary or f"{self.name}: {{{USER}}}", "1", "count", self.settings.within)

    def take(self, login: Sighting, alarms: Alarms) -> Iterator[Alarm]:
        """A login that succeeded."""
        told = (login.time_unix_nano, login.user, login.address, login.trace_id)
        self._remember(told)
        if len(self._logins) > _MOST:
            self._drop(next(iter(self._logins)))
            self.evicted += 1
        for rule in self.settings.after:
            for key in _keys(told):
                guessing = alarms.alarms.get((rule, (key,)))
                if guessing is not None:
                    yield from self._compared(guessing, [told])

    def follow(self, guessing: Alarm) -> Iterator[Alarm]:
        """What a guess that has just been seen makes of the logins that are known."""
        if guessing.rule in self.settings.after and len(guessing.key) == 1:
            yield from self._compared(guessing, self._by_key.get(guessing.key[0], ()))

    def _compared(self, guessing: Alarm, logins: Iterable[_Login]) -> Iterator[Alarm]:
        for time, user, address, trace_id in logins:
            if guessing.first_unix_nano <= time <= guessing.last_unix_nano + self._within_nano:
                key = ((USER, user), (ADDRESS, address))
                lasts = int(self.settings.lasts * 1e9)
                alarm = Alarm(self.name, key, lasts, time, time, self.settings.severity, guessing.count)
                alarm.seen(trace_id)
                yield alarm

    def _remember(self, login: _Login) -> None:
        self._logins[login] = None
        for key in _keys(login):
            self._by_key.setdefault(key, {})[login] = None

    def _drop(self, login: _Login) -> None:
        del self._logins[login]
        for key in _keys(login):
            del self._by_key[key][login]
            if not self._by_key[key]:
                del self._by_key[key]

    def forget(self, now_unix_nano: int) -> None:
        before = now_unix_nano - _SLACK_NANO
        for login in [login for login in self._logins if login[0] < before]:
            self._drop(login)

    def forget_after(self, now_unix_nano: int) -> None:
        for login in [login for login in self._logins if login[0] > now_unix_nano]:
            self._drop(login)

    def to_state(self) -> list[Any]:
        return list(self._logins)

    def restore(self, content: Iterable[Any]) -> None:
        for time, user, address, trace_id in content:
            self._remember((time, user, address, trace_id))


def _keys(login: _Login) -> tuple[tuple[str, str], tuple[str, str]]:
    return (USER, login[1]), (ADDRESS, login[2])
