"""Providers that the app has set up itself, by code or by a declarative file: reused, and what leaves is redacted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.support.sidecar import UntracedSidecar

FOREIGN = """
import json, logging, sys
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, logs, points = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()
tracers, loggers, meters = TracerProvider(), LoggerProvider(), MeterProvider([points])
tracers.add_span_processor(SimpleSpanProcessor(spans))
loggers.add_log_record_processor(BatchLogRecordProcessor(logs))
trace.set_tracer_provider(tracers); _logs.set_logger_provider(loggers); metrics.set_meter_provider(meters)

from fastapi import FastAPI
from starlette.testclient import TestClient
from instrumentation import event, instrument
app = FastAPI()

@app.get("/orders/{number}")
def order(number: int) -> int:
    logging.getLogger("orders").warning("order, password=%s", "hunter22")
    with trace.get_tracer("app").start_as_current_span("mail to bob@example.com") as span:
        span.set_attribute("token", "hunter22")
        span.add_event("sent", {"password": "hunter22"})
    event("auth.login", username="bob@example.com")
    return number

instrument(app)
instrument(app)
assert trace.get_tracer_provider() is tracers
assert TestClient(app).get("/orders/7", headers={"Authorization": "Bearer hunter22"}).status_code == 200
loggers.force_flush()
print(json.dumps({
    "spans": [json.loads(span.to_json()) for span in spans.get_finished_spans()],
    "logs": [json.loads(log.log_record.to_json() if hasattr(log.log_record, "to_json") else log.to_json())
             for log in logs.get_finished_logs()],
    "metrics": [metric.name for resource in points.get_metrics_data().resource_metrics
                for scope in resource.scope_metrics for metric in scope.metrics],
}))
"""

DECLARATIVE = """
file_format: "1.0"
resource:
  attributes:
    - {name: service.name, value: declared}
tracer_provider:
  processors:
    - simple:
        exporter:
          otlp_http: {endpoint: "ENDPOINT/v1/traces"}
"""
APP = """
import logging
from fastapi import FastAPI
from starlette.testclient import TestClient
from instrumentation import instrument, shutdown
app = FastAPI()

@app.get("/orders/{number}")
def order(number: int) -> int:
    logging.getLogger("orders").warning("order %d", number)
    return number

instrument(app)
assert TestClient(app).get("/orders/7?token=hunter22").status_code == 200
shutdown()
"""


def _run(code: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder), "PATH": "", **environ}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60, check=False
    )


def test_providers_of_the_app_are_used_and_their_exporters_see_no_secret(tmp_path: Path) -> None:
    """Its spans, logs, events and metrics go where the app sends its own; nothing is sent a second time."""
    done = _run(FOREIGN, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "logs, metrics, traces through the providers that the app has set up" in done.stderr
    sent: dict[str, list[Any]] = json.loads(done.stdout)
    names = [span["name"] for span in sent["spans"]]
    assert names.count("GET /orders/{number}") == 1
    (server,) = [span for span in sent["spans"] if span["name"] == "GET /orders/{number}"]
    assert server["attributes"]["client.address"] == "testclient"
    assert {"http.server.request.duration", "process.memory.usage", "fossa.operation.count"} <= set(sent["metrics"])
    assert "hunter22" not in done.stdout
    assert "bob@example.com" not in done.stdout
    bodies = [log["body"] for log in sent["logs"]]
    assert "order, password=[REDACTED]" in bodies
    assert "fossa.auth.login success" in bodies


def test_a_declarative_file_decides_where_signals_go(tmp_path: Path) -> None:
    """OTEL_CONFIG_FILE makes the tracer provider; the signals it says nothing of go the usual way."""
    with UntracedSidecar(tmp_path / "sidecar") as sidecar:
        path = tmp_path / "otel.yaml"
        path.write_text(DECLARATIVE.replace("ENDPOINT", sidecar.url("http")))
        done = _run(APP, tmp_path, OTEL_CONFIG_FILE=str(path), OTEL_EXPORTER_OTLP_ENDPOINT=sidecar.url("http"))
        assert done.returncode == 0, done.stderr
        (server,) = list(sidecar.records("traces"))
        assert server["service"] == "declared"
        assert server["attributes"]["url.query"] == "token=[REDACTED]"
        assert [record["body"] for record in sidecar.records("logs")][-1] == "order 7"


def test_a_declarative_file_that_cannot_be_used_is_told_and_left_aside(tmp_path: Path) -> None:
    """The app starts, and sends as if there were no file."""
    with UntracedSidecar(tmp_path / "sidecar") as sidecar:
        (tmp_path / "otel.yaml").write_text("tracer_provider: [")
        done = _run(
            APP,
            tmp_path,
            OTEL_CONFIG_FILE=str(tmp_path / "otel.yaml"),
            OTEL_EXPORTER_OTLP_ENDPOINT=sidecar.url("http"),
        )
        assert done.returncode == 0, done.stderr
        assert "otel.yaml can't be used, so the defaults are" in done.stderr
        assert len(list(sidecar.records("traces"))) == 1


def test_turned_off_altogether_it_does_nothing(tmp_path: Path) -> None:
    """OTEL_SDK_DISABLED is the standard switch."""
    done = _run(
        APP + "\nprint(type(__import__('opentelemetry.trace').trace.get_tracer_provider()).__name__)",
        tmp_path,
        OTEL_SDK_DISABLED="true",
    )
    assert (done.returncode, done.stdout) == (0, "ProxyTracerProvider\n"), done.stderr


def test_what_is_left_at_the_end_is_sent_without_being_asked(tmp_path: Path) -> None:
    """At exit, when nobody called `shutdown`."""
    with UntracedSidecar(tmp_path / "sidecar") as sidecar:
        endpoint = sidecar.url("http")
        done = _run(APP.replace("shutdown()", ""), tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
        assert done.returncode == 0, done.stderr
        assert len(list(sidecar.records("traces"))) == 1
        assert "process.memory.usage" in {point["name"] for point in sidecar.records("metrics")}


def test_a_spool_that_cannot_be_written_costs_nothing_but_the_spool(tmp_path: Path) -> None:
    """It is told, and what can be sent is."""
    (tmp_path / "file").write_text("")
    with UntracedSidecar(tmp_path / "sidecar") as sidecar:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sidecar.url("http"), "FORECOURT_SPOOL": str(tmp_path / "file" / "x")}
        done = _run(APP, tmp_path, **settings)
        assert done.returncode == 0, done.stderr
        assert "can't be written, so what can't be sent waits in memory" in done.stderr
        assert len(list(sidecar.records("traces"))) == 1


def test_routes_named_as_exports_are_events(tmp_path: Path) -> None:
    """Attachment or not."""
    with UntracedSidecar(tmp_path / "sidecar") as sidecar:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sidecar.url("http"), "FORECOURT_EXPORTS": "/orders/{number}"}
        done = _run(APP, tmp_path, **settings)
        assert done.returncode == 0, done.stderr
        names = [record.get("event_name") for record in sidecar.records("logs")]
        assert names.count("fossa.data.export") == 1


def test_after_shutdown_nothing_is_taken_and_nothing_raises(tmp_path: Path) -> None:
    """Requests are answered, loggers log, and a second start is refused with a line."""
    again = """
