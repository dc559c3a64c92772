"""Whether everything answers: as the sidecar's probes saw it last, else looked at now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from analysis.period import MINUTE_NANO, Period
from analysis.published import published
from collector.probes import health_record
from collector.senses import probes
from operations.checks.component import Checked, Component
from operations.checks.judged import host
from operations.reading import Reading

_RECENT_NANO = 3 * MINUTE_NANO
_RULES = ("service.absent", "service.hung")
_CRITICAL = frozenset({"backend", "database"})
_COLUMNS = "target, kind, state, latency_ms, detail, certificate_days, event_unix_nano"
_CERTIFICATE_DAYS = 14.0


def health(reading: Reading) -> Checked:
    """Backend, database, frontend and the other targets; services that have fallen silent; the host."""
    judged = published(reading.chosen_folder, reading.now_unix_nano)
    seen = _seen(reading) if not judged.problem else []
    if not seen:
        seen = _look(reading)
    silent = [
        Component(one["rule"], one["band"], key=one["key"], detail=one["summary"] or "firing")
        for one in judged.evaluations
        if one["rule"] in _RULES and one["band"] not in {"normal", "no data"}
    ]
    return Checked([*map(_component, seen), *silent, *host(reading)], judged.problem)


def _seen(reading: Reading) -> list[Mapping[str, Any]]:
    """The last look at each target, none older than three minutes."""
    now = reading.now_unix_nano
    rows = reading.engine.sql(
        f"SELECT {_COLUMNS} FROM health ORDER BY event_unix_nano",  # noqa: S608  # our own names
        (),
        Period(now - _RECENT_NANO, now),
    )
    return list({row["target"]: row for row in rows.dicts()}.values())


def _look(reading: Reading) -> list[Mapping[str, Any]]:
    """At all targets at once."""
    receivers = reading.configuration.receivers
    found = [probe for _, probe in probes(receivers, ("httpcheck", "tcpcheck", "sqlcheck"))]
    if not found:
        return []
    with ThreadPoolExecutor(len(found)) as pool:
        return list(pool.map(health_record, found))


def _component(seen: Mapping[str, Any]) -> Component:
    state = seen["state"]
    bad = "critical" if seen["target"] in _CRITICAL or seen["kind"] == "sql" else "warning"
    days = seen.get("certificate_days")
    ends = days is not None and days < _CERTIFICATE_DAYS
    band = bad if state in {"down", "corrupt"} else "warning" if ends or state == "locked" else "normal"
    if state == "unknown":
        band = "no data"
    told = ", ".join(_told(seen, days if ends else None))
    taken = seen["latency_ms"] / 1000 if state in {"up", "locked"} else None
    return Component(seen["target"], band, taken, "s", {}, told)


def _told(seen: Mapping[str, Any], days: float | None) -> Iterable[str]:
    yield seen["state"]
    if seen["detail"]:
        yield seen["detail"]
    if days is not None:
        yield f"the certificate ends in {days:.0f} days"
