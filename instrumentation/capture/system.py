"""The host and this process, through psutil, by the semantic conventions for system, process and CPython metrics."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psutil
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

logger = logging.getLogger("forecourt")

Values = Iterator[tuple[float, dict[str, str | int]]]
_SCOPE = "forecourt.system"
_NO_FILES = frozenset({"squashfs", "overlay", "tmpfs", "devtmpfs", "iso9660", "autofs", "proc", "sysfs", ""})
_CPU_STATES = ("user", "system", "idle", "iowait", "nice", "interrupt", "steal")


def capture_system(meters: MeterProvider) -> None:
    meter, host, process = meters.get_meter(_SCOPE), _Host(), _Process()
    for name, unit, values, create in (
        ("system.cpu.utilization", "1", host.cpu_utilization, meter.create_observable_gauge),
        ("system.memory.usage", "By", host.memory_usage, meter.create_observable_up_down_counter),
        ("system.memory.utilization", "1", host.memory_utilization, meter.create_observable_gauge),
        ("system.filesystem.usage", "By", host.filesystem_usage, meter.create_observable_up_down_counter),
        ("system.filesystem.utilization", "1", host.filesystem_utilization, meter.create_observable_gauge),
        ("system.network.io", "By", host.network_io, meter.create_observable_counter),
        ("process.cpu.time", "s", process.cpu_time, meter.create_observable_counter),
        ("process.cpu.utilization", "1", process.cpu_utilization, meter.create_observable_gauge),
        ("process.memory.usage", "By", process.memory_usage, meter.create_observable_up_down_counter),
        ("process.memory.virtual", "By", process.memory_virtual, meter.create_observable_up_down_counter),
        ("process.thread.count", "{thread}", process.threads, meter.create_observable_up_down_counter),
        (*_open_files(process), meter.create_observable_up_down_counter),
        ("process.uptime", "s", process.uptime, meter.create_observable_gauge),
        ("cpython.gc.collections", "{collection}", _collections, meter.create_observable_counter),
        ("cpython.gc.collected_objects", "{object}", _collected, meter.create_observable_counter),
        ("cpython.gc.uncollectable_objects", "{object}", _uncollectable, meter.create_observable_counter),
    ):
        _observe(create, name, unit, values)


def _open_files(process: _Process) -> tuple[str, str, Callable[[], Values]]:
    if psutil.WINDOWS:
        return "process.windows.handle.count", "{handle}", process.handles
    return "process.unix.file_descriptor.count", "{file_descriptor}", process.file_descriptors


def _observe(create: Callable[..., Any], name: str, unit: str, values: Callable[[], Values]) -> None:
    def callback(_options: CallbackOptions) -> Iterable[Observation]:
        try:
            return [Observation(value, attributes) for value, attributes in values()]
        except (OSError, psutil.Error):  # a mount that went away, a table that this user may not read
            logger.debug("%s can't be measured", name, exc_info=True)
            return []

    create(name, callbacks=[callback], unit=unit)


class _Host:
    def __init__(self) -> None:
        self._cpu = psutil.cpu_times()

    def cpu_utilization(self) -> Values:
        """Since the last time it was asked, as a share of all cores."""
        before, self._cpu = self._cpu, psutil.cpu_times()
        spent = {state: getattr(self._cpu, state, 0.0) - getattr(before, state, 0.0) for state in _CPU_STATES}
        total = sum(spent.values())
        for state, seconds in spent.items():
            if total > 0 and hasattr(self._cpu, state):
                yield max(0.0, seconds / total), {"cpu.mode": state}

    def memory_usage(self) -> Values:
        memory = psutil.virtual_memory()
        yield memory.total - memory.available, {"system.memory.state": "used"}
        yield memory.available, {"system.memory.state": "free"}

    def memory_utilization(self) -> Values:
        memory = psutil.virtual_memory()
        yield (memory.total - memory.available) / memory.total, {"system.memory.state": "used"}

    def filesystem_usage(self) -> Values:
        for usage, named in _filesystems():
            yield usage.used, {**named, "system.filesystem.state": "used"}
            yield usage.free, {**named, "system.filesystem.state": "free"}

    def filesystem_utilization(self) -> Values:
        """As `df` has it: of what this user could use."""
        for usage, named in _filesystems():
            if usage.used + usage.free > 0:
                yield usage.used / (usage.used + usage.free), named

    def network_io(self) -> Values:
        for interface, counted in psutil.net_io_counters(pernic=True).items():
            yield counted.bytes_sent, {"network.interface.name": interface, "network.io.direction": "transmit"}
            yield counted.bytes_recv, {"network.interface.name": interface, "network.io.direction": "receive"}


def _filesystems() -> Iterator[tuple[Any, dict[str, str | int]]]:
    seen = set()
    for partition in psutil.disk_partitions(all=False):
        if partition.fstype in _NO_FILES or partition.device in seen:
            continue
        seen.add(partition.device)
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:  # an empty drive
            continue
        yield (
            usage,
            {
                "system.device": partition.device,
                "system.filesystem.mountpoint": partition.mountpoint,
                "system.filesystem.type": partition.fstype,
            },
        )
    if not seen:  # in a container the root is an overlay
        yield psutil.disk_usage("/"), {"system.filesystem.mountpoint": "/"}


class _Process:
    def __init__(self) -> None:
        self._cpu: tuple[float, float] | None = None

    @property
    def _process(self) -> psutil.Process:
        return psutil.Process()  # after a fork another one

    def cpu_time(self) -> Values:
        times = self._process.cpu_times()
        yield times.user, {"cpu.mode": "user"}
        yield times.system, {"cpu.mode": "system"}

    def cpu_utilization(self) -> Values:
        """Since the last time it was asked, as a share of all cores."""
        times = self._process.cpu_times()
        now, spent = time.monotonic(), times.user + times.system
        before, self._cpu = self._cpu, (now, spent)
        if before and now > before[0]:
            yield max(0.0, (spent - before[1]) / (now - before[0]) / (psutil.cpu_count() or 1)), {}

    def memory_usage(self) -> Values:
        yield self._process.memory_info().rss, {}

    def memory_virtual(self) -> Values:
        yield self._process.memory_info().vms, {}

    def threads(self) -> Values:
        yield threading.active_count(), {}

    def file_descriptors(self) -> Values:
        yield self._process.num_fds(), {}

    def handles(self) -> Values:
        yield self._process.num_handles(), {}  # type: ignore[attr-defined]  # of Windows

    def uptime(self) -> Values:
        yield time.time() - self._process.create_time(), {}


def _collections() -> Values:
    return _generations("collections")


def _collected() -> Values:
    return _generations("collected")


def _uncollectable() -> Values:
    return _generations("uncollectable")


def _generations(what: str) -> Values:
    for generation, counted in enumerate(gc.get_stats()):
        yield counted[what], {"cpython.gc.generation": generation}
