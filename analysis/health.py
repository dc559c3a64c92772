"""What answered when it was looked at last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from analysis.engine import Engine
from analysis.period import Period

CRITICAL_TARGETS = frozenset({"backend", "database"})
"""Without which nothing works; others are a warning."""
_CERTIFICATE_DAYS = 14.0


@dataclass(frozen=True, slots=True)
class LastLook:
    """At one target; `since_unix_nano` is the first look of the period that found the same state."""

    target: str
    kind: str
    state: str
    latency_ms: float | None
    detail: str
    certificate_days: float | None
    time_unix_nano: int
    since_unix_nano: int

    @property
    def critical(self) -> bool:
        """Whether nothing works without it."""
        return self.target in CRITICAL_TARGETS or self.kind == "sql"

    @property
    def band(self) -> Literal["normal", "warning", "critical", "no data"]:
        """By what is found; a certificate that ends within a fortnight is a warning."""
        if self.state in {"down", "corrupt"}:
            return "critical" if self.critical else "warning"
        if self.state not in {"up", "locked"}:
            return "no data"
        ends = self.certificate_days is not None and self.certificate_days < _CERTIFICATE_DAYS
        return "warning" if ends or self.state == "locked" else "normal"

    def unknown(self) -> LastLook:
        """The same when nobody has looked again since."""
        return replace(self, state="unknown", since_unix_nano=self.time_unix_nano)


def last_looks(engine: Engine, period: Period) -> list[LastLook]:
    """By target, critical ones first."""
    rows = engine.sql(
        """
        WITH looks AS (
            SELECT target, kind, state, latency_ms, detail, certificate_days, event_unix_nano,
                   lag(state) OVER (PARTITION BY target ORDER BY event_unix_nano) AS before
            FROM health WHERE target IS NOT NULL
        )
        SELECT target, max_by(coalesce(kind, ''), event_unix_nano), max_by(coalesce(state, ''), event_unix_nano),
               max_by(latency_ms, event_unix_nano), max_by(coalesce(left(detail, 500), ''), event_unix_nano),
               max_by(certificate_days, event_unix_nano), max(event_unix_nano),
               max(event_unix_nano) FILTER (WHERE before IS DISTINCT FROM state)
        FROM looks GROUP BY target
        """,
        (),
        period,
    )
    found = [LastLook(*row) for row in rows]
    return sorted(found, key=lambda one: (one.target not in CRITICAL_TARGETS, one.target))
