"""More failed logins of a service than the detector of anomalies knows of it."""

from __future__ import annotations

from collections.abc import Iterator

from processors.anomalies.point import Point
from processors.security.alarm import Alarm, Told
from processors.security.settings import SpikeSettings

SPIKES_OF = "failed_logins"
"""The watch."""


class SpikeRule:
    """The runbook's spike of authentication failures, whoever fails and wherever from."""

    def __init__(self, name: str, settings: SpikeSettings) -> None:
        self.name = name
        self.settings = settings

    @property
    def told(self) -> Told:
        return Told(self.settings.summary or f"{self.name}: {{count}}", "1", "count", self.settings.within)

    def take(self, point: Point) -> Iterator[Alarm]:
        settings = self.settings
        if point.watch != SPIKES_OF or point.learning:
            return
        if point.score < settings.score or point.value < settings.count:
            return
        within, time = int(settings.within * 1e9), point.time_unix_nano
        yield Alarm(self.name, point.key, within, time, time, settings.severity, int(point.value))
