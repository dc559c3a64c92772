from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any, NamedTuple

from opentelemetry._logs import LogRecord, SeverityNumber

from instrumentation.export.attributes import AttributeEncoder, any_value, utf8
from instrumentation.export.wire import delimited, varint

_TIMES = Struct("<BQBQ")
_CONTEXT = Struct("<2s16s2s8sBI")
"""Trace id, span id and flags."""
_MEMO_ENTRIES = 1024
_PLACE = ("code.file.path", "code.function.name", "code.line.number")


class LogItem(NamedTuple):
    """A log record between the thread that made it and the one that encodes it; times in nanoseconds since 1970."""

    scope: str
    time_unix_nano: int
    observed_time_unix_nano: int
    severity_number: int
    severity_text: str
    body: Any
    attributes: Mapping[str, Any]
    place: tuple[str, str, int] | None
    """File, function and line where it was made."""
    trace_id: int
    span_id: int
    trace_flags: int
    event_name: str = ""


class LogEncoder:
    """Log records as the bytes of an ExportLogsServiceRequest, redacted."""

    def __init__(self, attributes: AttributeEncoder) -> None:
        self._attributes = attributes
        self._places: dict[tuple[str, str, int], bytes] = {}
        self._severities: dict[tuple[Any, ...], bytes] = {}

    def encode(self, item: LogItem) -> bytes:
        """One record, as a field of its ScopeLogs. The numbers of fields and their types are logs.proto's."""
        time, observed, body, attributes, place = item[1], item[2], item[5], item[6], item[7]
        fields = [
            _TIMES.pack(0x09, time, 0x59, observed),
            self._severities.get(item[3:5]) or self._severity(item.severity_number, item.severity_text),
        ]
        if body.__class__ is str:
            fields.append(delimited(b"\x2a", delimited(b"\x0a", self._attributes.utf8(body))))
        elif body is not None:
            fields.append(delimited(b"\x2a", any_value(self._attributes.value(body)).SerializeToString()))
        if attributes:
            fields += self._attributes.fields(b"\x32", attributes)
        if place:
            fields.append(self._places.get(place) or self._place(place))
        if item.trace_id:
            fields.append(
                _CONTEXT.pack(
                    b"\x4a\x10",
                    item.trace_id.to_bytes(16, "big"),
                    b"\x52\x08",
                    item.span_id.to_bytes(8, "big"),
                    0x45,
                    item.trace_flags,
                )
            )
        if item.event_name:
            fields.append(delimited(b"\x62", item.event_name.encode()))
        return delimited(b"\x12", b"".join(fields))

    def _severity(self, number: int, text: str) -> bytes:
        encoded = b"\x10" + varint(number) + delimited(b"\x1a", utf8(text))
        if len(self._severities) < _MEMO_ENTRIES:
            self._severities[number, text] = encoded
        return encoded

    def _place(self, place: tuple[str, str, int]) -> bytes:
        encoded = b"".join(self._attributes.fields(b"\x32", dict(zip(_PLACE, place, strict=True))))
        if len(self._places) >= _MEMO_ENTRIES:
            self._places.clear()
        self._places[place] = encoded
        return encoded


def as_record(item: LogItem) -> LogRecord:
    """For providers that are not ours."""
    place: dict[str, Any] = dict(zip(_PLACE, item.place or (), strict=False))
    return LogRecord(
        timestamp=item.time_unix_nano,
        observed_timestamp=item.observed_time_unix_nano,
        severity_number=SeverityNumber(item.severity_number),
        severity_text=item.severity_text,
        body=item.body,
        attributes={**place, **item.attributes},
        event_name=item.event_name or None,
    )
