"""Where baselines come from and where they are kept: rollups, and the state database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
import orjson

from analysis.engine import Engine
from analysis.period import HOUR_NANO, Period
from analysis.summaries import minutes
from operations.reading import Reading
from processors.baselines.baseline import Baseline, Subject, learn
from processors.baselines.hours import Hours
from processors.baselines.settings import DEFAULT, LABELS, BaselineSettings
from processors.baselines.windows import WINDOW_NANO, Gathering, Minute, Window
from storage import State, baseline_rows
from storage.baseline_rows import BaselineRow
from storage.names import OWN_FOLDER

_PART_NANO = 6 * HOUR_NANO
"""Minutes of so long are in memory at once."""
_WAIT_NANO = 40 * 1_000_000_000
"""So long after its end a minute has its line."""


@contextmanager
def opened(reading: Reading, *, make: bool = False) -> Iterator[State | None]:
    """The state database of the folder; None where nobody has made one. Raise StateError."""
    path = reading.folder / OWN_FOLDER / "state.db"
    if not make and not path.is_file():
        yield None
        return
    path.parent.mkdir(exist_ok=True)
    state = State.open(path)
    try:
        yield state
    finally:
        state.close()


def row_of(state: State | None, name: str) -> BaselineRow | None:
    """None where there is no such one; raise click.ClickException for one that was asked for by its name."""
    row = None if state is None else baseline_rows.find(state, name)
    if row is None and name != DEFAULT:
        raise click.ClickException(no_such(state, name))
    return row


def no_such(state: State | None, name: str) -> str:
    known = [] if state is None else [row.name for row in baseline_rows.all_of(state)]
    there_are = f"there are: {', '.join(known)}" if known else "make one: forecourt baseline create"
    return f'there is no baseline "{name}"; {there_are}'


def baseline_of(row: BaselineRow) -> Baseline:
    """Raise BaselineError."""
    try:
        content = orjson.loads(row.content)
    except orjson.JSONDecodeError:
        content = {"name": row.name}
    return Baseline.from_json(content)


def stored(baseline: Baseline) -> BaselineRow:
    return BaselineRow(baseline.name, baseline.created_unix_nano, orjson.dumps(baseline.to_json()).decode())


def learnt(reading: Reading, name: str, settings: BaselineSettings) -> Baseline:
    """From the rollups of the period; raise click.ClickException where they hold no window."""
    period = _whole(reading)
    hours = Hours(settings.working_hours, settings.timezone)
    baseline = learn(
        name,
        windows_in(reading.engine, period, hours, settings),
        settings,
        start_unix_nano=period.start_unix_nano,
        end_unix_nano=period.end_unix_nano,
        created_unix_nano=reading.now_unix_nano,
    )
    if not baseline.keys:
        raise click.ClickException(
            f"there is nothing to learn from: no route or query has {settings.minimum_requests} requests in this time. "
            "Look at a longer one (--last 30days), or let the sidecar record first: forecourt collector"
        )
    return baseline


def recent_windows(reading: Reading, hours: Hours, settings: BaselineSettings) -> dict[Subject, list[Window]]:
    """Those of the period that are over."""
    return windows_in(reading.engine, _whole(reading), hours, settings)


def _whole(reading: Reading) -> Period:
    """From the beginning of a window to the end of one whose last minute has been written."""
    start = reading.period.start_unix_nano // WINDOW_NANO * WINDOW_NANO
    end = min(reading.period.end_unix_nano, reading.now_unix_nano - _WAIT_NANO) // WINDOW_NANO * WINDOW_NANO
    return Period(start, max(start, end))


def windows_in(engine: Engine, period: Period, hours: Hours, settings: BaselineSettings) -> dict[Subject, list[Window]]:
    """By key, as they follow each other; `period` begins and ends with a window."""
    found: dict[Subject, list[Window]] = {}
    for indicator in settings.indicators:
        gatherings: dict[Subject, Gathering] = {}
        for start in range(period.start_unix_nano, period.end_unix_nano, _PART_NANO):
            part = Period(start, min(start + _PART_NANO, period.end_unix_nano))
            for subject, minute in _minutes(engine, indicator, part):
                if subject not in gatherings:
                    gatherings[subject] = Gathering(hours, settings.minimum_requests)
                gatherings[subject].take(minute)
            for subject, gathering in gatherings.items():
                found.setdefault(subject, []).extend(gathering.close(part.end_unix_nano))
    return found


def _minutes(engine: Engine, indicator: str, part: Period) -> Iterator[tuple[Subject, Minute]]:
    """But for what had no room among the keys of the rollups."""
    labels = len(LABELS[indicator])
    for values, course in minutes(engine, indicator, part, labels).items():
        if len(values) == labels:
            for start, total in course:
                yield Subject(indicator, values), Minute(start, total.count, total.errors, total.histogram)
