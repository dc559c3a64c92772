from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from instrumentation.export.pipeline import Pipeline


class PipelineMetricExporter(MetricExporter):
    """Data points as OTLP, redacted, with histograms in base-2 exponential buckets; hands them to the delivery."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()})
        self._pipeline = pipeline

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> MetricExportResult:  # noqa: ARG002  # the SDK's signature
        request = encode_metrics(metrics_data)
        for resource_metrics in request.resource_metrics:
            # After a fork this process is another instance than the one that made the provider.
            resource_metrics.resource.ParseFromString(self._pipeline.resource_bytes)
            for scope_metrics in resource_metrics.scope_metrics:
                for metric in scope_metrics.metrics:
                    self._redact(metric)
        if request.resource_metrics:
            self._pipeline.delivery.send("metrics", request.SerializeToString())
        return MetricExportResult.SUCCESS

    def _redact(self, metric: Metric) -> None:
        for point in getattr(metric, metric.WhichOneof("data") or "gauge").data_points:
            self._redact_each(point.attributes)
            for exemplar in point.exemplars:
                self._redact_each(exemplar.filtered_attributes)

    def _redact_each(self, attributes: Iterable[KeyValue]) -> None:
        for attribute in attributes:
            if attribute.value.HasField("string_value"):
                redacted = self._pipeline.attributes.value(attribute.value.string_value, attribute.key)
                attribute.value.string_value = redacted

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002  # the SDK's signature
        return True  # handed on; whoever wants it delivered flushes the pipeline

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """The pipeline is shut down by its owner, after the last data points came."""


class ForkingMetricReader(PeriodicExportingMetricReader):
    """A fork waits until no collection is under way: the SDK's locks would stay locked in the child for ever."""

    def __init__(self, exporter: MetricExporter, *, export_interval_millis: float) -> None:
        self._collecting = threading.RLock()
        if hasattr(os, "register_at_fork"):
            release = self._collecting.release
            os.register_at_fork(before=self._collecting.acquire, after_in_parent=release, after_in_child=release)
        super().__init__(exporter, export_interval_millis=export_interval_millis)

    def collect(self, timeout_millis: float = 10_000) -> None:  # type: ignore[misc]  # final, but there is no other place
        with self._collecting:
            super().collect(timeout_millis)
