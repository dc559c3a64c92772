"""Whatever the sidecar does: requests are answered, memory is bounded, the end comes soon, and the log stays quiet."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import psutil
import pytest

from tests.instrumentation.test_shapes import APPS
from tests.support import receivers
from tests.support.backend import Backend, uvicorn
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.untraced

REQUESTS = 300
AWAY = {
    "slow": receivers.slow,
    "garbage": receivers.garbage,
    "web page": receivers.web_page,
    "endless": receivers.endless,
    "unavailable": receivers.refusing(503),
    "forbidden": receivers.refusing(401),
    "bad request": receivers.refusing(400),
}


def _latencies(backend: Backend) -> list[float]:
    taken = []
    for number in range(REQUESTS):
        started = time.perf_counter()
        assert backend.get(f"/items/{number}") == 200
        taken.append(time.perf_counter() - started)
    return taken


def _reports(backend: Backend) -> list[str]:
    return [line for line in backend.output if line.startswith(("WARNING", "ERROR", "Traceback", "Exception"))]


def _assert_unharmed(folder: Path, endpoint: str) -> tuple[Backend, int]:
    """The app as it was, and when it was asked to end, in nanoseconds since 1970."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "500"}
    with uvicorn(folder, "shapes:app", settings, app_dir=APPS) as backend:
        before = psutil.Process(backend.process.pid).memory_info().rss
        taken = _latencies(backend)
        grown = psutil.Process(backend.process.pid).memory_info().rss - before
        asked = time.time_ns()
        assert backend.stop() < 5.0
    assert statistics.median(taken) < 0.05
    assert max(taken) < 2.0
    assert grown < 60 << 20
    assert len(_reports(backend)) <= 1, "".join(backend.output)
    return backend, asked


@pytest.mark.parametrize("receiver", list(AWAY))
def test_a_receiver_that_is_none_harms_nobody(tmp_path: Path, receiver: str) -> None:
    """Latency, memory and shutdown stay as they are; one line a minute says what is wrong and what to do."""
    with receivers.listening(AWAY[receiver]) as endpoint:
        backend, asked = _assert_unharmed(tmp_path, endpoint)
    waiting = list((tmp_path / "state" / "forecourt" / "spool" / "shapes").rglob("*.*"))
    if receiver == "bad request":  # what is refused for good waits for nobody; the end may come before it is tried
        assert [path for path in waiting if path.stat().st_mtime_ns < asked] == []
    else:
        assert waiting != []
    (report,) = _reports(backend) or [""] if receiver == "slow" else _reports(backend)
    assert receiver == "slow" or endpoint in report


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_no_receiver_at_all(tmp_path: Path, protocol: str) -> None:
    """The usual case: the sidecar was not started. The line says how to start it."""
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
    }
    with uvicorn(tmp_path, "shapes:app", settings, app_dir=APPS) as backend:
        taken = _latencies(backend)
        assert backend.stop() < 5.0
    (report,) = _reports(backend)
    assert "Start it with: forecourt collector" in report
    assert statistics.median(taken) < 0.05


def test_a_sidecar_that_comes_back_gets_everything_in_order(tmp_path: Path) -> None:
    """Records of the time without it come from the spool, oldest first, and none is missing."""
    sidecar = Sidecar(tmp_path / "sidecar").start()
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sidecar.url("http"), "OTEL_SERVICE_NAME": "shapes"}
    address = sidecar.endpoints["http"]
    with uvicorn(tmp_path, "shapes:app", settings, app_dir=APPS) as backend:
        for number in range(20):
            backend.get(f"/items/{number}")
        _wait(lambda: len(_items(sidecar)) == 20)
        sidecar.kill()
        for number in range(20, 40):
            backend.get(f"/items/{number}")
        _wait(lambda: any((tmp_path / "state").rglob("*.traces")))
        for number in range(40, 60):
            backend.get(f"/items/{number}")
        endpoint = {"endpoint": address}
        again = {"receivers": {"otlp": {"protocols": {"http": endpoint}}}}
        with Sidecar(tmp_path / "sidecar", again) as back:
            _wait(lambda: len(set(_items(back))) == 60)
            items = list(dict.fromkeys(_items(back)))
            assert items == sorted(items)
            _wait(lambda: not any((tmp_path / "state").rglob("*.traces")))
            backend.stop()
            assert len(set(_items(back))) == 60


def test_the_next_process_sends_what_a_killed_one_left(tmp_path: Path) -> None:
    """kill -9 of the app while the sidecar is away."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SERVICE_NAME": "shapes"}
    with uvicorn(tmp_path, "shapes:app", settings, app_dir=APPS) as backend:
        for number in range(20):
            backend.get(f"/items/{number}")
        _wait(lambda: any((tmp_path / "state").rglob("*.traces")))
        backend.process.kill()
    with Sidecar(tmp_path / "sidecar") as sidecar:
        settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = sidecar.url("http")
        with uvicorn(tmp_path, "shapes:app", settings, app_dir=APPS) as backend:
            _wait(lambda: len(_items(sidecar)) == 20)
        assert not any((tmp_path / "state").rglob("*.traces"))


def _items(sidecar: Sidecar) -> list[int]:
    spans = [span for span in sidecar.records("traces") if span["kind"] == "SERVER"]
    spans.sort(key=lambda span: (span["received_unix_nano"], span["batch_index"]))
    paths = [span["attributes"].get("url.path", "") for span in spans]
    return [int(path.rpartition("/")[2]) for path in paths if path.startswith("/items/")]


def _wait(done: object) -> None:
    assert callable(done)
    for _ in range(400):
        if done():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that")
