"""What is known of each closed segment, so that readers open only those that they need."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from storage.event_times import EventTimeRange, EventTimes
from storage.names import parse_segment_name, segments, stream_folders
from storage.sync import replace_file

FORMAT = 1
"""The store's format; a newer one is refused, an older one is read."""
_TIMES_END = 2**64
"""OTLP's times are unsigned numbers of 64 bits."""
DAMAGED = (OSError, EOFError, zlib.error)
"""What reading a segment raises, compressed or not."""


class StoreFormatError(Exception):
    """The folder was written by a newer Forecourt."""


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """A closed segment. Times are event times, in nanoseconds since 1970."""

    records: int
    bytes: int
    corrupt: int
    """Lines that are no JSON object; readers pass them over."""
    times: EventTimeRange | None


class Manifest:
    """Rebuildable: whatever it does not list can be read from the segments. Safe for several threads."""

    def __init__(self, path: Path, entries: dict[str, SegmentSummary]) -> None:
        self._path = path
        self._entries = entries
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read the file; a missing or spoilt one is empty. Raise StoreFormatError, or OSError."""
        try:
            content = orjson.loads(path.read_bytes())
            written = int(content["format"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return cls(path, {})
        if written > FORMAT:
            raise StoreFormatError(
                f"{path}: format {written} was written by a newer Forecourt; this one reads up to format "
                f"{FORMAT}. Upgrade it (pip install --upgrade forecourt), or point exporters.jsonl.path "
                "at another folder.",
            )
        try:
            return cls(path, {name: _summary(entry) for name, entry in content["segments"].items()})
        except (KeyError, TypeError, AttributeError):
            return cls(path, {})

    def save(self) -> None:
        """Write the whole manifest in one step; raise OSError."""
        with self._lock:
            entries = {name: asdict(summary) for name, summary in sorted(self._entries.items())}
            content = orjson.dumps({"format": FORMAT, "segments": entries}, option=orjson.OPT_INDENT_2)
            replace_file(self._path, content + b"\n")

    def add(self, segment: Path, summary: SegmentSummary) -> None:
        with self._lock:
            self._entries[_key(segment)] = summary

    def discard(self, segment: Path) -> None:
        """Forget a segment that is not as it was; it is read again."""
        with self._lock:
            self._entries.pop(_key(segment), None)

    def get(self, segment: Path) -> SegmentSummary | None:
        with self._lock:
            return self._entries.get(_key(segment))

    def numbers(self, stream: str, hour: str) -> list[int]:
        """The numbers of the segments that this hour of the stream has or had, plain or archived."""
        with self._lock:
            listed = [key.partition("/") for key in self._entries if key.startswith(f"{stream}/{hour}")]
        names = [parse_segment_name(name) for _, _, name in listed]
        return [name.number for name in names if name is not None and not name.writer]

    def unlisted(self, folder: Path) -> list[Path]:
        """The segments in the store's `folder` that the manifest does not know, oldest first."""
        return [path for stream in stream_folders(folder) for _, path in segments(stream) if self.get(path) is None]


def summarize(segment: Path, stopped: Callable[[], bool]) -> SegmentSummary | None:
    """Read a closed segment through; None when `stopped` says so meanwhile; raise one of DAMAGED."""
    times = EventTimes()
    records = corrupt = size = 0
    with gzip.open(segment, "rb") if segment.suffix == ".gz" else segment.open("rb") as file:
        for line in file:
            size += len(line)
            time = event_time(line)
            if time is None:
                corrupt += 1
                continue
            records += 1
            times.add((time,))
            if records % 1000 == 0 and stopped():
                return None
    return SegmentSummary(records, size, corrupt, times.range())


def event_time(line: bytes) -> int | None:
    """As in the table of fields: sent, else observed, else arrival; None for a line that is no record."""
    try:
        record = orjson.loads(line)
        time = int(
            record["time_unix_nano"] or record.get("observed_time_unix_nano") or record["received_unix_nano"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return time if 0 <= time < _TIMES_END else None


def _key(segment: Path) -> str:
    """The same for each form of a segment: compressed or archived it has the same records."""
    return f"{segment.parent.name}/{segment.name.removesuffix('.gz')}"


def _summary(entry: dict[str, Any]) -> SegmentSummary:
    times = entry["times"]
    return SegmentSummary(
        records=entry["records"],
        bytes=entry["bytes"],
        corrupt=entry["corrupt"],
        times=None if times is None else EventTimeRange(**times),
    )
