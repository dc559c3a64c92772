from __future__ import annotations

from struct import Struct
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status as StatusMessage
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link

from instrumentation.export.attributes import AttributeEncoder
from instrumentation.export.wire import delimited, varint

_TIMES = Struct("<BQBQ")
_FLAGS = Struct("<2sI")
_UNSET = b"\x7a\x00"
_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200
"""SpanFlags of trace.proto."""


class SpanEncoder:
    """Ended spans as the bytes of an ExportTraceServiceRequest, redacted."""

    def __init__(self, attributes: AttributeEncoder) -> None:
        self._attributes = attributes

    def encode(self, span: ReadableSpan) -> bytes:
        """One span, as a field of its ScopeSpans. The numbers of fields and their types are trace.proto's."""
        context, parent = span.context, span.parent
        encode = self._attributes.fields
        name = self._attributes.utf8(span.name)
        fields = [
            b"\x0a\x10" + context.trace_id.to_bytes(16, "big"),
            b"\x12\x08" + context.span_id.to_bytes(8, "big"),
            b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent else b"",
            delimited(b"\x2a", name),
            b"\x30" + varint(span.kind.value + 1),
            _TIMES.pack(0x39, span.start_time or 0, 0x41, span.end_time or 0),
            *encode(b"\x4a", span.attributes or {}),
            _FLAGS.pack(b"\x85\x01", _flags(context.trace_flags, remote=bool(parent and parent.is_remote))),
        ]
        if context.trace_state:
            fields.append(delimited(b"\x1a", context.trace_state.to_header().encode()))
        if span.events or span.links or not span.status.is_unset or _dropped(span):
            fields.append(self._rare(span))
        else:
            fields.append(_UNSET)
        return delimited(b"\x12", b"".join(fields))

    def _rare(self, span: ReadableSpan) -> bytes:
        code: Any = span.status.status_code.value
        status = StatusMessage(code=code, message=self._attributes.text(span.status.description or ""))
        message = SpanMessage(
            events=[self._event(event) for event in span.events],
            links=[self._link(link) for link in span.links],
            dropped_attributes_count=span.dropped_attributes,
            dropped_events_count=span.dropped_events,
            dropped_links_count=span.dropped_links,
            status=status,
        )
        return message.SerializeToString()

    def _event(self, event: Event) -> SpanMessage.Event:
        return SpanMessage.Event(
            name=self._attributes.text(event.name),
            time_unix_nano=event.timestamp,
            attributes=self._attributes.messages(event.attributes or {}),
            dropped_attributes_count=getattr(event.attributes, "dropped", 0),
        )

    def _link(self, link: Link) -> SpanMessage.Link:
        return SpanMessage.Link(
            trace_id=link.context.trace_id.to_bytes(16, "big"),
            span_id=link.context.span_id.to_bytes(8, "big"),
            trace_state=link.context.trace_state.to_header() if link.context.trace_state else "",
            attributes=self._attributes.messages(link.attributes or {}),
            dropped_attributes_count=getattr(link.attributes, "dropped", 0),
            flags=_flags(link.context.trace_flags, remote=link.context.is_remote),
        )


def _dropped(span: ReadableSpan) -> int:
    return span.dropped_attributes + span.dropped_events + span.dropped_links


def _flags(trace_flags: int, *, remote: bool) -> int:
    return trace_flags & 0xFF | _HAS_IS_REMOTE | (_IS_REMOTE if remote else 0)
