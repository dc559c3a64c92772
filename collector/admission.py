"""Admission by bytes in flight: beyond the limit a request is told to come back, not to fill the memory."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

_OUTPUT_FACTOR = 3
_OUTPUT_BYTES = 8 * 1024 * 1024
"""A large body is flattened in slices, so that no more of its output than this is in memory."""


class OverloadedError(Exception):
    """The bytes in flight are at their limit; the sender may retry."""


class Admission:
    """Counts what all requests in flight hold; safe for several threads."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._in_flight = 0
        self._lock = threading.Lock()

    @property
    def in_flight_bytes(self) -> int:
        return self._in_flight

    def open(self) -> Reservation:
        return Reservation(self)

    def _change(self, by: int) -> None:
        with self._lock:
            if by > 0 and self._in_flight + by > self.limit_bytes:
                raise OverloadedError(
                    f"{self._in_flight} bytes are in flight, the limit is {self.limit_bytes} "
                    "(processors.memory_limiter.limit_mib). Retry in a second.",
                )
            self._in_flight += by


class Reservation:
    """What one request holds, from the first byte of its body until it is answered."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._held = 0

    def hold(self, body_bytes: int) -> None:
        """Reserve for a body of this size and what becomes of it; raise OverloadedError."""
        wanted = cost_of(body_bytes)
        if wanted > self._held:
            self._admission._change(wanted - self._held)  # noqa: SLF001  # the two are one thing
            self._held = wanted

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admission._change(-self._held)  # noqa: SLF001  # the two are one thing
        self._held = 0


def cost_of(body_bytes: int) -> int:
    """Bytes that a request takes: its decompressed body and its output."""
    return body_bytes + min(_OUTPUT_FACTOR * body_bytes, _OUTPUT_BYTES)
