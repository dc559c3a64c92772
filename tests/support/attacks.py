"""Sightings judged as they would be live: in the order of their arrival, a tick every ten seconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from processors.evaluation import Transition
from processors.security.judging import SecurityJudging
from processors.security.settings import SecuritySettings
from processors.security.sighting import Sighting, sighting

START = 1_795_435_200
"""2026-11-23T12:00:00Z, in seconds."""
NANO = 1_000_000_000
TICK = 10 * NANO
LATENESS = 120.0
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


def at(seconds: float) -> int:
    """After the start."""
    return (START * 1000 + round(seconds * 1000)) * 1_000_000


def login(
    seconds: float, user: str = "jo", address: str = "192.0.2.1", *, failed: bool = True, **labels: Any
) -> Sighting:
    """By default one that fails."""
    outcome = "failure" if failed else "success"
    who = {"user.id": user, "client.address": address, "service.name": "app", **labels}
    return sighting("auth.login", outcome, at(seconds), f"{round(seconds * 1000):032x}", who)


def seen(event: str, seconds: float, outcome: str = "", **labels: Any) -> Sighting:
    """With the names of labels as `user_id`."""
    named = {name.replace("_", ".") if "." not in name else name: value for name, value in labels.items()}
    return sighting(event, outcome, at(seconds), "", {"service.name": "app", **named})


class Fired(NamedTuple):
    """An alert that began, or got worse, so many seconds after the start."""

    seconds: float
    rule: str
    key: tuple[str, ...]
    severity: str


class Watch:
    """`transitions` are all so far."""

    def __init__(self, **settings: Any) -> None:
        self.settings = SecuritySettings.model_validate(settings)
        self.judging = SecurityJudging(self.settings, LATENESS)
        self.transitions: list[Transition] = []
        self.tick = at(0)

    def feed(self, sightings: Iterable[Sighting], until: float | None = None) -> Watch:
        """As they come: each arrives when it happens, or, after a later one, with that."""
        for one in sightings:
            self.advance(one.time_unix_nano)
            self.judging.take(one)
        if until is not None:
            self.advance(at(until))
        return self

    def advance(self, now: int) -> None:
        while self.tick + TICK <= now:
            # Nothing can change at a tick while nothing waits and nothing holds.
            self.tick = self.tick + TICK if self._is_busy else now // TICK * TICK
            self.transitions += self.judging.judge(self.tick, frozen=False)[1]

    @property
    def _is_busy(self) -> bool:
        state = self.judging
        waits = any(rule._patience._waiting for rule in state._counting)
        return bool(waits or state.users._waiting or state.alarms or state.episodes._ended)

    def restarted(self) -> Watch:
        """Another process that goes on from the state of this one."""
        state = orjson.loads(orjson.dumps(self.judging.to_state(), option=orjson.OPT_NON_STR_KEYS))
        self.judging = SecurityJudging(self.settings, LATENESS)
        self.judging.restore(state)
        return self

    @property
    def fired(self) -> list[Fired]:
        return [
            Fired((one.time_unix_nano - at(0)) / NANO, one.rule, tuple(value for _, value in one.key), one.severity)
            for one in self.transitions
            if one.status == "firing"
        ]

    @property
    def rules(self) -> set[str]:
        """Of the alerts that began."""
        return {one.rule for one in self.fired}

    def of(self, rule: str) -> list[str]:
        """`SECONDS STATUS SEVERITY`."""
        return [
            f"{(one.time_unix_nano - at(0)) / NANO:.0f} {one.status} {one.severity}"
            for one in self.transitions
            if one.rule == rule
        ]
