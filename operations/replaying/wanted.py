"""What is asked for: which records of which folder, and where they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from analysis.period import Period
from operations.period import definite_period
from operations.reading import ARCHIVE, Reading, archive_of
from operations.replaying.signals import SIGNALS
from operations.stored_segments import Selection


@dataclass(frozen=True, slots=True)
class Wanted:
    """Records of the signals that happened in the period, of all services if none is named."""

    folder: Path
    archive: Path | None
    signals: tuple[str, ...]
    services: frozenset[str]
    period: Period
    endpoint: str
    moves: bool
    """The period ends now, so that it is another one with each call."""
    shift_to_now: bool
    identity: Mapping[str, object]
    """What the same command says again."""

    @property
    def selection(self) -> Selection:
        return Selection(self.folder, self.archive, self.period, self.services)


def wanted_of(
    *,
    last: float | None,
    since: int | None,
    until: int | None,
    signals: tuple[str, ...],
    services: tuple[str, ...],
    endpoint: str,
    shift_to_now: bool,
    config: Path | None,
    logs: Path | None,
) -> Wanted:
    """Raise click.UsageError, or click.ClickException for a configuration that can't be read."""
    if last is None and since is None:
        raise click.UsageError("which part of the records? Say --last 24h, or --from TIME [--to TIME]")
    period = definite_period(last, since, until, 0.0)
    reading = Reading(period, config, logs)
    folder = reading.folder.resolve()
    unasked = logs is not None and config is None
    archive = folder.parent / ARCHIVE if unasked else archive_of(folder, reading.store)
    signals = tuple(signal for signal in SIGNALS if signal in signals or not signals)
    identity: dict[str, object] = {
        "logs": str(folder),
        "period": [last, since, until],
        "services": sorted(set(services)),
        "signals": signals,
        "endpoint": endpoint,
        "shift_to_now": shift_to_now,
    }
    return Wanted(
        folder=folder,
        archive=archive if archive.is_dir() else None,
        signals=signals,
        services=frozenset(services),
        period=period,
        endpoint=endpoint,
        moves=until is None,
        shift_to_now=shift_to_now,
        identity=identity,
    )
