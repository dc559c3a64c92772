"""Traces of the requests that came last, put to the buckets that they are counted in."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashboard.exposition.counting import PAST_NANO
from dashboard.exposition.families import REQUESTS
from dashboard.exposition.labels import label_text
from dashboard.exposition.last_lines import last_lines, last_segment
from dashboard.exposition.openmetrics import Distribution, Exemplar
from processors.http_request import is_failure

_STREAM = "performance"
_RECENT_BYTES = 256 * 1024
_TRACE_ID = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")
_NAMES = ("service.name", "http.request.method", "http.route")
"""As rollups name them."""


class Exemplars:
    """Only the newest records are looked at; older exemplars stay until another takes their place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _STREAM
        self._seen: tuple[Path, int] | None = None
        self.failures: dict[str, Exemplar] = {}
        """The last failed request by labels."""

    def look(self, requests: Mapping[str, Distribution]) -> None:
        """Put them to those requests that are counted; raise OSError."""
        path = last_segment(self._folder)
        seen = (path, path.stat().st_size) if path is not None else None
        if seen == self._seen:
            return
        self._seen = seen
        for record in last_lines(self._folder, _RECENT_BYTES):
            self._take(record, requests)

    def _take(self, record: Mapping[str, Any], requests: Mapping[str, Distribution]) -> None:
        seconds, time, trace = record.get("response_time"), record.get("time_unix_nano"), record.get("trace_id")
        if not isinstance(seconds, float | int) or not isinstance(time, int) or not isinstance(trace, str):
            return
        received = record.get("received_unix_nano")
        if not isinstance(received, int) or time < received - PAST_NANO:
            return
        values = (record.get("service", ""), record.get("method", ""), record.get("route", ""))
        labels = label_text((), zip(_NAMES, values, strict=True))
        known = requests.get(labels)
        if known is None or not _TRACE_ID.fullmatch(trace):
            return
        exemplar = Exemplar(trace, float(seconds), time)
        known.exemplars[bisect_left(REQUESTS.buckets, seconds)] = exemplar
        status = record.get("status_code") or 0
        if isinstance(status, int) and is_failure(status):
            self.failures[labels] = exemplar
