"""Which services are there, which have fallen silent, and what their starts and stops tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from processors.observation import Attributes

HEARTBEAT_METRIC = "process.event_loop.heartbeat.age"
STOPPED_EVENT = "fossa.service.stopped"
IMPORTED = "forecourt.imported"
"""Set on the resource of records that are taken in from a file: they tell the past, and nothing of what is now."""
RESOURCE_KEYS = frozenset(
    {"host.name", "process.pid", "service.instance.id", "service.name", "service.version", "telemetry.distro.name"}
)
"""The resource attributes that are looked at here."""

_REGULAR_EXPORTS = 10
_IRREGULAR = 2.0
"""A gap of more than twice the usual one is no regular export."""
_LEAST_SILENCE_NANO = 120_000_000_000
_INTERVALS = 3
_FORGOTTEN_NANO = 24 * 3600 * 1_000_000_000
_MAX_SERVICES = 1000


class Change(NamedTuple):
    """What the stream `system` tells of a service."""

    service: str
    event: str
    time_unix_nano: int
    attributes: Attributes


@dataclass(slots=True)
class _Service:
    last_unix_nano: int = 0
    last_export_unix_nano: int = 0
    gaps: deque[int] = field(default_factory=lambda: deque(maxlen=_REGULAR_EXPORTS))
    heartbeat: bool = False
    instances: dict[str, str] = field(default_factory=dict)
    """Version of each instance."""
    stopped: set[str] = field(default_factory=set)
    absent: bool = False

    @property
    def interval(self) -> float:
        return median(self.gaps) if self.gaps else 0.0

    def watches_nothing(self) -> None:
        self.gaps.clear()
        self.heartbeat = False

    @property
    def watched(self) -> bool:
        """Whether its silence would mean something; what an instance still sends after its stop changes nothing."""
        if self.stopped and not self.instances:
            return False
        if self.heartbeat:
            return True
        return len(self.gaps) == _REGULAR_EXPORTS and max(self.gaps) <= _IRREGULAR * self.interval


class Presence:
    """Services that send metrics at an interval, or a heartbeat, are missed when they stop without saying so."""

    def __init__(self, lateness_nano: int) -> None:
        """What is later tells the past, as a replay does: it begins nothing."""
        self._lateness_nano = lateness_nano
        self._services: dict[str, _Service] = {}
        self._changes: list[Change] = []
        self._last: tuple[tuple[str, int, bool], Attributes | None] = (("", 0, False), None)

    def seen(self, service: str, resource: Attributes, happened_unix_nano: int, received_unix_nano: int) -> bool:
        """Whether the record tells of now; one without a time does."""
        fresh = not 0 < happened_unix_nano < received_unix_nano - self._lateness_nano
        told = (service, received_unix_nano, fresh)
        if resource is not self._last[1] or told != self._last[0]:  # most records of a batch are alike
            self._last = (told, resource)
            self._tell(service, resource, received_unix_nano, fresh=fresh)
        return fresh

    def _tell(self, service: str, resource: Attributes, received_unix_nano: int, *, fresh: bool) -> None:
        known = self._services.get(service)
        if known is None:
            if not fresh or len(self._services) >= _MAX_SERVICES:
                return
            known = self._services[service] = _Service()
        known.last_unix_nano = max(known.last_unix_nano, received_unix_nano)
        if not fresh:
            return
        instance = resource.get("service.instance.id")
        if instance is not None and instance not in known.instances and instance not in known.stopped:
            self._started(service, known, str(instance), resource, received_unix_nano)

    def exported(self, service: str, received_unix_nano: int) -> None:
        """Metrics came, which are sent at an interval whether there is traffic or not."""
        known = self._services.get(service)
        if known is None or received_unix_nano <= known.last_export_unix_nano:
            return
        if known.last_export_unix_nano and not known.absent:
            known.gaps.append(received_unix_nano - known.last_export_unix_nano)
        known.last_export_unix_nano = received_unix_nano

    def beat(self, service: str) -> None:
        if known := self._services.get(service):
            known.heartbeat = True

    def stopped(self, service: str, instance: str) -> None:
        """It said that it stops: its silence means nothing, once no other instance is left."""
        known = self._services.get(service)
        if known is None:
            return
        known.instances.pop(instance, None)
        if instance:
            known.stopped.add(instance)
        if not known.instances:
            known.watches_nothing()

    def silent(self, now_unix_nano: int) -> Iterator[tuple[str, float]]:
        """Each watched service, and 1 if it is absent or 0."""
        for service, known in list(self._services.items()):
            silence = now_unix_nano - known.last_unix_nano
            if silence > _FORGOTTEN_NANO:
                del self._services[service]
                continue
            if not known.watched:
                continue
            absent = silence > max(_INTERVALS * known.interval, _LEAST_SILENCE_NANO)
            if absent != known.absent:
                known.absent = absent
                event = "service.absent" if absent else "service.returned"
                self._changes.append(
                    Change(service, event, now_unix_nano, {"last_seen_unix_nano": known.last_unix_nano})
                )
            yield service, float(absent)

    def changes(self) -> list[Change]:
        """What changed since they were last taken."""
        taken, self._changes = self._changes, []
        return taken

    def excuse(self, gap_nano: int) -> None:
        """We were not there for so long: nobody's silence in that time counts."""
        for known in self._services.values():
            known.last_unix_nano += gap_nano
            known.last_export_unix_nano = 0

    def _started(self, service: str, known: _Service, instance: str, resource: Attributes, time: int) -> None:
        version = str(resource.get("service.version", ""))
        before = set(known.instances.values())
        attributes = {key: resource[key] for key in sorted(RESOURCE_KEYS & resource.keys()) if key != "service.name"}
        event = "service.restarted" if known.absent else "service.started"
        self._changes.append(Change(service, event, time, attributes))
        if before and version not in before:
            changed = {**attributes, "service.version.before": max(before)}
            self._changes.append(Change(service, "service.version_changed", time, changed))
        known.instances[instance] = version
        while len(known.instances) > _MAX_SERVICES:
            del known.instances[next(iter(known.instances))]
        while len(known.stopped) > _MAX_SERVICES:
            known.stopped.pop()

    def to_state(self) -> Any:
        return {
            name: [
                s.last_unix_nano,
                s.last_export_unix_nano,
                list(s.gaps),
                s.heartbeat,
                s.instances,
                sorted(s.stopped),
                s.absent,
            ]
            for name, s in self._services.items()
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        for name, (last, export, gaps, heartbeat, instances, stopped, absent) in content.items():
            known = _Service(
                last, export, heartbeat=heartbeat, instances=instances, stopped=set(stopped), absent=absent
            )
            known.gaps.extend(gaps)
            self._services[name] = known
