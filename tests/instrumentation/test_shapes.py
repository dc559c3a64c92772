"""What an app can look like, under a real server and with a real sidecar."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.conftest import ROOT
from tests.support.backend import Backend, uvicorn
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.untraced

APPS = Path(__file__).parent / "apps"
LOOPS = [(loop, parser) for loop in ("uvloop", "asyncio") for parser in ("httptools", "h11")]
OLD_FASTAPI = ("fastapi==0.115.0", "starlette==0.38.6")
"""Before FastAPI had telemetry of its own."""


class Run:
    """An app, its sidecar, and what arrived once the app has ended."""

    def __init__(self, sidecar: Sidecar, backend: Backend) -> None:
        self._sidecar = sidecar
        self.backend = backend

    def _stopped(self, stream: str) -> list[dict[str, Any]]:
        if self.backend.process.poll() is None:
            self.backend.stop()
        return list(self._sidecar.records(stream))

    def wait_for(self, requests: int) -> None:
        for _ in range(100):
            spans = len(list(self._sidecar.records("traces")))
            if spans >= requests <= _count(self._sidecar.records("metrics"), "http.server.request.duration"):
                return
            time.sleep(0.1)
        raise AssertionError("the spans and points did not come")

    @property
    def spans(self) -> list[dict[str, Any]]:
        return self._stopped("traces")

    @property
    def servers(self) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["kind"] == "SERVER"]

    @property
    def logs(self) -> list[dict[str, Any]]:
        return self._stopped("logs")

    def count(self, metric: str) -> int:
        return _count(self._stopped("metrics"), metric)


def _count(points: Iterable[dict[str, Any]], metric: str) -> int:
    """Of a histogram, as it was exported last by each instance."""
    newest = {}
    for point in points:
        if point["name"] == metric:
            instance = point["resource"]["attributes"]["service.instance.id"]
            newest[instance, json.dumps(point["attributes"], sort_keys=True)] = point["count"]
    return sum(newest.values())


@contextmanager
def running(folder: Path, *options: str, environ: dict[str, str] | None = None) -> Iterator[Run]:
    with Sidecar(folder / "sidecar") as sidecar:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sidecar.url("http"), **(environ or {})}
        with uvicorn(folder, "shapes:app", settings, *options, app_dir=APPS) as backend:
            yield Run(sidecar, backend)


@pytest.fixture(scope="session")
def old_fastapi(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which FastAPI is one from before its own telemetry."""
    folder = tmp_path_factory.mktemp("old")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *OLD_FASTAPI]
    if subprocess.run(install, check=False).returncode:
        pytest.skip(f"{' and '.join(OLD_FASTAPI)} can't be installed here")
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def _keep_alive(backend: Backend, requests: int) -> None:
    connection = http.client.HTTPConnection(backend.address, timeout=30)
    for number in range(requests):
        path = ("/items/1", "/refused/2", "/below/deep/3", "/nowhere")[number % 4]
        connection.request("GET", path)
        connection.getresponse().read()
    connection.close()


def _assert_requests_stand_alone(run: Run, requests: int) -> None:
    spans = run.spans
    assert Counter((span["kind"], "parent_span_id" in span) for span in spans) == {("SERVER", False): requests}
    assert len({span["trace_id"] for span in spans}) == requests
    assert Counter(span["attributes"].get("http.route") for span in spans) == {
        "/items/{number}": requests // 4,
        "/refused/{number}": requests // 4,
        "/below/deep/{number}": requests // 4,
        None: requests // 4,
    }
    assert {span["attributes"]["client.address"] for span in spans} == {"127.0.0.1"}
    assert run.count("http.server.request.duration") == requests


@pytest.mark.parametrize(("loop", "parser"), LOOPS)
def test_no_request_inherits_the_span_of_the_one_before(tmp_path: Path, loop: str, parser: str) -> None:
    """Over one connection that is kept, on every loop and parser: each request is the root of its own trace."""
    with running(tmp_path, "--loop", loop, "--http", parser) as run:
        _keep_alive(run.backend, 80)
        _assert_requests_stand_alone(run, 80)


