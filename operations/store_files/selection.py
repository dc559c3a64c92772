"""Which stored lines are wanted, read from the segments in bounded memory."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from analysis.period import Period
from analysis.segment_files import SegmentFiles
from processors.presence import IMPORTED
from processors.repeats import Repeats
from storage.manifest import DAMAGED, Manifest, SegmentSummary
from storage.names import OWN_FOLDER

_MAX_LINE_BYTES = 16 * 2**20
"""A longer line is nobody's record: the store's own end at a few MiB."""
_MARKED = f'"{IMPORTED}":true'.encode()
_SMALLEST, _LARGEST = 0, 2**64


@dataclass(frozen=True, slots=True)
class Selection:
    """By event time, service and trace; what is not said takes all."""

    period: Period | None = None
    services: frozenset[str] = frozenset()
    trace_id: str = ""


class StoredLines:
    """Lines of received streams, plain, compressed or archived; what could not be read is counted."""

    def __init__(self, folder: Path, archive: Path | None, selection: Selection) -> None:
        self._archive = archive
        self._selection = selection
        self._files = SegmentFiles(folder, archive)
        self._manifest = Manifest.load(folder / OWN_FOLDER / "manifest.json")
        self.corrupt: Counter[str] = Counter()
        """By stream: lines that are no record."""
        self.unread: dict[str, str] = {}
        """Segments that could not be read to their end, and why."""

    def of(self, stream: str) -> Iterator[bytes]:
        """Of one stream in the order of arrival; what was sent twice within the last 8,192 batches comes once."""
        repeats = Repeats(gaps=True)
        for path in self._files.find(stream, None).paths:
            if self._may_hold(self._manifest.get(path)):
                yield from self._of_segment(stream, path, repeats)

    def _may_hold(self, known: SegmentSummary | None) -> bool:
        """By all its event times: a single record of a wrong clock is in the right place too."""
        period = self._selection.period
        if period is None or known is None:
            return True
        times = known.times
        return times is not None and times.minimum < period.end_unix_nano and times.maximum >= period.start_unix_nano

    def _of_segment(self, stream: str, path: Path, repeats: Repeats) -> Iterator[bytes]:
        trace_id = self._selection.trace_id.encode()
        try:
            with self._opened(path) as file:
                for line in self._whole_lines(stream, file):
                    if trace_id in line and self._wants(stream, line, repeats):
                        yield _unmarked(line) if _MARKED in line else line
        except DAMAGED as error:
            self.unread[f"{stream}/{path.name}"] = str(error)

    def _opened(self, path: Path) -> BinaryIO | gzip.GzipFile:
        """Wherever retention has moved it since it was listed; raise FileNotFoundError when it is gone."""
        folders = [path.parent, *([self._archive / path.parent.name] if self._archive is not None else [])]
        packed = path.name.removesuffix(".gz") + ".gz"
        for one in (path, *(folder / name for folder in folders for name in (path.name, packed))):
            with suppress(FileNotFoundError):
                return gzip.open(one, "rb") if one.suffix == ".gz" else one.open("rb")
        raise FileNotFoundError("retention took it away meanwhile")

    def _whole_lines(self, stream: str, file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
        """What is being written still is left out."""
        too_long = False
        while line := file.readline(_MAX_LINE_BYTES):
            ended = line.endswith(b"\n")
            if ended and not too_long:
                yield line
            elif not ended and len(line) < _MAX_LINE_BYTES:
                return
            self.corrupt[stream] += too_long and ended
            too_long = not ended

    def _wants(self, stream: str, line: bytes, repeats: Repeats) -> bool:
        try:
            record = orjson.loads(line)
            time = _event_time(record)
        except (ValueError, TypeError, KeyError, AttributeError):
            self.corrupt[stream] += 1
            return False
        wanted = self._selection
        if wanted.period is not None and not wanted.period.holds(time):
            return False
        service = record.get("service")
        if wanted.services and not (isinstance(service, str) and service in wanted.services):
            return False
        if wanted.trace_id and record.get("trace_id") != wanted.trace_id:
            return False
        batch_id, index = record.get("batch_id"), record.get("batch_index")
        return not (isinstance(batch_id, str) and isinstance(index, int) and repeats.seen(batch_id, index))


def _event_time(record: Mapping[str, Any]) -> int:
    """As sent, else observed, else arrival; raise ValueError for what is no time."""
    time = record["time_unix_nano"] or record.get("observed_time_unix_nano") or record["received_unix_nano"]
    if not isinstance(time, int) or not _SMALLEST <= time < _LARGEST:
        raise ValueError(time)
    return time


def _unmarked(line: bytes) -> bytes:
    """That we took it in from a file is our mark, and no part of what was told."""
    record = orjson.loads(line)
    with suppress(KeyError, TypeError):
        if record["resource"]["attributes"][IMPORTED] is True:
            del record["resource"]["attributes"][IMPORTED]
            return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    return line
