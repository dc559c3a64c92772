"""What is received goes on to other receivers: the same, to each of them, whatever they answer."""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from operations.cli import main
from tests.conftest import ROOT
from tests.support.hostile_receiver import http_answer, http_half, http_hang, scripted_http
from tests.support.otlp import PROTOBUF, span_id, trace_request
from tests.support.sidecar import Sidecar, unused_port

pytestmark = pytest.mark.untraced

RECORDED = ROOT / "tests" / "data" / "otlp" / "clean"
SIGNALS = ("traces", "metrics", "logs")
OWN_FIELDS = {"received_unix_nano", "batch_id", "batch_index", "timestamp"}
"""Of the one that received it; `timestamp` is that of arrival where none was sent."""


def alike(records: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How often each record is there, apart from when and with what it came."""
    return Counter(
        orjson.dumps(
            {name: value for name, value in record.items() if name not in OWN_FIELDS}, option=orjson.OPT_SORT_KEYS
        ).decode()
        for record in records
        if record["service"] != "forecourt"  # what each measures of itself
    )


def wait_until(reached: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def pipelines(*exporters: str) -> dict[str, Any]:
    every = ["jsonl", *exporters]
    return {
        "traces": {"exporters": every},
        "metrics": {"receivers": ["otlp"], "exporters": every},
        "logs": {"exporters": every},
    }


def post(sidecar: Sidecar, signal: str, body: bytes) -> None:
    connection = sidecar.connect()
    connection.request("POST", f"/v1/{signal}", body, PROTOBUF)
    assert connection.getresponse().status == 200
    connection.close()


def exporters(sidecar: Sidecar) -> dict[str, dict[str, Any]]:
    """By stream, as `forecourt store exporters --json` tells."""
    told = CliRunner().invoke(main, ["store", "exporters", "--json", "--config", str(sidecar.configuration)])
    return {row["stream"]: row for row in json.loads(told.stdout)["exporters"]}


def test_what_arrives_is_what_was_received(tmp_path: Path) -> None:
    """Every record of a real backend, over gRPC and HTTP, compressed and not, protobuf and JSON: nothing is changed."""
    with Sidecar(tmp_path / "viewer") as viewer:
        targets = {
            "otlp/gzip": {"endpoint": viewer.endpoints["grpc"], "tls": {"insecure": True}},
            "otlp_http/plain": {"endpoint": viewer.url("http"), "compression": "none"},
            "otlphttp/json": {"endpoint": viewer.url("http"), "compression": "zstd", "encoding": "json"},
        }
        settings = {"exporters": targets, "service": {"pipelines": pipelines(*targets)}}
        with Sidecar(tmp_path / "own", settings) as own:
            for signal in SIGNALS:
                for path in sorted((RECORDED / signal).glob("*.pb")):
                    post(own, signal, path.read_bytes())
            sent = {signal: alike(own.records(signal)) for signal in SIGNALS}
            expected = {signal: 3 * sent[signal].total() for signal in SIGNALS}
            wait_until(lambda: {signal: alike(whole(viewer, signal)).total() for signal in SIGNALS} == expected)
        for signal in SIGNALS:
            assert sent[signal]
            assert alike(viewer.records(signal)) == Counter({record: 3 * n for record, n in sent[signal].items()})


def whole(sidecar: Sidecar, stream: str) -> Iterable[dict[str, Any]]:
    """Without a last line that is being written."""
    for path in sorted((sidecar.logs / stream).glob("*.jsonl")):
        yield from (json.loads(line) for line in path.read_bytes().split(b"\n")[:-1])


def test_whatever_a_target_answers_nothing_is_missing(tmp_path: Path) -> None:
    """Overload with a wait, half an answer, none at all, a refusal of the whole: in the end it has every span once."""
    behaviours = [http_answer(429, headers={"Retry-After": "1"}), http_half(), http_hang(), http_answer(400)]
    with scripted_http(behaviours) as server:
        exporter = {
            "endpoint": server.url,
            "timeout": "500ms",
            "retry_on_failure": {"initial_interval": "50ms", "max_interval": "100ms"},
        }
        settings = {
            "exporters": {"otlp_http/odd": exporter},
            "service": {"pipelines": {"traces": {"exporters": ["jsonl", "otlp_http/odd"]}}},
        }
        with Sidecar(tmp_path, settings) as own:
            began = time.monotonic()
            post(own, "traces", trace_request(range(200)))
            wait_until(lambda: sum(len(spans(taken.body)) for taken in server.taken) >= 200)
            assert time.monotonic() - began > 1.0
            assert sorted(span for taken in server.taken for span in spans(taken.body)) == sorted(
                span_id(number) for number in range(200)
            )
            wait_until(lambda: exporters(own)["traces"]["sent_records"] == 200)
            row = exporters(own)["traces"]
    assert (row["failed_requests"], row["set_aside_records"], row["dropped_records"]) == (4, 0, 0)
    assert row["problem"].endswith("answered 400")


def spans(body: bytes) -> list[str]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span.span_id.hex() for one in request.resource_spans for two in one.scope_spans for span in two.spans]


def test_a_configuration_that_can_not_be_used_costs_an_exporter_nothing(tmp_path: Path) -> None:
    """It names another exporter, and a port that is taken: what the first one had not sent is sent all the same."""
    away = unused_port()
    exporter = {"endpoint": f"http://127.0.0.1:{away}", "retry_on_failure": {"max_interval": "100ms"}}
    traces = {"traces": {"exporters": ["jsonl", "otlp_http/one"]}}
    settings = {"exporters": {"otlp_http/one": exporter}, "service": {"pipelines": traces}}
    with Sidecar(tmp_path, settings) as own, socket.create_server(("127.0.0.1", 0)) as taken:
        post(own, "traces", trace_request(range(20)))
        wait_until(lambda: exporters(own)["traces"]["waiting_bytes"])
        content = yaml.safe_load(own.configuration.read_text().replace("otlp_http/one", "otlp_http/two"))
        content["service"]["telemetry"]["metrics"]["endpoint"] = f"127.0.0.1:{taken.getsockname()[1]}"
        own.configuration.write_text(yaml.safe_dump(content))
        told = CliRunner().invoke(main, ["collector", "reload", "--logs", str(own.logs)])
        assert (told.exit_code, "The last configuration is in use again" in told.output) == (1, True)
        with scripted_http(port=away) as server:
            wait_until(lambda: sum(len(spans(one.body)) for one in server.taken) >= 20)
            assert {span for one in server.taken for span in spans(one.body)} == {span_id(n) for n in range(20)}
