"""What judges have to know before they judge: the habits and the usual ranges of the weeks before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from processors.judges import Judges
from processors.needles import rollup_needles
from processors.rollups import summary_of_line
from processors.security.sighting import sighting_of_line
from storage.names import hour_of, segments
from storage.reader import Span, StoredRecord, plain_name, read

_log = logging.getLogger(__name__)

_DAY_NANO = 86_400 * 1_000_000_000
_HISTORY_NANO = 28 * _DAY_NANO
_END_NANO = 2**63
_STEP_NANO = 300 * 1_000_000_000


def learn(
    judges: Judges,
    folder: Path,
    until_unix_nano: int,
    stopped: Callable[[], bool] = lambda: False,
    *,
    events_until_unix_nano: int | None = None,
) -> None:
    """From the records of the four weeks before; nothing fires. Later events may be told by somebody else."""
    if not judges.descriptions or not until_unix_nano:
        return
    _log.info("learning what is usual from the records of four weeks")
    events_until = until_unix_nano if events_until_unix_nano is None else events_until_unix_nano
    try:
        _read(judges, folder, until_unix_nano, stopped, events_until)
    except OSError as error:
        _log.warning("not everything of the last four weeks could be read: %s", error)
    judges.judge(until_unix_nano, frozen=True)
    judges.forget_alarms(_END_NANO)


def _read(judges: Judges, folder: Path, until: int, stopped: Callable[[], bool], events_until: int) -> None:
    step = 0
    spans = _spans(folder, ("security", "business", "rollups"), until - _HISTORY_NANO, until)
    for stored in read(spans, {"rollups": rollup_needles(judges.indicators)}):
        received = stored.received_unix_nano
        if stopped():
            return
        if received >= until:
            continue
        if received - step >= _STEP_NANO:
            step = received
            judges.judge(step, frozen=True)
            judges.forget_alarms(step)
        if stored.stream == "rollups" or received < events_until:
            take_line(judges, stored)


def take_line(judges: Judges, stored: StoredRecord) -> None:
    """A line that has been derived already: a rollup or an event."""
    try:
        if stored.stream == "rollups":
            judges.take(summary_of_line(stored.record))
        else:
            judges.security.take(sighting_of_line(stored.record))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        _log.warning("%s/%s: a line is no record of its stream (%r)", stored.stream, stored.segment, error)


def _spans(folder: Path, streams: tuple[str, ...], start: int, end: int) -> Iterator[Span]:
    first, last = hour_of(max(0, start)), hour_of(end)
    for stream in streams:
        for name, path in segments(folder / stream):
            if first <= name.hour <= last:
                yield Span(stream, plain_name(name), path, 0, None)
