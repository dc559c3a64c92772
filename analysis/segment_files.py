"""Which segments a question needs: listed anew each time, those that can't hold anything of its period left out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from analysis.period import DAY_NANO, HOUR_NANO, Period
from storage.manifest import FORMAT, StoreFormatError
from storage.names import OWN_FOLDER, SegmentName, hour_of, segments
from storage.reader import plain_name

_LATE_NANO = DAY_NANO
"""What a client sends later than this is found only where it is more than a hundredth of its segment."""
_TIMES = ("minimum", "low", "high", "maximum")
_RECEIVED = frozenset({"traces", "logs", "metrics"})
"""Streams in which one sender's wrong clock would have every segment read; the others are small."""


@dataclass(frozen=True, slots=True)
class Found:
    """`corrupt` is what the manifest knows of closed segments; `unlisted` are those that it does not know."""

    paths: list[Path] = field(default_factory=list)
    unlisted: list[Path] = field(default_factory=list)
    corrupt: int = 0


class SegmentFiles:
    """The segments of a folder and of its archive, found by their names and the manifest."""

    def __init__(self, folder: Path, archive: Path | None) -> None:
        self._folders = (folder, *((archive,) if archive is not None else ()))
        self._manifest = folder / OWN_FOLDER / "manifest.json"
        self._read: tuple[tuple[int, int], dict[str, Any]] = ((0, 0), {})
        self._listed: dict[str, tuple[list[list[str]], list[tuple[SegmentName, Path]]]] = {}

    def find(self, stream: str, period: Period | None) -> Found:
        """Raise StoreFormatError for a folder that a newer Forecourt has written."""
        entries = self._entries()
        found = Found()
        corrupt = 0
        for name, path in self._segments(stream):
            entry = entries.get(f"{stream}/{path.name}") or entries.get(f"{stream}/{plain_name(name)}")
            if period is not None and not _may_hold(name, entry, period, inner=stream in _RECEIVED):
                continue
            found.paths.append(path)
            if entry is None:
                found.unlisted.append(path)
            else:
                corrupt += entry["corrupt"]
        return Found(found.paths, found.unlisted, corrupt)

    def _segments(self, stream: str) -> Sequence[tuple[SegmentName, Path]]:
        """Each once, oldest first: plain before compressed, the folder before the archive."""
        names = [_names(folder / stream) for folder in self._folders]
        listed = self._listed.get(stream)
        if listed is None or listed[0] != names:  # to read a thousand names and sort them takes longer than a query
            listed = self._listed[stream] = (names, self._sorted(stream))
        return listed[1]

    def _sorted(self, stream: str) -> list[tuple[SegmentName, Path]]:
        known: dict[str, tuple[SegmentName, Path]] = {}
        for folder in self._folders:
            for name, path in segments(folder / stream):
                plain = plain_name(name)
                if plain not in known or (known[plain][0].compressed and not name.compressed):
                    known[plain] = (name, path)
        return sorted(known.values())

    def _entries(self) -> Mapping[str, Any]:
        """Of the manifest, read again when it has changed; a missing or spoilt one knows nothing."""
        try:
            stat = self._manifest.stat()
        except OSError:
            return {}
        version = (stat.st_mtime_ns, stat.st_size)
        if self._read[0] != version:
            self._read = (version, _read_entries(self._manifest))
        return self._read[1]


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  # names alone: a path for each costs more than the rest
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read_entries(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(path.read_bytes())
        written, entries = int(content["format"]), content["segments"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if written > FORMAT:
        raise StoreFormatError(
            f"{path}: format {written} was written by a newer Forecourt; this one reads up to format {FORMAT}. "
            "Upgrade it: pip install --upgrade forecourt"
        )
    return {name: entry for name, entry in entries.items() if _is_whole(entry)} if isinstance(entries, dict) else {}


def _is_whole(entry: Any) -> bool:
    """What is spoilt is not known; the segment itself is read."""
    if not isinstance(entry, dict) or not isinstance(entry.get("corrupt"), int):
        return False
    times = entry.get("times", ())
    if times is None:
        return True
    return isinstance(times, dict) and all(isinstance(times.get(name), int) for name in _TIMES)


def _may_hold(name: SegmentName, entry: Any, period: Period, *, inner: bool) -> bool:
    """By all its event times, or, if `inner`, by 98 % of them when it was written more than a day off the period."""
    first_hour, last_hour = _hours(period)
    since = first_hour <= name.hour
    near = since and name.hour <= last_hour
    if entry is None:  # it is being written, or few are: what is late or imported is in it too
        return since
    times = entry["times"]
    if times is None:
        return False
    first, last = (times["low"], times["high"]) if inner and not near else (times["minimum"], times["maximum"])
    return bool(first < period.end_unix_nano and last >= period.start_unix_nano)


@lru_cache(16)
def _hours(period: Period) -> tuple[str, str]:
    """Of the names of segments that were written when it was, or a little later."""
    return hour_of(max(0, period.start_unix_nano - HOUR_NANO)), hour_of(max(0, period.end_unix_nano + _LATE_NANO))
