"""Following streams as they grow, from one segment to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from storage.names import segments
from storage.reader import Needles, StoredRecord, plain_name, read, unread


class Follower:
    """Each record once that comes after the follower was made; torn lines wait until they are whole."""

    def __init__(self, folder: Path, streams: Sequence[str]) -> None:
        self._folder = folder
        self._streams = streams
        self._known: dict[str, dict[str, int]] = {
            stream: {
                plain_name(name): path.stat().st_size for name, path in segments(folder / stream) if not name.compressed
            }
            for stream in streams
        }
        for stream in streams:
            for name, _ in segments(folder / stream):
                if name.compressed:  # closed long ago: nothing comes into it any more
                    self._known[stream].setdefault(plain_name(name), 1)

    def poll(self, needles: Needles | None = None) -> Iterator[StoredRecord]:
        """What has come since the last time, by its arrival; as `storage.reader.read`."""
        spans = list(unread(self._folder, self._streams, self._known))
        for stored in read(spans, needles):
            self._known[stored.stream][stored.segment] = stored.end
            yield stored
