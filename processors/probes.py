"""Whether a probed target is up: one failure is none, and what was never seen healthy is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from processors.observation import ProbeObservation


@dataclass(slots=True)
class _Target:
    healthy_once: bool = False
    failures: int = 0


class Probes:
    """By target."""

    def __init__(self) -> None:
        self._targets: dict[str, _Target] = {}

    def read(self, probe: ProbeObservation) -> Iterator[tuple[str, float]]:
        """Indicators and their values; nothing of whether it is down while that is unknown."""
        target = self._targets.setdefault(probe.target, _Target())
        if probe.state in {"up", "locked"}:  # somebody who is busy lives
            target.healthy_once, target.failures = True, 0
            yield "probe.latency", probe.latency_seconds
        else:
            target.failures += 1
        if target.healthy_once:
            yield "probe.down", float(target.failures >= probe.unhealthy_after and probe.state != "corrupt")
        if probe.kind == "sql":
            yield "probe.corrupt", float(probe.state == "corrupt")
        if probe.certificate_days is not None:
            yield "probe.certificate_days", probe.certificate_days

    def was_up(self, target: str) -> bool:
        known = self._targets.get(target)
        return known is not None and known.healthy_once

    def to_state(self) -> Any:
        return {name: [target.healthy_once, target.failures] for name, target in self._targets.items()}

    def restore(self, content: Mapping[str, Any]) -> None:
        self._targets = {name: _Target(*target) for name, target in content.items()}
