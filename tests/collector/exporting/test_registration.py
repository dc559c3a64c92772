"""Exporters made known to the store, how they fare as metrics, and all of them at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.exporting.forwarding import Forwarding
from collector.exporting.measures import ExporterMeasures
from collector.exporting.registration import forget_others, register
from collector.settings import CollectorSettings
from storage import State, exporter_rows
from storage import state as state_module
from storage.exporter_rows import ExporterRow, Outcome, lag_seconds
from storage.names import OWN_FOLDER
from storage.ranges import WHOLE, Ranges
from tests.support.hostile_receiver import grpc_hang, scripted_grpc, scripted_http
from tests.support.scripted_target import numbers_of, span

SECOND = 10**9
NOW = 1_795_435_200 * SECOND
SEGMENT = "2026-11-23T10.jsonl"
VIEWER, CLOUD = "otlp_http/viewer", "otlp_grpc/cloud"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    (tmp_path / OWN_FOLDER).mkdir()
    with closing(State.open(tmp_path / OWN_FOLDER / "state.db")) as opened:
        yield opened


def settings(exporters: dict[str, Any], **pipelines: list[str]) -> CollectorSettings:
    """The exporters of each signal's pipeline, beside the store."""
    shape = {
        signal: {"receivers": ["otlp"], "processors": ["memory_limiter"], "exporters": ["jsonl", *names]}
        for signal, names in pipelines.items()
    }
    return CollectorSettings.model_validate({"exporters": exporters, "service": {"pipelines": shape}})


def put(folder: Path, stream: str, name: str, content: bytes = b"") -> None:
    (folder / stream).mkdir(exist_ok=True)
    (folder / stream / name).write_bytes(content)


def test_exporters_are_known_by_the_pipelines_that_list_them(state: State, tmp_path: Path) -> None:
    """One that no pipeline lists is not; each begins where its settings say."""
    put(tmp_path, "traces", SEGMENT)
    put(tmp_path, "traces", "2026-11-22T10.2.jsonl.gz")
    put(tmp_path, "logs", SEGMENT)
    queue = {"start_at": "beginning", "queue_size": "1KiB"}
    exporters = {
        VIEWER: {"endpoint": "http://127.0.0.1:14318"},
        CLOUD: {"endpoint": "127.0.0.1:14317", "sending_queue": queue},
        "otlp_http/idle": {"endpoint": "http://127.0.0.1:14319"},
    }
    register(state, tmp_path, settings(exporters, traces=[VIEWER, CLOUD], logs=[VIEWER], metrics=[]))
    assert exporter_rows.rows(state) == [
        ExporterRow(CLOUD, "traces", queue_bytes=1024),
        ExporterRow(VIEWER, "logs", queue_bytes=20 * 2**30),
        ExporterRow(VIEWER, "traces", queue_bytes=20 * 2**30),
    ]
    whole = [(0, WHOLE)]
    found = {
        key: {segment: list(parts) for segment, parts in exporter_rows.sent(state, key).items()}
        for key in ((CLOUD, "traces"), (VIEWER, "logs"), (VIEWER, "traces"))
    }
    assert found == {
        (CLOUD, "traces"): {},
        (VIEWER, "logs"): {SEGMENT: whole},
        (VIEWER, "traces"): {SEGMENT: whole, "2026-11-22T10.2.jsonl": whole},
    }


