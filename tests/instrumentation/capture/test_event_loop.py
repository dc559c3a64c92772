from __future__ import annotations

import asyncio
import time

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from instrumentation.capture.event_loop import EventLoopPulse
from instrumentation.capture.system import capture_system


def _values(reader: InMemoryMetricReader) -> dict[str, float]:
    data = reader.get_metrics_data()
    if data is None:
        return {}
    metrics = [metric for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics]
    return {metric.name: next(iter(metric.data.data_points)).value for metric in metrics}  # type: ignore[union-attr]


def test_a_hung_loop_is_told_by_its_heartbeat_and_a_late_one_by_its_lag() -> None:
    """Asked from another thread while the loop hangs, and after it went on."""
    reader = InMemoryMetricReader()
    pulse = EventLoopPulse(MeterProvider([reader]))
    assert _values(reader) == {}

    async def main() -> tuple[dict[str, float], dict[str, float]]:
        pulse.watch(asyncio.get_running_loop())
        pulse.watch(asyncio.get_running_loop())
        await asyncio.sleep(0)
        asked = asyncio.get_running_loop().run_in_executor(None, lambda: (time.sleep(0.9), _values(reader))[1])
        await asyncio.sleep(0.01)
        time.sleep(1.2)  # noqa: ASYNC251  # it hangs
        while_hung = await asked
        await asyncio.sleep(0.05)
        return while_hung, _values(reader)

    while_hung, after = asyncio.run(main())
    assert while_hung["process.event_loop.heartbeat.age"] > 0.7
    assert while_hung["process.event_loop.lag"] > 0.2
    assert after["process.event_loop.lag"] > 0.5
    assert after["process.event_loop.heartbeat.age"] < 0.7
    assert _values(reader) == {}  # the loop is closed


def test_host_and_process_are_measured_by_the_conventions() -> None:
    """Shares lie between 0 and 1; the disk is there; what this system can't tell is left out."""
    reader = InMemoryMetricReader()
    capture_system(MeterProvider([reader]))
    _values(reader)
    sum(number * number for number in range(10**6))
    values = _values(reader)
    for name in ("system.cpu.utilization", "system.memory.utilization", "system.filesystem.utilization"):
        assert 0 <= values[name] <= 1
    assert values["process.memory.usage"] > 1 << 20
    assert values["process.thread.count"] >= 1
    assert values["process.cpu.utilization"] > 0
    assert values["process.uptime"] > 0
