"""JSON lines of any app: which of its keys is what is guessed, or said by `--map`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

import orjson

from operations.importing.entry import Entry, NotUnderstoodError, in_range, parse_time

USUAL = {
    "time": ("timestamp", "time", "@timestamp", "ts", "asctime", "date", "time_unix_nano"),
    "body": ("body", "message", "msg", "event", "text"),
    "severity": ("severity", "level", "levelname", "log.level", "severity_text"),
    "logger": ("logger", "logger_name", "name", "log.logger"),
    "event": ("event_name", "event.name"),
    "outcome": ("outcome", "event.outcome"),
}
"""Keys that stand for a field where none was said, the first that is there."""
_NANO = 1_000_000_000
_SECONDS_BELOW = 1e11
_MILLISECONDS_BELOW = 1e14
_MICROSECONDS_BELOW = 1e17


class JsonLines:
    """`mapping` says for a field (time, body, severity, logger, event, outcome) or an attribute which key it has."""

    def __init__(self, mapping: Mapping[str, str], zone: tzinfo) -> None:
        self._mapping = mapping
        self._zone = zone

    def entries(self, line: str) -> Iterator[Entry]:
        """Raise NotUnderstoodError."""
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise NotUnderstoodError(f"not JSON: {error}") from error
        if not isinstance(record, dict):
            raise NotUnderstoodError("expected a JSON object")
        taken: set[str] = set()
        time = self._field(record, "time", taken)
        if time is None:
            raise NotUnderstoodError("has no time; say which key has it, as --map time=when")
        fields = {name: self._field(record, name, taken) for name in ("body", "severity", "logger", "event", "outcome")}
        attributes = self._attributes(record, taken)
        if fields["outcome"] is not None:
            attributes["event.outcome"] = str(fields["outcome"])
        body = fields["body"]
        yield Entry(
            _nano(time, self._zone),
            body if isinstance(body, str) else "" if body is None else orjson.dumps(body).decode(),
            str(fields["severity"] or "INFO"),
            str(fields["logger"] or ""),
            str(fields["event"] or ""),
            attributes,
        )

    def _field(self, record: Mapping[str, Any], name: str, taken: set[str]) -> Any:
        said = self._mapping.get(name)
        for key in (said,) if said else USUAL[name]:
            value = _at(record, key)
            if value is not None:
                taken.add(key.split(".")[0] if key not in record else key)
                return value
        return None

    def _attributes(self, record: Mapping[str, Any], taken: set[str]) -> dict[str, Any]:
        inner = record.get("attributes")
        own = inner if isinstance(inner, dict) else {}
        rest = {key: value for key, value in record.items() if key not in {*taken, "attributes", "resource", "scope"}}
        said = {
            name: value
            for name, key in self._mapping.items()
            if name not in USUAL and (value := _at(record, key)) is not None
        }
        return {**rest, **own, **said}


def _at(record: Mapping[str, Any], key: str) -> Any:
    """By the key itself, else by its parts: `user.id` in {"user": {"id": …}}."""
    if key in record:
        return record[key]
    inner: Any = record
    for part in key.split("."):
        inner = inner.get(part) if isinstance(inner, dict) else None
    return inner


def _nano(time: Any, zone: tzinfo) -> int:
    """A text as ISO 8601 has it; a number is seconds, or milli-, micro- or nanoseconds by its size."""
    if isinstance(time, int | float) and not isinstance(time, bool):
        for below, factor in ((_SECONDS_BELOW, _NANO), (_MILLISECONDS_BELOW, 10**6), (_MICROSECONDS_BELOW, 10**3)):
            if abs(time) < below:
                return in_range(round(time * factor))
        return in_range(int(time))
    return parse_time(str(time), zone)
