"""What a line of a log says, whatever its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

_SEVERITIES = {
    "TRACE": 1,
    "DEBUG": 5,
    "INFO": 9,
    "NOTICE": 9,
    "WARN": 13,
    "WARNING": 13,
    "ERROR": 17,
    "ERR": 17,
    "CRITICAL": 21,
    "FATAL": 21,
    "ALERT": 21,
    "EMERG": 21,
}
"""The first severity number of each (OpenTelemetry, Logs Data Model)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_NANO = 2**63


@dataclass(frozen=True, slots=True)
class Entry:
    """One log record."""

    time_unix_nano: int
    body: str
    severity: str = "INFO"
    logger: str = ""
    event_name: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    host: str = ""

    @property
    def severity_number(self) -> int:
        return _SEVERITIES.get(self.severity.upper(), 0)


class NotUnderstoodError(Exception):
    """A line is not of the form that was said; the message says what was expected."""


def parse_time(text: str, zone: tzinfo) -> int:
    """ISO 8601, also with a comma before its fraction; raise NotUnderstoodError."""
    try:
        moment = datetime.fromisoformat(text.strip().replace(",", "."))
    except ValueError as error:
        raise NotUnderstoodError(f"{text!r} is no time as 2026-11-23T10:30:00Z") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    since = moment - _EPOCH
    return in_range((since.days * 86400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000)


def in_range(time_unix_nano: int) -> int:
    """The time itself; raise NotUnderstoodError for one that no record can have."""
    if not 0 < time_unix_nano < _END_NANO:
        raise NotUnderstoodError("its time is not between 1970 and 2262")
    return time_unix_nano
