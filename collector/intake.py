"""From a body to the disk: the one way that both receivers take."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from collector.decoding import Batch, Encoding
from collector.signals import Signal
from collector.telemetry import Telemetry
from processors.observation import Observation, Projection

_INLINE_BYTES = 64 * 1024
"""Up to here decoding is quicker than handing over to a thread."""
_LARGE_BYTES = 4 * 1024 * 1024
"""From here on one body is decoded at a time."""
_UNWRITTEN_BYTES = 8 * 1024 * 1024


class Decode(Protocol):
    def __call__(
        self, body: bytes, projection: Projection, /, *, encoding: Encoding, received_unix_nano: int
    ) -> Iterator[Batch]: ...


Append = Callable[[str, bytes, Sequence[int], Sequence[Observation]], "Future[None]"]
"""Stream, lines, their event times, what the judge sees of them."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Everything that could be kept is on disk; `rejected` records can't be, for the reason in `message`."""

    records: int
    rejected: int
    message: str


class Intake:
    """Decodes and stores; lives on the event loop that receives."""

    def __init__(
        self,
        decoders: Mapping[str, Decode],
        append: Append,
        telemetry: Telemetry,
        *,
        projection: Projection | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._decoders = decoders
        self._append = append
        self._telemetry = telemetry
        self._clock = clock
        self._projection = projection or Projection()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="decode")
        self._large = asyncio.Lock()

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals that have a pipeline."""
        return frozenset(self._decoders)

    async def accept(self, signal: Signal, body: bytes, encoding: Encoding) -> Accepted:
        """Return when the body's records are on disk; raise MalformedBodyError or StoreError."""
        if len(body) <= _LARGE_BYTES:
            return await self._accept(signal, body, encoding)
        async with self._large:
            return await self._accept(signal, body, encoding)

    async def _accept(self, signal: Signal, body: bytes, encoding: Encoding) -> Accepted:
        decoding = _Decoding(self._decoders[signal.name], body, self._projection, encoding, self._clock())
        inline = len(body) <= _INLINE_BYTES
        loop = asyncio.get_running_loop()
        writes = _Writes()
        try:
            while True:
                batch = decoding.next() if inline else await loop.run_in_executor(self._threads, decoding.next)
                if batch is None:
                    break
                future = self._append(batch.stream, batch.lines, batch.times_unix_nano, batch.observations)
                await writes.add(batch, asyncio.wrap_future(future))
            await writes.finish()
        finally:
            writes.let_go()
            self._telemetry.decode_seconds.labels(signal.name).observe(decoding.seconds)
        return Accepted(writes.records, writes.rejected, writes.message)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Decoding:
    """The slices of one body, one at a time, and how long they took."""

    def __init__(
        self, decode: Decode, body: bytes, projection: Projection, encoding: Encoding, received_unix_nano: int
    ) -> None:
        self._start = (decode, body, projection, encoding, received_unix_nano)
        self._batches: Iterator[Batch] | None = None
        self.seconds = 0.0

    def next(self) -> Batch | None:
        started = time.perf_counter()
        try:
            if self._batches is None:
                decode, body, projection, encoding, received = self._start
                self._batches = decode(body, projection, encoding=encoding, received_unix_nano=received)
            return next(self._batches, None)
        finally:
            self.seconds += time.perf_counter() - started


class _Writes:
    """The batches of one request on their way to the disk: never much more than a few slices at once."""

    def __init__(self) -> None:
        self._pending: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._bytes = 0
        self._messages: dict[str, None] = {}
        self.records = 0
        self.rejected = 0

    @property
    def message(self) -> str:
        return "; ".join(self._messages)

    async def add(self, batch: Batch, written: asyncio.Future[None]) -> None:
        self._pending.append((len(batch.lines), written))
        self._bytes += len(batch.lines)
        self.records += batch.records
        self.rejected += batch.rejected
        if batch.rejection:
            self._messages.setdefault(batch.rejection)
        while self._bytes > _UNWRITTEN_BYTES and len(self._pending) > 1:
            await self._settle_oldest()

    async def finish(self) -> None:
        while self._pending:
            await self._settle_oldest()

    async def _settle_oldest(self) -> None:
        size, written = self._pending[0]
        await written
        self._pending.popleft()
        self._bytes -= size

    def let_go(self) -> None:
        """What is still pending after a failure has nobody left to hear of its own."""
        for _, written in self._pending:
            written.add_done_callback(lambda future: future.cancelled() or future.exception())
