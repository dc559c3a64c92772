"""Reading observations: what each means for derived streams, windows and rollups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from processors.clocks import Clocks
from processors.derived import OWN_SERVICE, DerivedLines
from processors.errors import LOG_KEYS as ERROR_LOG_KEYS
from processors.errors import SEVERITY_ERROR, Errors
from processors.errors import SPAN_KEYS as ERROR_SPAN_KEYS
from processors.event_mapping import EventMappings
from processors.events import Event, event_of_log, event_of_span
from processors.histogram import Histogram
from processors.http_request import SPAN_KEYS as REQUEST_KEYS
from processors.http_request import (
    HttpRequest,
    answered,
    is_client_error,
    is_failure,
    labels_of,
    performance_fields,
    read_request,
    was_left,
)
from processors.indicators import indicator_of_event
from processors.matchers import parse_matchers
from processors.measurements import HTTP_METRICS, METRICS, POINT_KEYS, Measured, Measurements
from processors.observation import (
    LogObservation,
    MetricObservation,
    Observation,
    ProbeObservation,
    Projection,
    SpanObservation,
)
from processors.presence import HEARTBEAT_METRIC, IMPORTED, RESOURCE_KEYS, STOPPED_EVENT, Presence
from processors.probes import Probes
from processors.rules import METRIC_PREFIX, Rule
from processors.sampler import Sampler
from processors.security.judging import SecurityJudging
from processors.security.sighting import REFUSED, refusal, sighting

_SAMPLING_NANO = 600_000_000_000
"""How long a service counts as sampling after its last span that says so."""
_MAX_SAMPLED = 1000
_LABEL_LENGTH = 256
_QUERY_KEYS = frozenset(
    {"db.namespace", "db.operation", "db.operation.name", "db.query.summary", "db.system", "db.system.name"}
)
_EVENT_KEYS = frozenset({"event.name", "event.outcome", "user.id"})
_REQUEST = ("service.name", "http.request.method", "http.route")
_QUERY = ("service.name", "db.system.name", "db.query.summary")
_EVENT = ("service.name", "event.name")
_SERVICE = ("service.name",)
_TARGET = ("target",)
_HOST_INDICATORS = {
    "host.cpu": ("host.name",),
    "host.memory": ("host.name",),
    "host.disk": ("host.name", "system.filesystem.mountpoint"),
    "db.pool.utilization": ("service.name", "db.client.connection.pool.name"),
}
"""Gauges that are rolled up, and by which labels."""


class Reading:
    """What it learns goes into the parts that it was given; without lines nothing is derived."""

    def __init__(
        self,
        sampler: Sampler,
        lines: DerivedLines | None,
        max_series: int,
        mappings: EventMappings,
        security: SecurityJudging,
    ) -> None:
        self._sampler = sampler
        self._lines = lines
        self.clocks = Clocks()
        self.presence = Presence(sampler.lateness_nano)
        self.probes = Probes()
        self.errors = Errors()
        self.measurements = Measurements(max_series)
        self._imported_measurements = Measurements(max_series)
        """Of files that are taken in: their counters have other last points than those of the app that runs."""
        self._mappings = mappings
        self._security = security
        self._sampled: dict[str, int] = {}
        self._span_numbers = [name for name in sampler.wanted("span.") if name != "span.duration"]
        self._log_numbers = sampler.wanted("log.")
        self._all_spans = sampler.wants("spans") or sampler.wants("span.duration") or bool(self._span_numbers)
        self._requests = sampler.takes("http.server.response_time", *_OUTCOMES)
        self._queries = sampler.takes("db.query.response_time", "db.query.errors")
        self._all_logs = sampler.wants("logs") or bool(self._log_numbers)
        self._read: dict[type, Callable[[Any], None]] = {
            SpanObservation: self._span,
            LogObservation: self._log,
            MetricObservation: self._metric,
            ProbeObservation: self._probe,
        }

    def observe(self, observation: Observation) -> None:
        self._read[type(observation)](observation)

    def _span(self, span: SpanObservation) -> None:
        ended = span.end_unix_nano or span.start_unix_nano or span.received_unix_nano
        if span.resource.get(IMPORTED) is True:
            self._imported_span(span, ended)
            return
        self.presence.seen(span.service, span.resource, ended, span.received_unix_nano)
        time = self.clocks.corrected(span.service, ended, span.received_unix_nano)
        late = self._sampler.is_late(time, span.received_unix_nano)
        request = read_request(span)
        if request is not None:
            self._request(span, request, time, late=late)
        elif self._queries and span.kind == "CLIENT":
            self._query(span, time, late=late)
        if span.status == "ERROR" and not (request and was_left(span, request)):
            self._error(span, ended)
        if (event := event_of_span(span)) is not None:
            self._event(span, event, time, late=late)
        if self._all_spans and not late:
            self._any_span(span, time)

    def _error(self, span: SpanObservation, ended: int) -> None:
        if self._lines and (fields := self.errors.of_span(span)) is not None:
            self._lines.of(span, "errors", ended, fields)

    def _imported_span(self, span: SpanObservation, ended: int) -> None:
        """As `_imported`, of a log record."""
        request = read_request(span)
        if request is not None:
            self._request(span, request, ended, late=True)
        elif self._queries and span.kind == "CLIENT":
            self._query(span, ended, late=True)
        if span.status == "ERROR" and not (request and was_left(span, request)):
            self._error(span, ended)
        if (event := event_of_span(span)) is not None:
            self._imported_event(span, event, ended)

    def _request(self, span: SpanObservation, request: HttpRequest, time: int, *, late: bool) -> None:
        if self._lines:
            self._lines.of(span, "performance", span.end_unix_nano or time, performance_fields(span, request))
        known = span.service in self._sampled or len(self._sampled) < _MAX_SAMPLED
        if request.sampled and known and span.resource.get(IMPORTED) is not True:
            self._sampled[span.service] = span.received_unix_nano
        if request.status_code in REFUSED and self._security.wants_refusals and not late:
            self._security.take(refusal(labels_of(span, request), time, span.trace_id))
        if not self._requests or self._is_sampled(span.service, span.received_unix_nano):
            return  # nobody asks, or its histogram of durations knows all of them
        key = (span.service, request.method, request.route)
        self._sampler.roll_up("http.server.response_time", _REQUEST, key, request.seconds, time, errors=request.failed)
        if late:
            return
        labels = labels_of(span, request)
        take, trace_id = self._sampler.take, span.trace_id
        take("http.server.response_time", labels, request.seconds, time, trace_id)
        for indicator, failed in _outcomes(request.status_code):
            take(indicator, labels, failed, time, trace_id)

    def _is_sampled(self, service: str, now: int) -> bool:
        return bool(self._sampled) and now - self._sampled.get(service, -_SAMPLING_NANO) < _SAMPLING_NANO

    def _query(self, span: SpanObservation, time: int, *, late: bool) -> None:
        attributes = span.attributes
        system = attributes.get("db.system.name") or attributes.get("db.system")
        if not system or span.name == "connect":  # opening a connection is no query
            return
        seconds = max(0, span.end_unix_nano - span.start_unix_nano) / 1e9
        failed = span.status == "ERROR"
        summary = attributes.get("db.query.summary") or attributes.get("db.operation.name") or span.name
        key = (span.service, str(system)[:_LABEL_LENGTH], str(summary)[:_LABEL_LENGTH])
        self._sampler.roll_up("db.query.response_time", _QUERY, key, seconds, time, errors=failed)
        if not late:
            labels = {**span.resource, **attributes, **dict(zip(_QUERY, key, strict=True))}
            self._sampler.take("db.query.response_time", labels, seconds, time, span.trace_id)
            self._sampler.take("db.query.errors", labels, float(failed), time, span.trace_id)

    def _any_span(self, span: SpanObservation, time: int) -> None:
        labels = {
            **span.resource,
            **span.attributes,
            "service.name": span.service,
            "span.name": span.name,
            "span.kind": span.kind,
            "span.status": span.status,
        }
        take, trace_id = self._sampler.take, span.trace_id
        take("spans", labels, float(span.status == "ERROR"), time, trace_id)
        take("span.duration", labels, max(0, span.end_unix_nano - span.start_unix_nano) / 1e9, time, trace_id)
        self._numbers("span.", self._span_numbers, labels, time, trace_id)

    def _numbers(self, prefix: str, names: Iterable[str], labels: Mapping[str, Any], time: int, trace_id: str) -> None:
        for name in names:
            value = labels.get(name.removeprefix(prefix))
            if isinstance(value, int | float):
                self._sampler.take(name, labels, float(value), time, trace_id)

    def _log(self, log: LogObservation) -> None:
        if log.resource.get(IMPORTED) is True:
            self._imported(log)
            return
        self.presence.seen(log.service, log.resource, log.time_unix_nano, log.received_unix_nano)
        time = self.clocks.corrected(log.service, log.time_unix_nano, log.received_unix_nano)
        late = self._sampler.is_late(time, log.received_unix_nano)
        if log.severity_number >= SEVERITY_ERROR and self._lines and (fields := self.errors.of_log(log)) is not None:
            self._lines.of(log, "errors", log.time_unix_nano, fields)
        if (event := self._event_of(log)) is not None:
            self._event(log, event, time, late=late)
        if self._all_logs and not late:
            labels = {
                **log.resource,
                **log.attributes,
                "service.name": log.service,
                "severity_number": log.severity_number,
                "scope.name": log.scope,
                "event.name": log.event_name,
                "body": log.body,
            }
            self._sampler.take("logs", labels, float(log.severity_number >= SEVERITY_ERROR), time, log.trace_id)
            self._numbers("log.", self._log_numbers, labels, time, log.trace_id)

    def _event_of(self, log: LogObservation) -> Event | None:
        event = event_of_log(log)
        return self._mappings.event(log) if event is None and self._mappings else event

    def _imported(self, log: LogObservation) -> None:
        """Derived lines and rollups at its own time; no window, since nothing old may begin or end an alert."""
        if log.severity_number >= SEVERITY_ERROR and self._lines and (fields := self.errors.of_log(log)) is not None:
            self._lines.of(log, "errors", log.time_unix_nano, fields)
        if (event := self._event_of(log)) is not None:
            self._imported_event(log, event, log.time_unix_nano)

    def _imported_event(self, source: SpanObservation | LogObservation, event: Event, time: int) -> None:
        if self._lines:
            self._lines.of(source, event.stream, event.time_unix_nano, event.fields())
        if event.outcome in {"success", "failure"}:
            key = (source.service, event.name[:_LABEL_LENGTH])
            failed = event.outcome == "failure"
            self._sampler.roll_up("events", _EVENT, key, event.seconds or 0.0, time, errors=failed)

    def _event(self, source: SpanObservation | LogObservation, event: Event, time: int, *, late: bool) -> None:
        if self._lines:
            self._lines.of(source, event.stream, event.time_unix_nano, event.fields())
        if event.name == STOPPED_EVENT:
            self.presence.stopped(source.service, str(source.resource.get("service.instance.id", "")))
        named = {"service.name": source.service, "event.name": event.name, "event.outcome": event.outcome}
        labels = {**source.resource, **event.attributes, **named}
        if not late and self._security.wants(event.short_name):
            self._security.take(sighting(event.short_name, event.outcome, time, event.trace_id, labels))
        if event.outcome not in {"success", "failure"}:
            return
        failed = event.outcome == "failure"
        key = (source.service, event.name[:_LABEL_LENGTH])
        self._sampler.roll_up("events", _EVENT, key, event.seconds or 0.0, time, errors=failed)
        if indicator := indicator_of_event(event.name):
            self._sampler.take(indicator, labels, float(failed), time, event.trace_id)  # late or not: outcomes are few
        if not late:
            self._sampler.take("events", labels, float(failed), time, event.trace_id)

    def _metric(self, point: MetricObservation) -> None:
        if point.resource.get(IMPORTED) is True:
            for measured in self._imported_measurements.read(point):
                self._measured(point, measured, point.time_unix_nano, late=True)
            return
        arrived = (point.time_unix_nano, point.received_unix_nano)
        watched = point.service != OWN_SERVICE  # of whom the state database tells
        fresh = watched and self.presence.seen(point.service, point.resource, *arrived)
        if fresh:
            self.presence.exported(point.service, point.received_unix_nano)
        if not point.point:
            return
        if fresh and point.name == HEARTBEAT_METRIC:
            self.presence.beat(point.service)
        time = self.clocks.corrected(point.service, *arrived)
        late = self._sampler.is_late(time, point.received_unix_nano)
        for measured in self.measurements.read(point):
            self._measured(point, measured, time, late=late)

    def _measured(self, point: MetricObservation, measured: Measured, time: int, *, late: bool) -> None:
        indicator, labels, value = measured
        if point.name in HTTP_METRICS and isinstance(value, Histogram):
            if self._is_sampled(point.service, point.received_unix_nano):
                self._counted_requests(point, labels, _in_seconds(value, HTTP_METRICS[point.name]), time, late=late)
        elif (names := _HOST_INDICATORS.get(indicator)) is not None:
            self._sampler.roll_up(indicator, names, tuple(str(labels.get(name, "")) for name in names), value, time)
        elif self._sampler.wants(indicator):
            self._sampler.roll_up(indicator.removeprefix(METRIC_PREFIX), _SERVICE, (point.service,), value, time)
        if late:
            return
        if isinstance(value, Histogram):
            self._sampler.take_many(indicator, labels, value, time)
        else:
            self._sampler.take(indicator, labels, value, time)

    def _counted_requests(
        self, point: MetricObservation, labels: Mapping[str, Any], values: Histogram, time: int, *, late: bool
    ) -> None:
        """Requests of a service that samples its spans."""
        status = labels.get("http.response.status_code", labels.get("http.status_code", 0))
        code = answered(int(status) if str(status).isdigit() else 0, str(labels.get("error.type", "")))
        method = str(labels.get("http.request.method", labels.get("http.method", "")))
        key = (point.service, method, str(labels.get("http.route", "")))
        errors = values.count if is_failure(code) else 0
        self._sampler.roll_up("http.server.response_time", _REQUEST, key, values, time, errors=errors)
        if late:
            return
        named = {**labels, **dict(zip(_REQUEST, key, strict=True)), "http.response.status_code": code}
        self._sampler.take_many("http.server.response_time", named, values, time)
        for indicator, failed in _outcomes(code):
            outcomes = Histogram()
            outcomes.add(failed, values.count)
            self._sampler.take_many(indicator, named, outcomes, time)

    def _probe(self, probe: ProbeObservation) -> None:
        labels = {"target": probe.target, "kind": probe.kind, "service.name": probe.service}
        up = probe.state in {"up", "locked"}
        seconds = probe.latency_seconds if up else 0.0
        self._sampler.roll_up("probe.latency", _TARGET, (probe.target,), seconds, probe.time_unix_nano, errors=not up)
        for indicator, value in self.probes.read(probe):
            self._sampler.take(indicator, labels, value, probe.time_unix_nano)

    def to_state(self) -> Any:
        parts = {"sampled": self._sampled}
        for name in ("clocks", "presence", "probes", "errors", "measurements"):
            parts[name] = getattr(self, name).to_state()
        return parts

    def restore(self, content: Mapping[str, Any]) -> None:
        self._sampled = dict(content["sampled"])
        for name in ("clocks", "presence", "probes", "errors", "measurements"):
            getattr(self, name).restore(content[name])


_OUTCOMES = ("http.server.errors", "http.server.4xx", "http.server.5xx")


def _outcomes(status_code: int) -> Iterator[tuple[str, float]]:
    failed = (is_failure(status_code), is_client_error(status_code), status_code >= 500)  # noqa: PLR2004  # as in its name
    return zip(_OUTCOMES, map(float, failed), strict=True)


def _in_seconds(values: Histogram, factor: float) -> Histogram:
    if factor == 1.0:
        return values
    scaled = Histogram()
    for value, count in values:
        scaled.add(value * factor, count)
    return scaled


def projection_for(rules: Iterable[Rule], asked: Iterable[str] = (), generation: int = 0) -> Projection:
    """The attributes and metrics that these rules and the derived streams look at, and what else is asked for."""
    labels: set[str] = set(asked)
    metrics = set(METRICS)
    for rule in rules:
        settings = rule.settings
        labels.update(settings.by, parse_matchers(settings.where)[0], parse_matchers(settings.of)[0])
        labels.update(rule.source.removeprefix(kind) for kind in ("span.", "log.") if rule.source.startswith(kind))
        if settings.metric:
            metrics.add(settings.metric)
    return Projection(
        generation,
        span=REQUEST_KEYS | ERROR_SPAN_KEYS | _QUERY_KEYS | _EVENT_KEYS | labels,
        log=ERROR_LOG_KEYS | _EVENT_KEYS | labels,
        metric=POINT_KEYS | labels,
        resource=RESOURCE_KEYS | {IMPORTED} | labels,
        metrics=frozenset(metrics),
    )
