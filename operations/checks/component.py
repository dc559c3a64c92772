"""One line of a check, and what all of them together mean to Nagios."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from alerting.plain_text import printable
from processors.evaluation import format_key, format_value

CODES = {"normal": 0, "warning": 1, "critical": 2, "no data": 3}
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
"""By exit code (Monitoring Plugins Development Guidelines, plugin return codes)."""


@dataclass(frozen=True, slots=True)
class Component:
    """`value` is in seconds, bytes or plain, a share is 0 to 1; None without data."""

    component: str
    band: str
    value: float | None = None
    unit: str = "1"
    key: dict[str, str] = field(default_factory=dict)
    detail: str = ""
    bound: str = ""
    """Of the band that it is in, or of the first that it is not in yet."""

    def line(self) -> str:
        """`WARNING: http.server.p95 {service.name=app} is 4.2 s (> 3s)`, `CRITICAL: backend: down`."""
        return printable(self._line())

    def _line(self) -> str:
        of = f" {{{format_key(self.key)}}}" if self.key else ""
        if self.value is None and self.band != "no data":
            return f"{WORDS[CODES[self.band]]}: {self.component}{of}: {self.detail}"
        value = f" is {format_value(self.value, self.unit)}" if self.value is not None else " has no value"
        told = ", ".join(filter(None, (self.bound if self.value is not None else "", self.detail)))
        return f"{WORDS[CODES[self.band]]}: {self.component}{of}{value}{f' ({told})' if told else ''}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "status": WORDS[CODES[self.band]]}


@dataclass(frozen=True, slots=True)
class Checked:
    """`problem` says why less is known than could be; empty when nothing is amiss."""

    components: list[Component]
    problem: str = ""
    failed: bool = False
    """Whether it could not be made at all; its only component says why."""

    @property
    def code(self) -> int:
        """The worst that is known; unknown only when nothing is."""
        return worst_code(CODES[one.band] for one in self.components)


def worst_code(codes: Iterable[int]) -> int:
    """Critical is worse than warning; what is unknown hides neither."""
    return max((code for code in codes if code != CODES["no data"]), default=CODES["no data"])