@pytest.mark.parametrize(("loop", "parser"), LOOPS)
def test_nor_before_fastapi_had_telemetry(tmp_path: Path, old_fastapi: dict[str, str], loop: str, parser: str) -> None:
    """Then OpenTelemetry's middleware makes the spans, with the same attributes."""
    with running(tmp_path, "--loop", loop, "--http", parser, environ=old_fastapi) as run:
        _keep_alive(run.backend, 80)
        assert "spans by OpenTelemetry's ASGI middleware" in "".join(run.backend.output)
        _assert_requests_stand_alone(run, 80)


def test_a_middleware_stack_that_is_built_already_makes_no_difference(tmp_path: Path) -> None:
    """`FastAPI.__call__` is the way in, not the stack."""
    with running(tmp_path, environ={"FORECOURT_WHEN": "built"}) as run:
        _keep_alive(run.backend, 8)
        _assert_requests_stand_alone(run, 8)


def test_an_app_that_serves_already_is_instrumented_from_its_next_request_on(tmp_path: Path) -> None:
    """By a request, even: twice, which is harmless."""
    with running(tmp_path, environ={"FORECOURT_WHEN": "late", "OTEL_METRIC_EXPORT_INTERVAL": "300"}) as run:
        _keep_alive(run.backend, 4)
        assert run.backend.get("/late") == 200
        _keep_alive(run.backend, 8)
        run.wait_for(8)  # it missed the start, and so will miss the end
        _assert_requests_stand_alone(run, 8)


@pytest.mark.parametrize("environ", [{}, "old"], ids=["native", "contrib"])
def test_a_websocket_is_one_span_and_no_request(tmp_path: Path, environ: Any, request: pytest.FixtureRequest) -> None:
    """However many messages; it is in no metric of requests."""

    async def talk(url: str) -> str:
        async with websockets.connect(url) as socket:
            heard = await socket.recv()
            await socket.send("bye")
            return str(heard)

    settings = request.getfixturevalue("old_fastapi") if environ == "old" else {}
    with running(tmp_path, environ=settings) as run:
        assert asyncio.run(talk(f"ws://{run.backend.address}/ws/lobby")) == "lobby"
        assert run.backend.get("/items/1") == 200
        (socket,) = [span for span in run.servers if span["attributes"].get("http.route") == "/ws/{room}"]
        assert "http.request.method" not in socket["attributes"]
        assert socket["attributes"]["client.address"] == "127.0.0.1"
        assert len(run.spans) == 2
        assert run.count("http.server.request.duration") == 1


def test_background_work_belongs_to_its_request_and_not_to_its_duration(tmp_path: Path) -> None:
    """The span ends with the answer; what follows has the same trace."""
    with running(tmp_path) as run:
        assert run.backend.get("/background") == 200
        (server,) = run.servers
        (work,) = [span for span in run.spans if span["name"] == "fossa.background.work"]
        (query,) = [span for span in run.spans if span["name"] == "SELECT"]
        assert work["trace_id"] == server["trace_id"] == query["trace_id"]
        assert work["parent_span_id"] == server["span_id"]
        assert query["parent_span_id"] == work["span_id"]
        assert server["end_time_unix_nano"] <= work["end_time_unix_nano"]


def test_streams_files_and_outgoing_calls(tmp_path: Path) -> None:
    """Sizes are those of the whole body, an attachment is an export, a call carries the trace and no token."""
    with running(tmp_path) as run:
        port = run.backend.address.split(":")[1]
        for path in ("/stream", "/file", f"/calls/{port}"):
            assert run.backend.get(path) == 200
        by_route = {span["attributes"]["http.route"]: span for span in run.servers}
        assert by_route["/stream"]["attributes"]["http.response.body.size"] == 10_000
        assert by_route["/file"]["attributes"]["http.response.body.size"] == (APPS / "shapes.py").stat().st_size
        (export,) = [record for record in run.logs if record.get("event_name") == "fossa.data.export"]
        assert export["trace_id"] == by_route["/file"]["trace_id"]
        (call,) = [span for span in run.spans if span["kind"] == "CLIENT"]
        assert call["parent_span_id"] == by_route["/calls/{port}"]["span_id"]
        assert by_route["/items/{number}"]["parent_span_id"] == call["span_id"]
        assert call["attributes"]["url.full"].endswith("/items/7?token=[REDACTED]")