from instrumentation import event, track
assert TestClient(app).get("/orders/8").status_code == 200
with track("late"):
    event("late")
instrument(app)
shutdown()
"""
    with UntracedSidecar(tmp_path / "sidecar") as sidecar:
        done = _run(APP + again, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=sidecar.url("http"))
        assert done.returncode == 0, done.stderr
        assert "can't be started again" in done.stderr
        assert len(list(sidecar.records("traces"))) == 1


def test_parts_are_turned_off_by_name(tmp_path: Path) -> None:
    """What is off is told, and sends nothing."""
    with UntracedSidecar(tmp_path / "sidecar") as sidecar:
        code = APP.replace("instrument(app)", "instrument(app, disabled=['logs', 'system', 'metrics'])")
        done = _run(code, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=sidecar.url("http"))
        assert done.returncode == 0, done.stderr
        assert "logs (turned off)" in done.stderr
        assert [list(sidecar.records(stream)) for stream in ("logs", "metrics")] == [[], []]
        assert len(list(sidecar.records("traces"))) == 1


def test_an_app_that_is_none_is_told_and_goes_on(tmp_path: Path) -> None:
    """No exception of ours reaches anybody."""
    code = "from instrumentation import instrument, shutdown\ninstrument(object())\nprint('on')\nshutdown()"
    done = _run(code, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert "server (object is no FastAPI app)" in done.stderr


FORK = """
import os, signal, threading, time
from fastapi import FastAPI
from opentelemetry import metrics
from opentelemetry.sdk.metrics._internal.metric_reader_storage import MetricReaderStorage
from instrumentation import instrument

collecting, collect = threading.Event(), MetricReaderStorage.collect

def slow(self):
    with self._lock:  # as it is for a moment in each collection
        collecting.set()
        time.sleep(0.5)
        return collect(self)

MetricReaderStorage.collect = slow
instrument(FastAPI())
collecting.wait(20)
child = os.fork()
if child == 0:
    signal.alarm(10)
    metrics.get_meter("app").create_counter("orders").add(1)
    os._exit(0)
print("child ended with", os.waitpid(child, 0)[1])
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_in_the_middle_of_a_collection_leaves_the_child_able_to_measure(tmp_path: Path) -> None:
    """gunicorn --preload forks whenever it likes; a lock that is held then would never be let go."""
    (tmp_path / "app.py").write_text(FORK)
    environment = {**os.environ, "OTEL_METRIC_EXPORT_INTERVAL": "100", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", tmp_path / "app.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "child ended with 0\n"
