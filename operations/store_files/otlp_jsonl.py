"""Stored lines as OTLP JSON lines (https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from collector.encoding.encoder import Encoder
from collector.encoding.json_lines import json_line

_LINE_RECORDS = 1000
_STORED_BYTES = 512 * 1024
_LINE_BYTES = 1_000_000
"""The Collector's otlpjsonfile receiver cuts a line at 1 MiB (its `max_log_size`)."""


class OtlpLines:
    """Of one stream; counts what it has written."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._encoder = Encoder()
        self.records = 0
        self.unreadable = 0
        """Lines that no record of this stream could be made of."""

    def of(self, stored: Iterable[bytes]) -> Iterator[bytes]:
        """Each at most 1,000 records and a megabyte, but for a single record that is longer."""
        for group in _groups(stored):
            yield from self._lines(group)

    def _lines(self, group: Sequence[bytes]) -> Iterator[bytes]:
        encoded = self._encoder.encode(self._stream, group)
        line = json_line(self._stream, encoded.body)
        if len(line) > _LINE_BYTES and len(group) > 1:
            middle = len(group) // 2
            yield from self._lines(group[:middle])
            yield from self._lines(group[middle:])
            return
        self.records += encoded.records
        self.unreadable += encoded.unreadable
        if encoded.records:
            yield line


def _groups(stored: Iterable[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for line in stored:
        if group and (len(group) == _LINE_RECORDS or size + len(line) > _STORED_BYTES):
            yield group
            group, size = [], 0
        group.append(line)
        size += len(line)
    if group:
        yield group
