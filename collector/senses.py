"""The collector's own senses: probes and host metrics, each at its interval, stored like everything else."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import threading
from collections.abc import Callable, Collection, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar, cast

import orjson

from collector.decoding import MalformedBodyError
from collector.exporting.measures import ExporterMeasures
from collector.host_metrics import HostMetrics
from collector.intake import Intake
from collector.probes import HttpProbe, Probe, SqlProbe, TcpProbe, health_record
from collector.settings import ReceiverSettings
from collector.signals import METRICS
from collector.telemetry import Telemetry
from processors.observation import Observation, observe_probe
from storage import StoreError

_log = logging.getLogger(__name__)

_JITTER = 0.1
"""Of an interval, so that not everything happens at once."""

_Result = TypeVar("_Result")
Append = Callable[[str, bytes, Sequence[int], Sequence[Observation]], "Future[None]"]


class Senses:
    """Lives on the loop that receives; whatever blocks has a thread."""

    def __init__(
        self,
        settings: ReceiverSettings,
        used: Collection[str],
        intake: Intake,
        append: Append,
        telemetry: Telemetry,
        *,
        was_up: Callable[[str], bool],
        exporters: ExporterMeasures | None = None,
    ) -> None:
        """`used` are the names of the receivers that the metrics pipeline lists; no `exporters`: there are none.

        `was_up` knows of a target whether it ever answered, before a restart too.
        """
        self._settings = settings
        self._used = used
        self._intake = intake
        self._append = append
        self._telemetry = telemetry
        self._was_up = was_up
        self._up: set[str] = set()
        """Targets that answered since the start: whoever tells `was_up` may lag."""
        self._exporters = exporters
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        host = self._settings.hostmetrics
        if "hostmetrics" in self._used:
            metrics = HostMetrics(host.processes)
            self._repeat(host.collection_interval, functools.partial(self._measure, metrics.request))
        if self._exporters is not None:
            self._repeat(host.collection_interval, functools.partial(self._measure, self._exporters.request))
        for seconds, probe in probes(self._settings, self._used):
            self._repeat(seconds, functools.partial(self._look, probe))

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _repeat(self, seconds: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(_repeatedly(seconds, act)))

    async def _measure(self, request: Callable[[], bytes]) -> None:
        body = await _in_thread(request)
        kept = await self._intake.accept(METRICS, body, "protobuf")
        self._telemetry.accepted(
            METRICS, "internal", body_bytes=len(body), records=kept.records, rejected=kept.rejected
        )

    async def _look(self, probe: Probe) -> None:
        was_up = probe.name in self._up or self._was_up(probe.name)
        record = await _in_thread(lambda: health_record(probe, was_up=was_up))
        if record["healthy"]:
            self._up.add(probe.name)
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        await asyncio.wrap_future(self._append("health", line, [record["time_unix_nano"]], [observe_probe(record)]))


async def _in_thread(look: Callable[[], _Result]) -> _Result:
    """In a daemon thread, which nobody waits for at the end: a target may hold it until its timeout."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Result] = loop.create_future()

    def tell(result: _Result | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("_Result", result))

    def run() -> None:
        result, error = None, None
        try:
            result = look()
        except Exception as raised:  # noqa: BLE001  # whoever awaits it handles it
            error = raised
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, name="sense", daemon=True).start()
    return await done


async def _repeatedly(seconds: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await act()
        except (StoreError, MalformedBodyError) as error:
            _log.warning("what was measured could not be stored: %s", error)
        except Exception:  # noqa: BLE001  # the others look on
            _log.exception("a look at the host or a target failed")
        await asyncio.sleep(seconds * (1 + random.uniform(-_JITTER, _JITTER)))  # noqa: S311  # no secret


def probes(settings: ReceiverSettings, used: Collection[str]) -> list[tuple[float, Probe]]:
    """Every target that has an address, and how many seconds lie between two looks at it."""
    http, tcp, sql = settings.httpcheck, settings.tcpcheck, settings.sqlcheck
    found: dict[str, list[tuple[float, Probe]]] = {
        "httpcheck": [(http.collection_interval, HttpProbe(target)) for target in http.targets if target.endpoint],
        "tcpcheck": [(tcp.collection_interval, TcpProbe(target)) for target in tcp.targets if target.endpoint],
        "sqlcheck": [(sql.collection_interval, SqlProbe(one)) for one in sql.targets if one.url.get_secret_value()],
    }
    return [probe for receiver, looks in found.items() if receiver in used for probe in looks]
