"""From bands to alerts: `for`, `keep_firing_for`, hysteresis, and what no data means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from processors.conditions import Condition
from processors.evaluation import Status

NO_DATA_NANO = 1800 * 1_000_000_000
"""How long a firing alert lives on without data."""


@dataclass(frozen=True, slots=True)
class Band:
    """Bands of a rule stand in ascending order; a worse one holds only where the ones before it do."""

    level: str
    when: Condition
    clear: Condition | None
    severity: str


@dataclass(slots=True)
class RuleState:
    """Of one rule and key. Prometheus' state machine for each band; the worst band that is ripe is what fires."""

    since: list[int | None]
    """When each band was entered, in nanoseconds since 1970; None outside it."""
    firing: int | None = None
    """The band that fires."""
    keeps_since: int | None = None
    no_data_since: int | None = None
    status: Status = "inactive"
    status_since: int = 0

    @classmethod
    def of(cls, bands: Sequence[Band]) -> RuleState:
        return cls([None] * len(bands))

    def band(self, bands: Sequence[Band], value: float) -> int | None:
        """The worst band that the value is in, or has not left yet."""
        inside = [index for index, band in enumerate(bands) if self._inside(index, band, value)]
        return inside[-1] if inside else None

    def _inside(self, index: int, band: Band, value: float) -> bool:
        if band.when.holds(value):
            return True
        return self.since[index] is not None and band.clear is not None and not band.clear.holds(value)

    def advance(
        self, bands: Sequence[Band], value: float | None, now: int, *, for_nano: int, keep_nano: int
    ) -> str | None:
        """Take the value of this moment in; the reason when status or severity changed, else None."""
        if value is None:
            return self._without_data(now)
        self.no_data_since = None
        for index, band in enumerate(bands):
            if not self._inside(index, band, value):
                self.since[index] = None
            elif self.since[index] is None:
                self.since[index] = now
        ripe = [i for i, since in enumerate(self.since) if since is not None and now - since >= for_nano]
        worst = ripe[-1] if ripe else None
        if self.firing is None:
            return self._not_firing(worst, now)
        return self._firing(self.firing, worst, now, keep_nano)

    def _not_firing(self, worst: int | None, now: int) -> str | None:
        if worst is not None:
            self.firing = worst
            return self._become("firing", now, "the condition has held long enough")
        if any(since is not None for since in self.since):
            return self._become("pending", now, "the condition holds") if self.status != "pending" else None
        return self._become("inactive", now, "the condition passed before its time") if self._pending else None

    @property
    def _pending(self) -> bool:
        return self.status == "pending"

    def _firing(self, firing: int, worst: int | None, now: int, keep_nano: int) -> str | None:
        if worst is not None and worst > firing:
            self.firing, self.keeps_since = worst, None
            return "it got worse"
        if self.since[firing] is not None:
            self.keeps_since = None
            return None
        if self.keeps_since is None:
            self.keeps_since = now
        if now - self.keeps_since < keep_nano:
            return None
        self.keeps_since = None
        self.firing = worst
        if worst is not None:
            return "it got better"
        return self._become("resolved", now, "the condition holds no more")

    def _without_data(self, now: int) -> str | None:
        if self.firing is None:
            self.since = [None] * len(self.since)
            return self._become("inactive", now, "no data") if self._pending else None
        if self.no_data_since is None:
            self.no_data_since = now
        if now - self.no_data_since < NO_DATA_NANO:
            return None
        self.firing = self.no_data_since = None
        self.since = [None] * len(self.since)
        return self._become("resolved", now, "no_data")

    def _become(self, status: Status, now: int, reason: str) -> str:
        self.status, self.status_since = status, now
        return reason

    @property
    def idle(self) -> bool:
        """Nothing to remember."""
        return self.firing is None and not any(since is not None for since in self.since)

    def postpone(self, nano: int) -> None:
        """That time did not pass for the timers: we were not there to look."""
        self.since = [None if since is None else since + nano for since in self.since]
        self.keeps_since = None if self.keeps_since is None else self.keeps_since + nano
        self.no_data_since = None if self.no_data_since is None else self.no_data_since + nano

    def to_state(self) -> Any:
        return [self.since, self.firing, self.keeps_since, self.no_data_since, self.status, self.status_since]

    @classmethod
    def from_state(cls, content: Sequence[Any], bands: Sequence[Band]) -> RuleState:
        """A rule whose bands have changed in number begins anew."""
        since, firing, keeps, no_data, status, status_since = content
        if len(since) != len(bands):
            return cls.of(bands)
        return cls(list(since), firing, keeps, no_data, status, status_since)
