"""More failed logins of a service than the detector of anomalies knows of it."""

from __future__ import annotations

from collections.abc import Iterator

from processors.security.alarm import Alarm, Told
from processors.security.settings import SpikeSettings


class SpikeRule:
    """The runbook's spike of authentication failures, whoever fails and wherever from."""

    def __init__(self, name: str, settings: SpikeSettings) -> None:
        self.name = name
        self.settings = settings

    @property
    def told(self) -> Told:
        return Told(self.settings.summary or f"{self.name}: {{count}}", "1", "count", self.settings.within)

    def take(self, service: str, score: float, failures: float, time_unix_nano: int) -> Iterator[Alarm]:
        settings = self.settings
        if score < settings.score or failures < settings.count:
            return
        key = (("service.name", service),)
        within = int(settings.within * 1e9)
        yield Alarm(self.name, key, within, time_unix_nano, time_unix_nano, settings.severity, int(failures))
