"""Forecourt's own numbers, for Prometheus; the Collector's names where it has one."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import psutil
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerting.channels.labels import label_name
from collector.admission import Admission
from collector.judge import Judge
from collector.notifier import Notifier
from collector.signals import SIGNALS, Signal
from processors.evaluation import Evaluation
from storage import StateError, StoreStatistics
from storage.exporter_rows import ExporterRow, lag_seconds

_log = logging.getLogger(__name__)

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Telemetry:
    """Counted on the event loop, read when somebody scrapes."""

    def __init__(
        self,
        admission: Admission,
        statistics: Callable[[], StoreStatistics],
        judge: Judge,
        notifier: Notifier,
        exporters: Callable[[], Sequence[ExporterRow]] = tuple,
    ) -> None:
        self._registry = CollectorRegistry()
        self._accepted = {signal.name: self._records("accepted", "acknowledged", signal) for signal in SIGNALS}
        self._refused = {signal.name: self._records("refused", "refused for good", signal) for signal in SIGNALS}
        self.decode_seconds = Histogram(
            "forecourt_decode_seconds",
            "Time to decode and flatten a request",
            ["signal"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.commit_seconds = Histogram(
            "forecourt_store_commit_seconds",
            "Time to write and sync a group of requests",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._received = Counter(
            "forecourt_received_bytes",
            "Bytes of decompressed request bodies",
            ["signal", "transport"],
            registry=self._registry,
        )
        self._refusals = Counter(
            "forecourt_refused_requests",
            "Requests that were not acknowledged",
            ["transport", "reason"],
            registry=self._registry,
        )
        self._acknowledged = 0
        self._registry.register(_State(admission, statistics, lambda: self._acknowledged))
        self._registry.register(_Judging(judge))
        self._registry.register(_Notifying(notifier))
        self._registry.register(_Exporting(exporters))

    def _records(self, outcome: str, meaning: str, signal: Signal) -> Counter:
        counter = Counter(
            f"otelcol_receiver_{outcome}_{signal.records}",
            f"{signal.records.replace('_', ' ').capitalize()} that were {meaning}",
            ["receiver", "transport"],
            registry=self._registry,
        )
        for transport in ("grpc", "http"):
            counter.labels("otlp", transport)  # shown as 0 before the first, so that a rate can be told
        return counter

    def accepted(self, signal: Signal, transport: str, *, body_bytes: int, records: int, rejected: int) -> None:
        self._accepted[signal.name].labels("otlp", transport).inc(records)
        self._refused[signal.name].labels("otlp", transport).inc(rejected)
        self._received.labels(signal.name, transport).inc(body_bytes)
        self._acknowledged += records

    def refused(self, transport: str, reason: str) -> None:
        self._refusals.labels(transport, reason).inc()

    def exposition(self) -> bytes:
        return generate_latest(self._registry)


class _State(Collector):
    """What others count and a scrape looks up."""

    def __init__(
        self, admission: Admission, statistics: Callable[[], StoreStatistics], acknowledged: Callable[[], int]
    ) -> None:
        self._admission = admission
        self._statistics = statistics
        self._acknowledged = acknowledged
        self._process = psutil.Process(os.getpid())
        self._started = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        # First what was acknowledged, then what is on disk: the other way round a request between looks lost.
        acknowledged = self._acknowledged()
        store = self._statistics()
        yield from self._of_the_process()
        yield _gauge("forecourt_in_flight_bytes", "Bytes that requests in flight hold", self._admission.in_flight_bytes)
        yield _gauge("forecourt_in_flight_limit_bytes", "Beyond it clients must retry", self._admission.limit_bytes)
        yield _gauge("forecourt_store_queue_bytes", "Bytes that wait to be written", store.queue_bytes)
        yield _counter("forecourt_store_write_failures", "Groups that the disk refused", store.write_failures)
        yield _counter("forecourt_store_abandoned_segments", "Segments left after a fault", store.abandoned_segments)
        yield _counter("forecourt_store_torn_tails", "Segments mended at start", store.torn_tails)
        lost = max(0, acknowledged - sum(store.written_records.get(signal.name, 0) for signal in SIGNALS))
        yield _counter("forecourt_dropped_records", "Records acknowledged and not on disk; must stay 0", lost)
        written = CounterMetricFamily("forecourt_store_written_bytes", "Bytes of records on disk", labels=["stream"])
        size = GaugeMetricFamily("forecourt_segment_bytes", "Size of the open segment", labels=["stream"])
        for stream, count in store.written_bytes.items():
            written.add_metric([stream], count)
            size.add_metric([stream], store.segment_bytes[stream])
        yield written
        yield size

    def _of_the_process(self) -> Iterator[Metric]:
        with self._process.oneshot():
            times = self._process.cpu_times()
            memory = self._process.memory_info().rss
        yield _counter("otelcol_process_uptime_seconds", "Uptime of the process", time.monotonic() - self._started)
        yield _counter("otelcol_process_cpu_seconds", "CPU user and system time", times.user + times.system)
        yield _gauge("otelcol_process_memory_rss_bytes", "Resident set size", memory)


class _Judging(Collector):
    """How the judge keeps up, and what it could not take as it came."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def collect(self) -> Iterator[Metric]:
        judge, judgement = self._judge, self._judge.judgement
        yield _gauge(
            "forecourt_judge_lag_seconds", "Age of the last judged record while others wait", judge.lag_seconds()
        )
        yield _counter("forecourt_judged_records", "Records that were judged", judge.judged_records)
        yield _counter("forecourt_judge_failed_records", "Records that judging stumbled over", judge.failed_records)
        yield _counter("forecourt_judge_queue_drops", "Times that the judge went on from the files", judge.drops)
        yield _counter("forecourt_late_records", "Records too late for their windows", judgement.late_records)
        yield _counter("forecourt_repeated_records", "Records that a client sent again", judgement.repeated_records)
        overflowed = judgement.overflowed_samples
        yield _counter("forecourt_overflowed_samples", "Samples of keys that there was no room for", overflowed)
        evicted = judgement.judges.security.evicted
        yield _counter(
            "forecourt_security_evicted_keys", "Addresses and users that security forgot for want of room", evicted
        )
        yield _rule_values(judgement.evaluations)
        skew = GaugeMetricFamily(
            "forecourt_clock_skew_seconds", "How far a service's clock is ahead", labels=["service"]
        )
        for service, seconds in judgement.skewed_clocks().items():
            skew.add_metric([service], seconds)
        yield skew


