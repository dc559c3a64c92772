"""What judges have to know before they judge: the habits and the usual ranges of the weeks before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from processors.judges import Judges
from processors.needles import rollup_needles
from processors.rollups import summary_of_line
from processors.security.sighting import sighting_of_line
from storage.names import hour_of, segments
from storage.reader import Span, plain_name, read

_DAY_NANO = 86_400 * 1_000_000_000
_HISTORY_NANO = 28 * _DAY_NANO
_STEP_NANO = 300 * 1_000_000_000


def learn(judges: Judges, folder: Path, until_unix_nano: int, stopped: Callable[[], bool] = lambda: False) -> None:
    """From the records of the four weeks before; nothing fires."""
    if not judges.descriptions or not until_unix_nano:
        return
    step = 0
    spans = _spans(folder, ("security", "business", "rollups"), until_unix_nano - _HISTORY_NANO, until_unix_nano)
    for stored in read(spans, {"rollups": rollup_needles(judges.indicators)}):
        if stored.received_unix_nano >= until_unix_nano or stopped():
            break
        if stored.received_unix_nano - step >= _STEP_NANO:
            step = stored.received_unix_nano
            judges.judge(step, frozen=True)
        take_line(judges, stored.stream, stored.record)
    judges.judge(until_unix_nano, frozen=True)
    judges.forget_alarms()


def take_line(judges: Judges, stream: str, record: Mapping[str, Any]) -> None:
    """A line that has been derived already: a rollup or an event."""
    if stream == "rollups":
        judges.take(summary_of_line(record))
    else:
        judges.security.take(sighting_of_line(record))


def _spans(folder: Path, streams: tuple[str, ...], start: int, end: int) -> Iterator[Span]:
    first, last = hour_of(max(0, start)), hour_of(end)
    for stream in streams:
        for name, path in segments(folder / stream):
            if first <= name.hour <= last:
                yield Span(stream, plain_name(name), path, 0, None)
