"""Routing: which routes take an alert, and into which of their groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from alerting.settings import RouteSettings
from processors.matchers import parse_matchers

_NANO = 1_000_000_000


class GroupKey(NamedTuple):
    """Alerts of a group share a message."""

    route: str
    values: tuple[str, ...]


class Route(NamedTuple):
    """Times are in nanoseconds."""

    name: str
    settings: RouteSettings
    wait: int
    interval: int
    repeat: int

    def group(self, labels: Mapping[str, str]) -> GroupKey:
        return GroupKey(self.name, tuple(labels.get(label, "") for label in self.settings.group_by))


class Routes:
    """In their order: the first that matches takes an alert, and those after it too as long as they `continue`."""

    def __init__(self, settings: Mapping[str, RouteSettings]) -> None:
        self._routes = [(_route(name, route), parse_matchers(route.matchers)[1]) for name, route in settings.items()]
        self._by_name = {route.name: route for route, _ in self._routes}

    def of(self, labels: Mapping[str, str]) -> list[Route]:
        """The routes that take an alert of these labels; empty for none."""
        found = []
        for route, matches in self._routes:
            if matches is None or matches(labels):
                found.append(route)
                if not route.settings.continue_:
                    break
        return found

    def get(self, name: str) -> Route | None:
        return self._by_name.get(name)


def _route(name: str, settings: RouteSettings) -> Route:
    times = (settings.group_wait, settings.group_interval, settings.repeat_interval)
    return Route(name, settings, *(int(seconds * _NANO) for seconds in times))
