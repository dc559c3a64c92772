"""What a line of a log says, whatever its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
