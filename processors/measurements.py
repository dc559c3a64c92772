"""Metric points as what rules measure: gauges as they are, counters by what they grew, shares of hosts and pools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from processors.cumulative import Deltas
from processors.histogram import Histogram
from processors.observation import MetricObservation
from processors.presence import HEARTBEAT_METRIC
from processors.rules import METRIC_PREFIX

HTTP_METRICS = {"http.server.request.duration": 1.0, "http.server.duration": 0.001}
"""Names in the stable and the old conventions, and what turns a value into seconds."""
_POOL_USED = frozenset({"db.client.connection.count", "db.client.connections.usage"})
_POOL_MAX = frozenset({"db.client.connection.max", "db.client.connections.max"})
POOL_METRICS = _POOL_USED | _POOL_MAX
HOST_METRICS = {
    "host.cpu": "system.cpu.utilization",
    "host.memory": "system.memory.utilization",
    "host.disk": "system.filesystem.utilization",
}
"""Indicators and the metrics that they are made of."""
METRICS = frozenset({*HTTP_METRICS, *POOL_METRICS, *HOST_METRICS.values(), HEARTBEAT_METRIC})
"""Metrics that are looked at whatever the rules ask for."""
POINT_KEYS = frozenset(
    {
        "cpu.mode",
        "db.client.connection.pool.name",
        "db.client.connection.state",
        "error.type",
        "http.method",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "http.status_code",
        "pool.name",
        "state",
        "system.filesystem.mountpoint",
        "system.filesystem.state",
        "system.memory.state",
    },
)
"""The attributes of points that are looked at here."""
_MAX_POOLS = 1000


class Measured(NamedTuple):
    """A sample of an indicator, or of the metric itself."""

    indicator: str
    labels: Mapping[str, Any]
    value: float | Histogram


class Measurements:
    """Knows the last points of counters and the size of each pool."""

    def __init__(self, max_series: int) -> None:
        self.deltas = Deltas(max_series)
        self._pools: dict[tuple[str, str, str], float] = {}

    def read(self, point: MetricObservation) -> Iterator[Measured]:
        """What the point tells; nothing where that would take the point before it."""
        if not point.point:
            return
        labels = {**point.resource, **point.attributes, "service.name": point.service}
        value = self._value(point)
        if value is None:
            return
        yield Measured(f"{METRIC_PREFIX}{point.name}", labels, value)
        if isinstance(value, float):
            yield from self._known(point, labels, value)

    def _value(self, point: MetricObservation) -> float | Histogram | None:
        if point.type in {"histogram", "exponential_histogram"}:
            values = self.deltas.histogram(point)
            return values if values is not None and values.count else None
        if point.type == "sum" and point.monotonic:
            return self.deltas.number(point)
        value = point.point.get("value")
        return float(value) if isinstance(value, int | float) else None

    def _known(self, point: MetricObservation, labels: Mapping[str, Any], value: float) -> Iterator[Measured]:
        attributes = point.attributes
        if point.name == "system.cpu.utilization":
            if attributes.get("cpu.mode", attributes.get("state")) == "idle":
                yield Measured("host.cpu", labels, 1.0 - value)
        elif point.name == "system.memory.utilization":
            if attributes.get("system.memory.state", attributes.get("state")) == "used":
                yield Measured("host.memory", labels, value)
        elif point.name == "system.filesystem.utilization":
            if attributes.get("system.filesystem.state", attributes.get("state", "used")) == "used":
                yield Measured("host.disk", labels, value)
        elif point.name in POOL_METRICS:
            yield from self._pool(point, labels, value)

    def _pool(self, point: MetricObservation, labels: Mapping[str, Any], value: float) -> Iterator[Measured]:
        attributes = point.attributes
        name = str(attributes.get("db.client.connection.pool.name", attributes.get("pool.name", "")))
        pool = (point.service, str(point.resource.get("service.instance.id", "")), name)
        if point.name in _POOL_MAX:
            if pool in self._pools or len(self._pools) < _MAX_POOLS:
                self._pools[pool] = value
        elif attributes.get("db.client.connection.state", attributes.get("state")) == "used":
            largest = self._pools.get(pool, 0.0)
            if largest > 0:
                named = {**labels, "db.client.connection.pool.name": name}
                yield Measured("db.pool.utilization", named, value / largest)

    def to_state(self) -> Any:
        return {"deltas": self.deltas.to_state(), "pools": [[pool, size] for pool, size in self._pools.items()]}

    def restore(self, content: Mapping[str, Any]) -> None:
        self.deltas.restore(content["deltas"])
        self._pools = {tuple(pool): size for pool, size in content["pools"]}