def test_a_configuration_that_never_serves_costs_no_exporter_what_it_has_to_send(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is forgotten when another one serves, not before; the log says what went with it, and what is new."""
    caplog.set_level("INFO", "collector.exporting")
    old = settings({VIEWER: {"endpoint": "http://127.0.0.1:14318"}}, traces=[VIEWER], logs=[VIEWER])
    queue = {"sending_queue": {"start_at": "beginning"}}
    new = settings({CLOUD: {"endpoint": "127.0.0.1:14317", **queue}}, traces=[CLOUD])
    register(state, tmp_path, old)
    put(tmp_path, "traces", SEGMENT)
    traces = (VIEWER, "traces")
    outcome = Outcome({"set_aside_records": 1200}, done=(SEGMENT, (0, 50)))
    exporter_rows.record(state, traces, outcome, Ranges([(0, 50)]), 0)
    exporter_rows.looked(state, traces, waiting_bytes=2500, oldest_unix_nano=NOW, now_unix_nano=NOW)
    before = exporter_rows.rows(state)
    register(state, tmp_path, new)
    register(state, tmp_path, old)
    forget_others(state, old)
    assert exporter_rows.rows(state) == before
    assert {name: list(parts) for name, parts in exporter_rows.sent(state, traces).items()} == {SEGMENT: [(0, 50)]}
    caplog.clear()
    register(state, tmp_path, new)
    forget_others(state, new)
    assert [(row.exporter, row.stream) for row in exporter_rows.rows(state)] == [(CLOUD, "traces")]
    gone = "no pipeline lists it any more; it is forgotten"
    left = "2,500 bytes of records that were not sent and 1,200 records that were set aside"
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", f"{CLOUD} traces: is new, and begins with all that is there (sending_queue.start_at)"),
        ("INFO", f"{VIEWER} logs: {gone}"),
        ("WARNING", f"{VIEWER} traces: {gone} with {left}"),
    ]


def test_a_locked_database_keeps_nobody_from_serving(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is to be forgotten is forgotten with the next start."""
    register(state, tmp_path, settings({VIEWER: {"endpoint": "http://127.0.0.1:14318"}}, traces=[VIEWER]))
    monkeypatch.setattr(state_module, "_BUSY_TIMEOUT_SECONDS", 0.02)
    path = tmp_path / OWN_FOLDER / "state.db"
    with closing(State.open(path)) as other, other.transaction(), closing(State.open(path)) as hasty:
        forget_others(hasty, settings({}, traces=[]))
    told = "exporters that no pipeline lists any more are not forgotten yet: state.db: database is locked"
    assert caplog.messages == [told]
    assert [row.exporter for row in exporter_rows.rows(state)] == [VIEWER]


def test_how_far_an_exporter_is_behind() -> None:
    """By what waits longest; of a sender that has died, by when it was last seen; else not at all."""
    row = ExporterRow(VIEWER, "traces")
    looked = row._replace(looked_unix_nano=NOW)
    for given, seconds, expected in (
        (row, 0, 0.0),
        (looked, 50, 0.0),
        (looked, 61, 61.0),
        (looked._replace(oldest_unix_nano=NOW - 5 * SECOND), 1, 6.0),
        (looked._replace(oldest_unix_nano=NOW + 5 * SECOND), 1, 0.0),
    ):
        assert lag_seconds(given, NOW + seconds * SECOND) == expected


def test_metrics_count_from_the_start_of_the_collector(state: State, tmp_path: Path) -> None:
    """What was sent and dropped before is told; what is set aside is there still."""
    viewer = {VIEWER: {"endpoint": "http://127.0.0.1:14318"}}
    register(state, tmp_path, settings(viewer, traces=[VIEWER]))
    key = (VIEWER, "traces")
    exporter_rows.record(state, key, Outcome({"sent_records": 5, "set_aside_records": 2}), None, 0)
    exporter_rows.forget_segment(state, "traces", SEGMENT, {key: 7})
    measures = ExporterMeasures(tmp_path)
    measures.begin()
    exporter_rows.record(state, key, Outcome({"sent_records": 1}), None, 0)
    exporter_rows.forget_segment(state, "traces", SEGMENT, {key: 3})
    request = ExportMetricsServiceRequest.FromString(measures.request())
    found: dict[str, float] = {}
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        (point,) = getattr(metric, metric.WhichOneof("data") or "").data_points
        assert {one.key: one.value.string_value for one in point.attributes} == {"exporter": VIEWER, "signal": "traces"}
        found[metric.name.removeprefix("forecourt.exporter.")] = point.as_double or point.as_int
    assert found == {"lag": 0, "waiting": 0, "set_aside": 2, "sent": 1, "dropped": 3}


def test_a_viewer_that_hangs_holds_up_no_other(state: State, tmp_path: Path) -> None:
    """Each has a thread of its own; the end waits for nobody longer than it is told to."""
    put(tmp_path, "traces", SEGMENT, b"".join(span(number) + b"\n" for number in range(3)))
    with scripted_grpc([grpc_hang()]) as hanging, scripted_http() as server:
        beginning = {"sending_queue": {"start_at": "beginning"}}
        made = settings(
            {
                CLOUD: {"endpoint": hanging.endpoint, "tls": {"insecure": True}, "timeout": "1s", **beginning},
                VIEWER: {"endpoint": server.url, **beginning},
            },
            traces=[CLOUD, VIEWER],
        )
        register(state, tmp_path, made)
        forwarding = Forwarding(made, tmp_path)
        forwarding.start()
        ends = time.monotonic() + 20
        while not (hanging.received and {row.exporter: row.sent_records for row in exporter_rows.rows(state)}[VIEWER]):
            assert time.monotonic() < ends
            time.sleep(0.01)
        forwarding.stop(20)
        assert [numbers_of(one.body) for one in server.taken] == [[0, 1, 2]]
    assert {row.exporter: row.sent_records for row in exporter_rows.rows(state)} == {CLOUD: 0, VIEWER: 3}
