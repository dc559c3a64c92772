"""What a look at a target finds, and how it is written down."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import orjson

from processors.derived import OWN_SERVICE
from processors.timestamps import Timestamps

State = Literal["up", "down", "locked", "corrupt"]
_timestamps = Timestamps()


@dataclass(frozen=True, slots=True)
class Finding:
    """`detail` says what was answered, or why there was no answer."""

    state: State
    detail: str
    certificate_days: float | None = None


class Probe(Protocol):
    """`look` blocks for no longer than the timeout, and raises nothing that it expects."""

    name: str
    kind: str
    unhealthy_after: int

    def look(self) -> Finding: ...


def health_record(probe: Probe, clock: Callable[[], int] = time.time_ns, *, was_up: bool = True) -> dict[str, Any]:
    """Look now; the line of the stream `health`. What never `was_up` is unknown where another would be down."""
    began, started = clock(), time.perf_counter()
    try:
        finding = probe.look()
    except Exception as error:  # noqa: BLE001  # whatever a driver raises, there was no good answer
        finding = Finding("down", f"{type(error).__name__}: {error}")
    latency = time.perf_counter() - started
    unknown = finding.state == "down" and not was_up
    record = {
        "timestamp": _timestamps(began),
        "time_unix_nano": began,
        "received_unix_nano": clock(),
        "service": OWN_SERVICE,
        "target": probe.name,
        "kind": probe.kind,
        "healthy": None if unknown else finding.state in {"up", "locked"},
        "state": "unknown" if unknown else finding.state,
        "latency_ms": round(latency * 1000, 3),
        "detail": finding.detail[:500],
        "unhealthy_after": probe.unhealthy_after,
    }
    if finding.certificate_days is not None:
        record["certificate_days"] = finding.certificate_days
    digest = hashlib.blake2b(orjson.dumps(record), digest_size=8).hexdigest()
    return {**record, "batch_id": digest, "batch_index": 0}
