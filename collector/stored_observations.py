"""Stored lines as the judge sees them, and the windows of new rules filled from them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from collector.learning import learn
from processors.judgement import Judgement
from processors.observation import Observation, observe
from storage.names import hour_of, segments
from storage.reader import Span, StoredRecord, plain_name, read

_log = logging.getLogger(__name__)

_REACH_NANO = 3600 * 1_000_000_000
_SEGMENT_BYTES = 32 * 2**20
"""Of each segment, its end: seconds of reading at most."""

Positions = Mapping[str, Mapping[str, int]]
"""Of each stream's segments the bytes that are judged."""


def observed(stored: StoredRecord, judgement: Judgement) -> Observation | None:
    """None, with a word in the log, for a line that is no record of its stream."""
    try:
        return observe(stored.stream, stored.record, judgement.projection)
    except (KeyError, TypeError, AttributeError) as error:
        _log.warning("%s/%s: a line is no record of its stream (%r)", stored.stream, stored.segment, error)
        return None


def fill_windows(
    judgement: Judgement, folder: Path, positions: Positions, now_unix_nano: int, stopped: Callable[[], bool]
) -> None:
    """The windows of rules that are new, or whose state is lost, from the last hour of what is judged already."""
    filler = judgement.filler()
    if filler is None:
        return
    since = now_unix_nano - _REACH_NANO
    learn(filler.judges, folder, now_unix_nano, stopped, events_until_unix_nano=since)
    for stored in read(_lately_judged(folder, positions, now_unix_nano)):
        if stopped():
            return
        if stored.received_unix_nano >= since and (observation := observed(stored, filler)) is not None:
            filler.observe(observation)
    if stopped():
        return
    filler.judges.forget_alarms(now_unix_nano)
    judgement.fill_from(filler)


def _lately_judged(folder: Path, positions: Positions, now_unix_nano: int) -> Iterator[Span]:
    hours = {hour_of(now_unix_nano), hour_of(now_unix_nano - _REACH_NANO)}
    for stream, judged in positions.items():
        for name, path in segments(folder / stream):
            end = judged.get(plain_name(name), 0)
            if name.hour in hours and end:
                yield Span(stream, plain_name(name), path, max(0, end - _SEGMENT_BYTES), end)
