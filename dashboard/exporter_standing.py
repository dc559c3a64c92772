"""How the exporters fare, and which of that needs somebody."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from storage import State, exporter_rows
from storage.exporter_rows import ExporterRow, lag_seconds

_WARNING_SECONDS, _CRITICAL_SECONDS = 15 * 60, 6 * 3600
"""As in the rule exporter.behind of the default configuration."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One exporter of one signal; `band` is that of how far it is behind."""

    row: ExporterRow
    lag_seconds: float
    band: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """What an exporter keeps for another try; the last reason and its time, empty and 0 where it was deleted since."""

    exporter: str
    records: int
    reason: str
    time_unix_nano: int

    @property
    def command(self) -> str:
        """That sends it again."""
        return f"forecourt store exporters --retry {shlex.quote(self.exporter)}"


@dataclass(frozen=True, slots=True)
class Exporters:
    standings: tuple[Standing, ...] = ()
    set_aside: tuple[SetAside, ...] = ()

    @property
    def problems(self) -> list[ExporterRow]:
        """That stand."""
        return [
            one.row for one in self.standings if one.row.problem and one.row.problem_unix_nano >= one.row.sent_unix_nano
        ]


def exporters(state: State, now_unix_nano: int) -> Exporters:
    """By name and signal; raise StateError."""
    rows = exporter_rows.rows(state)
    records: dict[str, int] = {}
    for row in rows:
        records[row.exporter] = records.get(row.exporter, 0) + row.set_aside_records
    last = {part.exporter: part for part in exporter_rows.last_set_aside(state)}
    aside = (
        SetAside(name, count, last[name].reason, last[name].time_unix_nano)
        if name in last
        else SetAside(name, count, "", 0)
        for name, count in records.items()
        if count or name in last
    )
    return Exporters(tuple(_standing(row, now_unix_nano) for row in rows), tuple(aside))


def _standing(row: ExporterRow, now_unix_nano: int) -> Standing:
    seconds = lag_seconds(row, now_unix_nano)
    band = "critical" if seconds > _CRITICAL_SECONDS else "warning" if seconds > _WARNING_SECONDS else "normal"
    return Standing(row, seconds, band)
