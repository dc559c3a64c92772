from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any, NamedTuple

from instrumentation.export.attributes import AttributeEncoder, any_value
from instrumentation.export.wire import delimited, varint

_TIMES = Struct("<BQBQ")
_FLAGS = Struct("<BI")
_MEMO_ENTRIES = 1024


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

    def encode(self, item: LogItem) -> bytes:
        """One record, as a field of its ScopeLogs. The numbers of fields and their types are logs.proto's."""
        fields = [
            _TIMES.pack(0x09, item.time_unix_nano, 0x59, item.observed_time_unix_nano),
            b"\x10" + varint(item.severity_number),
            delimited(b"\x1a", item.severity_text.encode()),
            self._body(item.body),
            *self._attributes.fields(b"\x32", item.attributes),
        ]
        if item.place:
            fields.append(self._places.get(item.place) or self._place(item.place))
        if item.trace_id:
            fields += (
                _FLAGS.pack(0x45, item.trace_flags),
                b"\x4a\x10" + item.trace_id.to_bytes(16, "big"),
                b"\x52\x08" + item.span_id.to_bytes(8, "big"),
            )
        if item.event_name:
            fields.append(delimited(b"\x62", item.event_name.encode()))
        return delimited(b"\x12", b"".join(fields))

    def _body(self, body: Any) -> bytes:
        if body.__class__ is str:
            return delimited(b"\x2a", delimited(b"\x0a", self._attributes.text(body).encode()))
        if body is None:
            return b""
        return delimited(b"\x2a", any_value(self._attributes.value(body)).SerializeToString())

    def _place(self, place: tuple[str, str, int]) -> bytes:
        names = ("code.file.path", "code.function.name", "code.line.number")
        encoded = b"".join(self._attributes.fields(b"\x32", dict(zip(names, place, strict=True))))
        if len(self._places) >= _MEMO_ENTRIES:
            self._places.clear()
        self._places[place] = encoded
        return encoded
