"""The host and the processes on it, as an OTLP request to ourselves, by the semantic conventions for system metrics."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator

import psutil

from collector.measures import Measure, Value, request_of
from collector.settings import ProcessMatch

_STATES = ("user", "system", "idle", "iowait", "nice", "interrupt", "steal")
_NO_FILES = frozenset({"squashfs", "overlay", "tmpfs", "devtmpfs", "iso9660", "autofs", "proc", "sysfs", ""})
_SCOPE = "forecourt.hostmetrics"


class HostMetrics:
    """Shares of time are since the last look, so the first one has none."""

    def __init__(self, processes: Iterable[ProcessMatch] = ()) -> None:
        self._cpu = psutil.cpu_times()
        self._processes = NamedProcesses(processes)
        self._started = int(psutil.boot_time() * 1e9)

    def request(self) -> bytes:
        """An ExportMetricsServiceRequest of what can be measured here."""
        return request_of(self._measures(), _SCOPE, started_unix_nano=self._started, now_unix_nano=time.time_ns())

    def _measures(self) -> Iterator[Measure]:
        yield Measure("system.cpu.utilization", "1", self._cpu_utilization())
        yield Measure("system.memory.utilization", "1", _memory())
        yield Measure("system.paging.utilization", "1", _swap())
        yield Measure("system.filesystem.utilization", "1", _filesystems())
        yield Measure("system.network.io", "By", _network("bytes_sent", "bytes_recv"), counter=True)
        yield Measure("system.network.errors", "{error}", _network("errout", "errin"), counter=True)
        yield Measure("system.cpu.load_average.1m", "{thread}", _load())
        yield from self._processes.measures()

    def _cpu_utilization(self) -> Iterator[Value]:
        before, self._cpu = self._cpu, psutil.cpu_times()
        spent = {state: getattr(self._cpu, state, 0.0) - getattr(before, state, 0.0) for state in _STATES}
        total = sum(spent.values())
        for state, seconds in spent.items():
            if total > 0 and hasattr(self._cpu, state):
                yield max(0.0, seconds / total), {"cpu.mode": state}


class NamedProcesses:
    """Processes known by words of their command lines: how many there are, and how often one was replaced."""

    def __init__(self, matches: Iterable[ProcessMatch]) -> None:
        self._matches = list(matches)
        self._known: dict[str, set[tuple[int, float]]] = {}
        self._restarts = dict.fromkeys((match.name for match in self._matches), 0)
        self._seen: dict[tuple[int, float], psutil.Process] = {}

    def measures(self) -> Iterator[Measure]:
        if not self._matches:
            return
        found = self._find()
        counts, restarts, cpu, memory = [], [], [], []
        for match in self._matches:
            named = {"process.name": match.name}
            processes = found[match.name]
            self._count_restarts(match.name, set(processes))
            counts.append((float(len(processes)), named))
            restarts.append((float(self._restarts[match.name]), named))
            shares = [_share(process) for process in processes.values()]
            cpu.append((sum(share for share, _ in shares), named))
            memory.append((float(sum(size for _, size in shares)), named))
        yield Measure("forecourt.process.count", "{process}", counts)
        yield Measure("forecourt.process.restarts", "{restart}", restarts)
        yield Measure("forecourt.process.cpu.utilization", "1", cpu)
        yield Measure("forecourt.process.memory.usage", "By", memory)

    def _count_restarts(self, name: str, now: set[tuple[int, float]]) -> None:
        before = self._known.get(name)
        if before and now - before:
            self._restarts[name] += len(now - before)
        if now or before is None:
            self._known[name] = now

    def _find(self) -> dict[str, dict[tuple[int, float], psutil.Process]]:
        found: dict[str, dict[tuple[int, float], psutil.Process]] = {match.name: {} for match in self._matches}
        alive: dict[tuple[int, float], psutil.Process] = {}
        for process in psutil.process_iter(["cmdline", "create_time"]):
            command = " ".join(process.info["cmdline"] or ())
            identity = (process.pid, process.info["create_time"] or 0.0)
            for match in self._matches:
                if match.command in command and process.pid != os.getpid():
                    alive[identity] = self._seen.get(identity, process)
                    found[match.name][identity] = alive[identity]
        self._seen = alive
        return found


def _share(process: psutil.Process) -> tuple[float, int]:
    try:
        return process.cpu_percent() / 100, process.memory_info().rss
    except psutil.Error:
        return 0.0, 0


def _memory() -> Iterator[Value]:
    memory = psutil.virtual_memory()
    yield (memory.total - memory.available) / memory.total, {"system.memory.state": "used"}


def _swap() -> Iterator[Value]:
    swap = psutil.swap_memory()
    if swap.total:
        yield swap.used / swap.total, {"system.paging.state": "used"}


def _filesystems() -> Iterator[Value]:
    """As `df` has it: of what this user could use."""
    seen = set()
    for partition in psutil.disk_partitions(all=False):
        if partition.fstype in _NO_FILES or partition.device in seen:
            continue
        seen.add(partition.device)
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:  # an empty drive
            continue
        if usage.used + usage.free:
            yield usage.used / (usage.used + usage.free), {"system.filesystem.mountpoint": partition.mountpoint}
    if not seen:  # in a container the root is an overlay
        usage = psutil.disk_usage("/")
        yield usage.used / (usage.used + usage.free), {"system.filesystem.mountpoint": "/"}


def _network(sent: str, received: str) -> Iterator[Value]:
    for interface, counted in psutil.net_io_counters(pernic=True).items():
        for field, direction in ((sent, "transmit"), (received, "receive")):
            named = {"network.interface.name": interface, "network.io.direction": direction}
            yield float(getattr(counted, field)), named


def _load() -> Iterator[Value]:
    yield psutil.getloadavg()[0], {}
