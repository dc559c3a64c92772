"""What is known of a trace until it is decided: a summary of its spans, never the spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from collector.exporting.sampling_settings import LONGEST_ROUTE

STATUS_BITS = {"UNSET": 1, "OK": 2, "ERROR": 4}

_MOST_NANO = 2**63
_NOTHING: dict[str, Any] = {}
_NO_SPAN = (4, 0)


class ObservedTrace:
    """Times are 0 while no span told them; `statuses` and `found` are sets of bits."""

    __slots__ = (
        "end_unix_nano",
        "found",
        "identity",
        "received_unix_nano",
        "route",
        "route_order",
        "span_count",
        "start_unix_nano",
        "statuses",
    )

    def __init__(self, identity: str, received: Any) -> None:
        self.identity = identity
        self.received_unix_nano = received if type(received) is int and 0 < received < _MOST_NANO else 0
        self.start_unix_nano = 0
        self.end_unix_nano = 0
        self.statuses = 0
        self.span_count = 0
        self.found = 0
        self.route = ""
        self.route_order = _NO_SPAN

    @property
    def duration_nano(self) -> int:
        if not self.start_unix_nano or not self.end_unix_nano:
            return 0
        return max(0, self.end_unix_nano - self.start_unix_nano)


class _Watch(NamedTuple):
    key: str
    holds: Callable[[str], object]
    bit: int


class Observer:
    """Adds spans to traces; looks only at what some policy asks for."""

    def __init__(self) -> None:
        self._watches: list[_Watch] = []
        self._all = 0
        self._routes = False

    def watch_attribute(self, key: str, holds: Callable[[str], object]) -> int:
        """The bit in `found` of the traces with a span, or its resource, that has such a text."""
        bit = 1 << len(self._watches)
        self._watches.append(_Watch(key, holds, bit))
        self._all |= bit
        return bit

    def watch_routes(self) -> None:
        """Traces get their `route`."""
        self._routes = True

    def add(self, trace: ObservedTrace, record: Mapping[str, Any]) -> None:
        """Any stored line; what is missing or of the wrong type is passed over."""
        trace.span_count += 1
        start = record.get("time_unix_nano")
        if type(start) is int and start > 0 and not 0 < trace.start_unix_nano <= start:
            trace.start_unix_nano = start
        end = record.get("end_time_unix_nano")
        if type(end) is int and end > trace.end_unix_nano:
            trace.end_unix_nano = end
        status = record.get("status")
        if status is None:
            trace.statuses |= 1
        elif type(status) is str:
            trace.statuses |= STATUS_BITS.get(status, 0)
        if trace.found != self._all:
            self._find(trace, record)
        if self._routes:
            _find_route(trace, record, start if type(start) is int and start > 0 else _MOST_NANO)

    def _find(self, trace: ObservedTrace, record: Mapping[str, Any]) -> None:
        attributes = _mapping(record.get("attributes"))
        of_resource = _mapping(_mapping(record.get("resource")).get("attributes"))
        for key, holds, bit in self._watches:
            if trace.found & bit:
                continue
            value, shared = attributes.get(key), of_resource.get(key)
            if (type(value) is str and value and holds(value)) or (type(shared) is str and shared and holds(shared)):
                trace.found |= bit


def _find_route(trace: ObservedTrace, record: Mapping[str, Any], start: int) -> None:
    """`http.route` of the earliest root or SERVER span that has one, else a name: of the root, a SERVER span, any."""
    is_root, is_server = not record.get("parent_span_id"), record.get("kind") == "SERVER"
    text = _mapping(record.get("attributes")).get("http.route") if is_root or is_server else None
    rank = 0
    if type(text) is not str or not text:
        text = record.get("name")
        rank = 1 if is_root else 2 if is_server else 3
    if (rank, start) < trace.route_order:
        trace.route_order = (rank, start)
        trace.route = text[:LONGEST_ROUTE] if type(text) is str else ""


def _mapping(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else _NOTHING
