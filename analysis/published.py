"""What the running sidecar has published last, for commands and pages."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from analysis.period import NANO
from processors.judgement import GAP_NANO, TICK_NANO
from storage import State, StateError
from storage.names import OWN_FOLDER
from storage.state import Published

_OLDEST_NANO = GAP_NANO + TICK_NANO


class Judged(NamedTuple):
    """`problem` says why there are no values; empty when there are."""

    evaluations: list[dict[str, Any]]
    problem: str


def published(folder: Path, now_unix_nano: int) -> Judged:
    """The evaluations of the sidecar that owns this folder, none older than three ticks."""
    path = folder / OWN_FOLDER / "state.db"
    if not path.is_file():
        return Judged([], f"no sidecar has run on {folder}. Start one with: forecourt collector")
    try:
        with closing(State.reading(path)) as state:
            found, collector = state.published(), state.collector()
    except StateError as error:
        return Judged([], str(error))
    if collector is None or collector.stopped_unix_nano is not None:
        return Judged([], "the sidecar is not running. Start it with: forecourt collector")
    return _of_now(found, now_unix_nano)


def _of_now(found: Published | None, now_unix_nano: int) -> Judged:
    if found is None:
        return Judged([], "the sidecar has just started; its first values come within 10 s")
    age_nano = now_unix_nano - found.time_unix_nano
    if age_nano > _OLDEST_NANO:
        return Judged([], f"the sidecar is not running, or far behind: its last values are {age_nano / NANO:.0f} s old")
    if age_nano < -_OLDEST_NANO:
        return Judged([], f"the clock was set back: the sidecar's last values are of {-age_nano / NANO:.0f} s from now")
    return Judged(found.evaluations, "")