def _rule_values(evaluations: Iterable[Evaluation]) -> Metric:
    """What `forecourt rules export` asks for."""
    values = Metric("forecourt_rule_value", "What each rule measured at the last tick, in base units", "gauge")
    for one in evaluations:
        if one.value is not None:
            labels = {label_name(name): value for name, value in one.key}
            values.add_sample("forecourt_rule_value", {**labels, "rule": one.rule}, one.value)
    return values


class _Notifying(Collector):
    """What the channels took, and what waits for them; Alertmanager's names where it has them."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def collect(self) -> Iterator[Metric]:
        notifier = self._notifier
        sent = CounterMetricFamily("forecourt_notifications", "Notifications that a channel took", labels=["receiver"])
        failed = CounterMetricFamily("forecourt_notifications_failed", "Attempts that failed", labels=["receiver"])
        waiting = GaugeMetricFamily("forecourt_notifications_waiting", "On their way", labels=["receiver"])
        for receiver, count in notifier.sent.items():
            sent.add_metric([receiver], count)
            failed.add_metric([receiver], notifier.failures[receiver])
            waiting.add_metric([receiver], notifier.waiting().get(receiver, 0))
        alerts = GaugeMetricFamily("forecourt_alerts", "Alerts by status", labels=["status"])
        known = list(notifier.dispatcher.lifecycle.alerts.values())
        for status in ("pending", "firing"):
            alerts.add_metric([status], sum(alert.status == status for alert in known))
        yield from (sent, failed, waiting, alerts)


class _Exporting(Collector):
    """What was sent on, what waits, and what never will be; the Collector's names where it has them."""

    def __init__(self, rows: Callable[[], Sequence[ExporterRow]]) -> None:
        self._rows = rows

    def collect(self) -> Iterator[Metric]:
        try:
            rows = self._rows()
        except StateError as error:
            _log.warning("how exporters fare can't be told: %s", error)
            return
        now = time.time_ns()
        for signal in SIGNALS:
            own = [row for row in rows if row.stream == signal.name]
            sent = CounterMetricFamily(f"otelcol_exporter_sent_{signal.records}", "Taken by it", labels=["exporter"])
            failed = CounterMetricFamily(
                f"otelcol_exporter_send_failed_{signal.records}",
                "Rejected by it, or deleted unsent",
                labels=["exporter"],
            )
            for row in own:
                sent.add_metric([row.exporter], row.sent_records)
                failed.add_metric([row.exporter], row.rejected_records + row.dropped_records)
            yield from (sent, failed) if own else ()
        yield from _of_exporters(rows, now)


def _of_exporters(rows: Sequence[ExporterRow], now: int) -> Iterator[Metric]:
    labels = ["exporter", "signal"]
    waiting = GaugeMetricFamily("forecourt_exporter_waiting_bytes", "Records that were not sent yet", labels=labels)
    lag = GaugeMetricFamily("forecourt_exporter_lag_seconds", "How long the oldest of them waits", labels=labels)
    aside = GaugeMetricFamily("forecourt_exporter_set_aside_records", "Refused, and kept for later", labels=labels)
    failures = CounterMetricFamily("forecourt_exporter_failed_requests", "Attempts that failed", labels=labels)
    for row in rows:
        named = [row.exporter, row.stream]
        waiting.add_metric(named, row.waiting_bytes)
        lag.add_metric(named, lag_seconds(row, now))
        aside.add_metric(named, row.set_aside_records)
        failures.add_metric(named, row.failed_requests)
    yield from (waiting, lag, aside, failures) if rows else ()


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(name, meaning, value=value)
