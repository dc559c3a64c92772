"""Groups: which alerts share a message, and when it is due (Alertmanager's `group_wait` and `group_interval`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from alerting.alert import Alert
from alerting.routing import GroupKey, Route
from alerting.severity import rank


@dataclass(slots=True)
class Group:
    """`due` is when it is looked at next; None while there is nothing to tell."""

    due: int | None = None
    flushed: int = 0
    """When it was last looked at; 0 for never."""
    members: dict[str, Alert] = field(default_factory=dict)


class Groups:
    def __init__(self) -> None:
        self._groups: dict[GroupKey, Group] = {}
        self._of: dict[str, set[GroupKey]] = {}
        self.changed: set[GroupKey] = set()
        """Those whose times are to be saved."""

    def __getitem__(self, key: GroupKey) -> Group:
        return self._groups[key]

    def get(self, key: GroupKey) -> Group | None:
        return self._groups.get(key)

    def place(self, alert: Alert, routes: Iterable[Route], now: int, *, urgent: bool) -> dict[str, int]:
        """Put it into the groups of these routes and no other; when each is due, by route.

        A route that does not wait is due at once; another after its `group_wait`, and `group_interval` after its
        group's last message, also when the group was empty in between.
        """
        wanted = {route.group(alert.matching): route for route in routes}
        for key in self._of.get(alert.id, set()) - wanted.keys():
            self._leave(alert, key)
        found = {}
        for key, route in wanted.items():
            group = self._join(alert, key)
            due = now
            if not urgent and route.wait:
                due = max(now + route.wait, group.flushed + route.interval if group.flushed else 0)
            self._schedule(key, group, due)
            found[route.name] = due
        return found

    def expect(self, alert: Alert, route: Route, now: int) -> None:
        """Have its end told with the group's next message."""
        key = route.group(alert.matching)
        group = self._join(alert, key)
        self._schedule(key, group, max(now, group.flushed + route.interval if group.flushed else 0))

    def hurry(self, alert: Alert, now: int) -> None:
        """Look at its groups now."""
        for key in self._of.get(alert.id, ()):
            self._schedule(key, self._groups[key], now)

    def due(self, now: int) -> list[tuple[GroupKey, Group]]:
        """Those to look at now, those with the worst alerts first."""
        found = [(key, group) for key, group in self._groups.items() if group.due is not None and group.due <= now]
        return sorted(found, key=lambda one: -_worst(one[1]))

    def flushed(self, key: GroupKey, route: Route, now: int, *, told: bool) -> None:
        """It was looked at, and perhaps something was told; one that is empty is kept for its `group_interval`."""
        group = self._groups[key]
        if told:
            group.flushed = now
        if group.members or group.flushed + route.interval > now:
            group.due = now + route.interval
            self.changed.add(key)
        else:
            self.forget(key)

    def leave(self, alert: Alert) -> None:
        for key in self._of.get(alert.id, set()).copy():
            self._leave(alert, key)

    def forget(self, key: GroupKey) -> None:
        """Nobody needs its times any more."""
        del self._groups[key]
        self.changed.add(key)

    def shift(self, nano: int) -> None:
        """The clock has stepped."""
        for key, group in self._groups.items():
            group.flushed = group.flushed + nano if group.flushed else 0
            group.due = None if group.due is None else group.due + nano
            self.changed.add(key)

    def restore(self, key: GroupKey, due: int | None, flushed: int) -> None:
        self._groups[key] = Group(due, flushed)

    def rejoin(self, alert: Alert, key: GroupKey) -> None:
        """After a restart: it is where it was, and so is the group's time."""
        group = self._join(alert, key)
        if group.due is None:
            group.due = group.flushed

    def _join(self, alert: Alert, key: GroupKey) -> Group:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group()
        group.members[alert.id] = alert
        self._of.setdefault(alert.id, set()).add(key)
        return group

    def _leave(self, alert: Alert, key: GroupKey) -> None:
        self._groups[key].members.pop(alert.id, None)
        self._of[alert.id].discard(key)
        if not self._of[alert.id]:
            del self._of[alert.id]

    def _schedule(self, key: GroupKey, group: Group, due: int) -> None:
        if group.due is None or due < group.due:
            group.due = due
            self.changed.add(key)


def _worst(group: Group) -> int:
    return max((rank(alert.severity) for alert in group.members.values()), default=-1)
