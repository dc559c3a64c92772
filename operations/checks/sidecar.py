"""Whether the monitoring itself is well: the sidecar, what reaches it, and what it costs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing

import psutil

from alerting.receiver_problems import receiver_problems
from analysis.period import DAY_NANO, HOUR_NANO, MINUTE_NANO, NANO, Period
from analysis.published import published
from dashboard.sidecar_numbers import COUNTED, LAG, LAG_SECONDS, scraped
from operations.checks.component import Checked, Component
from operations.reading import Reading
from storage import State, StateError
from storage.names import OWN_FOLDER, hour_of, segments, stream_folders
from storage.state import CollectorRow

_SILENT_SECONDS = 300.0
_CPU_SECONDS = 1.0
_BUSY = 0.25
"""Of one core; the sidecar of a busy backend takes a few hundredths."""
_LARGE_BYTES = 512 * 2**20
_LOW_BYTES = 2 * 2**30


def sidecar(reading: Reading, *, debug: bool = False, advise: bool = False) -> Checked:
    """Runs, judges, keeps up, loses nothing, has room and somebody to tell."""
    row, receivers, problem = _known(reading)
    judged = published(reading.chosen_folder, reading.now_unix_nano)
    found = [_runs(row, judged.problem or problem), _room(reading), _receivers(receivers)]
    samples: dict[str, float] = {}
    if row is not None and not judged.problem:
        samples, unreachable = scraped(row.endpoints.get("metrics", ""))
        found += list(_counted(samples))
        found.append(_lag(samples, unreachable))
    if debug:
        found += [Component(name, "normal", value) for name, value in sorted(samples.items())]
    if advise:
        found += list(_advice(reading, samples, row))
    return Checked(found, judged.problem)


def _known(reading: Reading) -> tuple[CollectorRow | None, dict[str, str], str]:
    """The sidecar, what is the matter with each receiver, and why nothing is known."""
    path, settings = reading.chosen_folder / OWN_FOLDER / "state.db", reading.configuration.alerting
    if not path.is_file():
        return None, receiver_problems(None, settings), f"no sidecar has run on {reading.chosen_folder}"
    try:
        with closing(State.open(path)) as state:
            return state.collector(), receiver_problems(state, settings), ""
    except StateError as error:
        return None, receiver_problems(None, settings), str(error)


def _runs(row: CollectorRow | None, problem: str) -> Component:
    if row is None or problem:
        return Component("sidecar", "critical", detail=problem)
    up = (time.time_ns() - row.started_unix_nano) / NANO
    return Component("sidecar", "normal", up, "s", detail=f"up; version {row.version}, pid {row.pid}")


def _room(reading: Reading) -> Component:
    folder = reading.chosen_folder
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    band = "critical" if usage.free < _LOW_BYTES / 4 else "warning" if usage.free < _LOW_BYTES else "normal"
    return Component("disk", band, float(usage.free), "By", detail=f"free below {reading.chosen_folder}")


def _receivers(problems: Mapping[str, str]) -> Component:
    missing = [name for name, problem in problems.items() if problem]
    count = len(problems) - len(missing)
    detail = f"not configured: {', '.join(missing)}" if missing else "all are configured"
    return Component("receivers of alerts", "normal" if count else "warning", float(count), detail=detail)


def _counted(samples: Mapping[str, float]) -> Iterator[Component]:
    for name, (meaning, band) in COUNTED.items():
        value = samples.get(name)
        if value is not None:
            yield Component(meaning, band if value else "normal", value, detail="since it started")


def _lag(samples: Mapping[str, float], unreachable: str) -> Component:
    lag = samples.get(LAG)
    if lag is None:
        return Component("judging", "warning", detail=unreachable)
    return Component("judging", "warning" if lag > LAG_SECONDS else "normal", lag, "s", detail="behind what arrives")


def _advice(reading: Reading, samples: Mapping[str, float], row: CollectorRow | None) -> Iterator[Component]:
    """What would make it cheaper, the most telling first; always at least one line."""
    sizes = _bytes_a_day(reading)
    whole = sum(sizes.values())
    given = []
    if whole > _MANY_BYTES:
        stream = max(sizes, key=lambda name: sizes[name])
        given.append(f"{stream} is {sizes[stream] / whole:.0%} of what is written: send less of it, or keep it shorter")
    if samples.get("forecourt_overflowed_samples_total"):
        given.append("some rule has more keys than max_keys: give it fewer labels in `by`, or raise max_keys")
    if samples.get("forecourt_judge_queue_drops_total"):
        given.append("judging lags at times: disable the rules that nobody needs (forecourt rules review)")
    if row is not None and reading.configuration.receivers.hostmetrics.collection_interval < _SHORT_SECONDS:
        given.append("hostmetrics is asked more often than every 15 s, which no rule needs")
    for advice in given or ["nothing to gain"]:
        yield Component("advice", "normal", detail=advice)


_MANY_BYTES = 2**30
_SHORT_SECONDS = 15.0


def _bytes_a_day(reading: Reading) -> dict[str, int]:
    """By stream: the segments of the last 24 hours as they lie there."""
    first = hour_of(max(0, reading.now_unix_nano - DAY_NANO))
    return {
        folder.name: sum(path.stat().st_size for name, path in segments(folder) if name.hour > first)
        for folder in stream_folders(reading.chosen_folder)
    }


def collection(reading: Reading) -> Checked:
    """When each service sent last; those of the last day that are silent now."""
    if not reading.chosen_folder.is_dir():
        return Checked([], f"{reading.chosen_folder}: no such folder")
    now = reading.now_unix_nano
    last = _last_records(reading, Period(now - HOUR_NANO, now + MINUTE_NANO))
    found = []
    for service in sorted(_services(reading, Period(now - DAY_NANO, now)) | {service for service, _ in last}):
        mine = {stream: time for (name, stream), time in last.items() if name == service}
        ages = {stream: max(0.0, (now - time) / NANO) for stream, time in mine.items()}
        told = ", ".join(f"{stream} {age:.0f} s ago" for stream, age in ages.items()) or "nothing within the last hour"
        youngest = min(ages.values(), default=None)
        silent = youngest is None or youngest > _SILENT_SECONDS
        found.append(Component(service, "warning" if silent else "normal", youngest, "s", detail=told))
    return Checked(found)


def _services(reading: Reading, period: Period) -> set[str]:
    """Those that the hours of the rollups name."""
    rows = reading.engine.sql("SELECT DISTINCT attr(key, 'service.name') FROM rollups_1h", (), period)
    return {service for (service,) in rows if service}


def _last_records(reading: Reading, period: Period) -> dict[tuple[str, str], int]:
    rows = reading.engine.sql(
        """
        SELECT service, 'traces', max(event_unix_nano) FROM traces GROUP BY service
        UNION ALL SELECT service, 'logs', max(event_unix_nano) FROM logs GROUP BY service
        UNION ALL SELECT service, 'metrics', max(event_unix_nano) FROM metrics GROUP BY service
        """,
        (),
        period,
    )
    return {(service, stream): time for service, stream, time in rows}


def overhead(reading: Reading) -> Checked:
    """What the sidecar takes of processor, memory and disk."""
    row, _, problem = _known(reading)
    written = float(sum(_bytes_a_day(reading).values())) if reading.chosen_folder.is_dir() else 0.0
    found = [Component("disk a day", "normal", written, "By", detail="written in the last 24 hours")]
    judged = published(reading.chosen_folder, reading.now_unix_nano)
    if row is None or judged.problem:
        return Checked(found, judged.problem or problem)
    try:
        process = psutil.Process(row.pid)
        busy = process.cpu_percent(_CPU_SECONDS) / 100
        memory = process.memory_info().rss
    except psutil.Error as error:
        return Checked(found, f"the sidecar with pid {row.pid} can't be looked at: {error}")
    cpu = Component("cpu", "warning" if busy > _BUSY else "normal", busy, "ratio", detail="of one core")
    return Checked(
        [
            cpu,
            Component("memory", "warning" if memory > _LARGE_BYTES else "normal", float(memory), "By"),
            *found,
        ]
    )
