from __future__ import annotations

import subprocess
import sys
from typing import Any

from collector.decoding import Decoder, DecodingLimits
from collector.host_metrics import HostMetrics
from collector.settings import ProcessMatch
from processors.judgement import Judgement
from processors.observation import MetricObservation
from processors.settings import ThresholdSettings


def _points(metrics: HostMetrics) -> dict[str, list[MetricObservation]]:
    decoder = Decoder(redactor=None, limits=DecodingLimits())
    projection = Judgement(ThresholdSettings()).projection
    found: dict[str, list[MetricObservation]] = {}
    body = metrics.request()
    for batch in decoder.decode_metrics(body, projection, encoding="protobuf", received_unix_nano=1):
        for observation in batch.observations:
            assert isinstance(observation, MetricObservation)
            found.setdefault(observation.name, []).append(observation)
    return found


def _value(observations: list[MetricObservation], **attributes: str) -> Any:
    (found,) = [one for one in observations if dict(one.attributes) | attributes == dict(one.attributes)]
    return found.point["value"]


def test_the_host_is_described_as_the_conventions_have_it() -> None:
    """Shares are between 0 and 1, and the sidecar is who tells."""
    metrics = HostMetrics()
    sum(number * number for number in range(2_000_000))
    found = _points(metrics)
    assert {one.service for ones in found.values() for one in ones} == {"forecourt"}
    shares = {one.attributes["cpu.mode"]: one.point["value"] for one in found["system.cpu.utilization"]}
    assert abs(sum(shares.values()) - 1) < 0.01
    assert shares["user"] > 0
    assert 0 < _value(found["system.memory.utilization"], **{"system.memory.state": "used"}) < 1
    assert all(0 <= one.point["value"] <= 1 for one in found["system.filesystem.utilization"])
    assert found["system.network.io"][0].monotonic


def test_named_processes_are_counted_and_their_restarts_too() -> None:
    """By words of their command line."""
    command = [sys.executable, "-c", "import time; time.sleep(60)  # forecourt-test-scheduler"]
    metrics = HostMetrics([ProcessMatch(name="scheduler", command="forecourt-test-scheduler")])

    def counted() -> tuple[float, float]:
        found = _raw(metrics)
        return found["forecourt.process.count"], found["forecourt.process.restarts"]

    assert counted() == (0, 0)
    first = subprocess.Popen(command)
    assert counted() == (1, 0)
    first.kill()
    first.wait()
    assert counted() == (0, 0)
    second = subprocess.Popen(command)
    assert counted() == (1, 1)
    assert _raw(metrics)["forecourt.process.memory.usage"] > 1_000_000
    second.kill()
    second.wait()


def _raw(metrics: HostMetrics) -> dict[str, float]:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (  # noqa: PLC0415  # only here
        ExportMetricsServiceRequest,
    )

    request = ExportMetricsServiceRequest.FromString(metrics.request())
    return {
        metric.name: metric.gauge.data_points[0].as_double
        for metric in request.resource_metrics[0].scope_metrics[0].metrics
        if metric.name.startswith("forecourt.process.")
    }
