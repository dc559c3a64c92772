"""What decoding makes of a request body: finished lines for the store and observations for the judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.observation import Observation


class MalformedBodyError(ValueError):
    """The body can't be decoded and never will be: 400 or INVALID_ARGUMENT, nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A decoded slice of one OTLP request, redacted, as finished JSON lines of one stream."""

    stream: str
    lines: bytes
    """Whole JSON lines, each ended by a newline."""
    times_unix_nano: Sequence[int]
    """Event time of each line, in nanoseconds since 1970: sent, else observed, else arrival."""
    observations: Sequence[Observation]
    rejected: int = 0
    """Records of this slice that were refused for good."""
    rejection: str = ""
    """Why, in words for the sender; empty when nothing was refused."""

    @property
    def records(self) -> int:
        return len(self.times_unix_nano)


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """Bounds on what one record may hold; what exceeds them is cut or dropped, and counted in the record."""

    attribute_count: int = 128
    """Attributes of one span, event, link, log record, data point, scope or resource."""
    attribute_value_length: int = 16_384
    """Characters of one string value, bytes of one bytes value, elements of one array or kvlist."""
    body_length: int = 131_072
    """Characters of a log body."""
    event_count: int = 256
    """Events of one span."""
    link_count: int = 256
    """Links of one span."""
    record_bytes: int = 1_048_576
    """Bytes of one finished line; a longer record is refused."""
    records_per_request: int = 500_000
    """Records of one request; those beyond it are refused."""
