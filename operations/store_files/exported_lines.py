"""The stored lines that an export is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import orjson

from operations.stored_lines import found
from operations.stored_segments import Selection, sequences
from processors.presence import IMPORTED

_MARKED = f'"{IMPORTED}":true'.encode()


class ExportedLines:
    """Of received streams, plain, compressed or archived; what could not be read is counted."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self.corrupt: Counter[str] = Counter()
        """By stream: lines that are no record."""
        self.unread: dict[str, str] = {}
        """Segments that could not be read to their end, and why."""

    def of(self, stream: str) -> Iterator[bytes]:
        """Of one stream in the order of arrival, what a client had sent twice once; raise StoreFormatError."""
        for one in found(self._selection, sequences(self._selection, [stream], exact=True), self.unread):
            self.corrupt[stream] += one.unreadable
            if one.line:
                yield _unmarked(one.line) if _MARKED in one.line else one.line


def _unmarked(line: bytes) -> bytes:
    """That we took it in from a file is our mark, and no part of what was told."""
    record = orjson.loads(line)
    with suppress(KeyError, TypeError):
        if record["resource"]["attributes"][IMPORTED] is True:
            del record["resource"]["attributes"][IMPORTED]
            return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    return line