def test_excluded_paths_leave_nothing_behind(tmp_path: Path) -> None:
    """No span of the request nor of its queries."""
    with running(tmp_path) as run:
        assert run.backend.get("/excluded") == 200
        assert [span["name"] for span in run.spans if span["name"] != "fossa.background.work"] == []


def test_the_last_records_of_a_server_that_ends_by_a_signal_arrive(tmp_path: Path) -> None:
    """After SIGTERM uvicorn says good-bye and dies of the signal: no exit handler runs."""
    with running(tmp_path) as run:
        assert run.backend.get("/items/1") == 200
        bodies = [record["body"] for record in run.logs]
        assert run.backend.process.returncode == -15
        assert bodies[-2] == "Application shutdown complete."
        assert bodies[-1].startswith("Finished server process")
        assert "stopping" in bodies
        assert len(run.servers) == 1


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_ordinary_end_is_said_once_by_each_process(tmp_path: Path, workers: int, sent: signal.Signals) -> None:
    """By whatever signal: else its silence would be told as a failure."""
    with running(tmp_path, *(["--workers", str(workers)] if workers > 1 else [])) as run:
        _until_started(run.backend, workers)
        run.backend.stop(sent)
        said = [record for record in run.logs if record.get("event_name") == "fossa.service.stopped"]
        assert len({record["resource"]["attributes"]["service.instance.id"] for record in said}) == len(said) == workers


def test_workers_are_instances_of_one_service(tmp_path: Path) -> None:
    """`--workers 2`: two ids, no request lost or double."""
    with running(tmp_path, "--workers", "2") as run:
        _until_started(run.backend, 2)
        _concurrently(run.backend, 200)
        instances = Counter(span["resource"]["attributes"]["service.instance.id"] for span in run.servers)
        assert len(instances) == 2
        assert sum(instances.values()) == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
def test_forked_workers_have_their_own_instance_and_threads(tmp_path: Path, preload: list[str]) -> None:
    """gunicorn forks, with --preload after the app was instrumented."""
    with Sidecar(tmp_path / "sidecar") as sidecar:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sidecar.url("http"), "OTEL_METRIC_EXPORT_INTERVAL": "300"}
        command = ["-m", "gunicorn", "shapes:app", "-k", "uvicorn_worker.UvicornWorker", "-w", "2", *preload]
        command += ["-b", "127.0.0.1:0", "--pythonpath", str(APPS)]
        with Backend(command, settings, tmp_path) as backend:
            run = Run(sidecar, backend)
            _until_started(backend, 2)
            _concurrently(backend, 200)
            instances = Counter(span["resource"]["attributes"]["service.instance.id"] for span in run.servers)
            assert len(instances) == 2
            assert sum(instances.values()) == 200
            assert run.count("http.server.request.duration") == 200


def test_reload_instruments_the_new_process(tmp_path: Path) -> None:
    """`--reload` starts the app anew when a file changes."""
    folder = tmp_path / "apps"
    folder.mkdir()
    app = folder / "shapes.py"
    app.write_text((APPS / "shapes.py").read_text())
    with Sidecar(tmp_path / "sidecar") as sidecar:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sidecar.url("http")}
        with uvicorn(
            tmp_path, "shapes:app", settings, "--reload", "--reload-dir", str(folder), app_dir=folder
        ) as backend:
            run = Run(sidecar, backend)
            _until_started(backend, 1)
            assert backend.get("/items/1") == 200
            app.write_text(app.read_text() + "\n")
            _until_started(backend, 2)
            assert backend.get("/items/2") == 200
            instances = {span["resource"]["attributes"]["service.instance.id"] for span in run.servers}
            assert (len(run.servers), len(instances)) == (2, 2)


def _concurrently(backend: Backend, requests: int) -> None:
    with ThreadPoolExecutor(8) as clients:
        assert set(clients.map(lambda _: backend.get("/stream"), range(requests))) == {200}


def _until_started(backend: Backend, times: int) -> None:
    for _ in range(300):
        if sum("Application startup complete" in line for line in backend.output) >= times:
            return
        time.sleep(0.1)
    raise AssertionError("".join(backend.output))
