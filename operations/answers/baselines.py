"""`baseline create`, `update`, `list`, `show` and `delete`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import click

from alerting.plain_text import plain
from analysis.json_values import rfc3339
from operations.answers.baseline_comparison import named, what_would_be_learnt
from operations.baseline_records import baseline_of, learnt, no_such, opened, row_of, stored
from operations.reading import Answer, Reading
from operations.tables import moment, seconds_text, share_text, show_table
from processors.baselines.baseline import Baseline, BaselineError, Subject
from processors.baselines.hours import CLASSES
from processors.baselines.settings import BaselineSettings
from processors.baselines.windows import QUANTILES, Window
from storage import baseline_rows

_MOST_TOLD = 5


def create(reading: Reading, name: str) -> Answer:
    """Refuses to write over one that there is."""
    settings = reading.judging.baselines
    with opened(reading) as state:
        if state is not None and baseline_rows.find(state, name) is not None:
            raise click.ClickException(_there_is(name))
    made = learnt(reading, name, settings)
    with opened(reading, make=True) as state:
        if state is None or not baseline_rows.add(state, stored(made)):
            raise click.ClickException(_there_is(name))

    def show() -> None:
        click.echo(_line(made))
        _tell_poor(made, settings)
        _tell_inactive(name, settings)

    return Answer({**_head(made, settings), "poor": _poor(made, settings)}, show)


def _there_is(name: str) -> str:
    anew = f"forecourt baseline update {name} --confirm"
    return f'there is a baseline "{name}" already. Learn it anew: {anew}; or take another name'


def update(reading: Reading, name: str, *, confirm: bool) -> Answer:
    """Says what would change; changes it only if that is confirmed."""
    settings = reading.judging.baselines
    with opened(reading) as state:
        row = row_of(state, name)
        if row is None:
            return _nothing_there(no_such(state, name))
    try:
        before = baseline_of(row)
    except BaselineError as error:
        click.echo(str(error), err=True)
        before = None
    made = learnt(reading, name, settings)
    if confirm:
        with opened(reading, make=True) as state:
            if state is not None:
                baseline_rows.put(state, stored(made))
    learning = what_would_be_learnt(before, made, settings)

    def show() -> None:
        click.echo(_line(made) if confirm else f"would become {_line(made)}")
        learning.show()
        _tell_poor(made, settings)
        if not confirm:
            click.echo(f"Nothing has been written. Write it with: forecourt baseline update {name} --confirm")

    return Answer(
        {**_head(made, settings), "poor": _poor(made, settings), **learning.to_json(), "written": confirm}, show
    )


def _nothing_there(told: str) -> Answer:
    return Answer(None, lambda: click.echo(told, err=True))


def list_all(reading: Reading) -> Answer:
    settings = reading.judging.baselines
    with opened(reading) as state:
        rows = [] if state is None else baseline_rows.all_of(state)
    found: list[dict[str, Any]] = []
    for row in rows:
        try:
            found.append({**_head(baseline_of(row), settings), "problem": ""})
        except BaselineError as error:
            found.append({"name": row.name, "created": rfc3339(row.created_unix_nano), "problem": str(error)})

    def show() -> None:
        if not found:
            click.echo("there is no baseline; make one: forecourt baseline create")
            return
        columns = ("name", "made (UTC)", "keys", "windows", "of (UTC)", "judged live")
        show_table(columns, map(_listed, found), right=columns[2:4])

    return Answer(found, show)


def _listed(one: Mapping[str, Any]) -> Sequence[object]:
    made = str(one["created"])[:19].replace("T", " ")
    if one["problem"]:
        return plain(one["name"], 70), made, "", "", plain(one["problem"]), ""
    period = f"{str(one['from'])[:16]} to {str(one['to'])[:16]}".replace("T", " ")
    return plain(one["name"], 70), made, one["keys"], f"{one['windows']:,}", period, "yes" if one["active"] else ""


def show_one(reading: Reading, name: str) -> Answer:
    settings = reading.judging.baselines
    with opened(reading) as state:
        row = row_of(state, name)
        if row is None:
            return _nothing_there(no_such(state, name))
    found = _understood(row)
    rows = [_summary(subject, hours, windows, settings) for subject, hours, windows in _classes(found)]

    def show() -> None:
        click.echo(_line(found))
        columns = ("route or query", "hours", "windows", "a window", "a minute", "p50", "p95", "p99", "errors")
        show_table(columns, map(_shown, rows), right=columns[2:], spare=("a minute", "p50"))
        click.echo(f"half of the windows are below these p50, p95, p99; work is {found.working_hours} {found.timezone}")
        _tell_poor(found, settings)
        _tell_inactive(name, settings)

    return Answer({**_head(found, settings), "classes": rows}, show)


def _understood(row: baseline_rows.BaselineRow) -> Baseline:
    try:
        return baseline_of(row)
    except BaselineError as error:
        raise click.ClickException(str(error)) from error


def delete(reading: Reading, name: str) -> Answer:
    with opened(reading) as state:
        if state is None or not baseline_rows.remove(state, name):
            raise click.ClickException(no_such(state, name))
    return Answer({"deleted": name}, lambda: click.echo(f'forgot the baseline "{name}"'))


def _classes(found: Baseline) -> Iterator[tuple[Subject, str, Sequence[Window]]]:
    for subject, known in found.keys.items():
        for hours in CLASSES:
            if hours in known:
                yield subject, hours, known[hours]


def _head(found: Baseline, settings: BaselineSettings) -> dict[str, Any]:
    return {
        "name": found.name,
        "created": rfc3339(found.created_unix_nano),
        "from": rfc3339(found.start_unix_nano),
        "to": rfc3339(found.end_unix_nano),
        "timezone": found.timezone,
        "working_hours": found.working_hours,
        "active": found.name == settings.active,
        "keys": len(found.keys),
        "windows": sum(len(windows) for _, _, windows in _classes(found)),
    }


def _line(found: Baseline) -> str:
    windows = sum(len(windows) for _, _, windows in _classes(found))
    when = f"{moment(found.start_unix_nano)} to {moment(found.end_unix_nano)} UTC"
    return f'"{found.name}": {windows:,} windows of {len(found.keys)} routes and queries, {when}'


def _poor(found: Baseline, settings: BaselineSettings) -> list[dict[str, Any]]:
    """Classes of hours that nothing can be compared with."""
    return [
        {"indicator": subject.indicator, "key": dict(subject.key), "hours": hours, "windows": len(windows)}
        for subject, hours, windows in _classes(found)
        if len(windows) < settings.minimum_windows
    ]


def _tell_poor(found: Baseline, settings: BaselineSettings) -> None:
    poor = [one for one in _classes(found) if len(one[2]) < settings.minimum_windows]
    if not poor:
        return
    told = ", ".join(f"{named(subject)} ({hours}: {len(windows)})" for subject, hours, windows in poor[:_MOST_TOLD])
    more = f" and {len(poor) - _MOST_TOLD} more" if len(poor) > _MOST_TOLD else ""
    least = settings.minimum_windows
    click.echo(f"fewer than {least} windows, so nothing will be said of them: {told}{more}", err=True)


def _tell_inactive(name: str, settings: BaselineSettings) -> None:
    if name != settings.active:
        click.echo(f'live judging goes by "{settings.active}" (processors.baselines.active)')


def _summary(subject: Subject, hours: str, windows: Sequence[Window], settings: BaselineSettings) -> dict[str, Any]:
    samples, seconds = sum(one.samples for one in windows), sum(one.seconds for one in windows)
    columns = {name: [one.quantiles[index] for one in windows] for index, name in enumerate(QUANTILES)}
    known = {name: [value for value in column if value == value] for name, column in columns.items()}  # noqa: PLR0124  # nan
    return {
        "indicator": subject.indicator,
        "key": dict(subject.key),
        "hours": hours,
        "windows": len(windows),
        "enough": len(windows) >= settings.minimum_windows,
        "samples": samples,
        "a_minute": samples / seconds * 60,
        "error_rate": sum(one.errors for one in windows) / samples,
        **{name: median(column) if column else None for name, column in known.items()},
    }


def _shown(one: Mapping[str, Any]) -> Sequence[object]:
    return (
        named(Subject(one["indicator"], tuple(one["key"].values()))),
        one["hours"],
        one["windows"],
        f"{one['samples'] / one['windows']:.0f}",
        f"{one['a_minute']:.3g}",
        *(seconds_text(one[name]) for name in QUANTILES),
        share_text(one["error_rate"]),
    )
