"""Sending on: whoever is killed or away, and for however long, it costs time and nothing else."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.otlp import PROTOBUF, span_id, trace_request
from tests.support.sidecar import Sidecar, unused_port

pytestmark = pytest.mark.untraced

QUICK = {"initial_interval": "100ms", "max_interval": "300ms"}
NAME = "otlp_grpc/viewer"


def forwarding(exporter: str, settings: dict[str, Any], *signals: str) -> dict[str, Any]:
    """A configuration with one exporter."""
    pipelines = {name: {"exporters": ["jsonl", exporter]} for name in signals or ("traces",)}
    return {"exporters": {exporter: settings}, "service": {"pipelines": pipelines}}


def viewer_on(folder: Path, port: int) -> Sidecar:
    grpc = {"receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}}}
    return Sidecar(folder, grpc)


def wait_until(reached: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


_SPAN_ID = re.compile(rb'"span_id":"([0-9a-f]{16})"')


def ids(sidecar: Sidecar) -> set[str]:
    """Of the spans that it has."""
    return {found.decode() for content in _segments(sidecar) for found in _SPAN_ID.findall(content)}


def count(sidecar: Sidecar) -> int:
    return sum(content.count(b"\n") for content in _segments(sidecar))


def _segments(sidecar: Sidecar) -> Iterator[bytes]:
    for path in (sidecar.logs / "traces").glob("*.jsonl"):
        yield path.read_bytes()


@contextmanager
def load(sidecar: Sidecar) -> Iterator[list[int]]:
    """Spans at some rate while it lasts; the numbers of those that were acknowledged."""
    acknowledged: list[int] = []
    ending = threading.Event()

    def send() -> None:
        connection = sidecar.connect()
        for start in itertools.count(0, 50):
            if ending.wait(0.02):
                break
            connection.request("POST", "/v1/traces", trace_request(range(start, start + 50)), PROTOBUF)
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                acknowledged.extend(range(start, start + 50))
        connection.close()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield acknowledged
    finally:
        ending.set()
        thread.join()


def forwarder_of(sidecar: Sidecar) -> psutil.Process | None:
    children = psutil.Process(sidecar.process.pid).children()
    return next((child for child in children if "forward" in child.cmdline()), None)


@pytest.fixture
def outage_seconds(pytestconfig: pytest.Config) -> float:
    return 600.0 if pytestconfig.getoption("--long") else 2.0


def test_an_outage_under_load_costs_only_time(tmp_path: Path, outage_seconds: float) -> None:
    """The viewer is away and killed, the sender is killed, and at last the viewer has every acknowledged span."""
    port = unused_port()
    viewer = viewer_on(tmp_path / "viewer", port)
    settings = {
        "endpoint": f"127.0.0.1:{port}",
        "tls": {"insecure": True},
        "retry_on_failure": QUICK,
        "sending_queue": {"batch_size": "64KiB"},
    }
    with Sidecar(tmp_path / "own", forwarding(NAME, settings)) as own:
        with load(own) as acknowledged:
            with viewer:
                wait_until(lambda: count(viewer))
                viewer.kill()
            time.sleep(outage_seconds)
            forwarder = forwarder_of(own)
            assert forwarder is not None
            forwarder.kill()
            with viewer:
                before = count(viewer)
                wait_until(lambda: count(viewer) > before)
                viewer.kill()
            sent = len(acknowledged)
            wait_until(lambda: len(acknowledged) > sent)
        with viewer:
            expected = {span_id(number) for number in acknowledged}
            wait_until(lambda: count(viewer) >= len(expected) and ids(viewer) >= expected, 300.0)
            assert ids(viewer) == expected


def test_a_killed_sidecar_goes_on_where_it_was(tmp_path: Path) -> None:
    """What it had received and not sent is sent after its next start; what came before the exporter is not."""
    port = unused_port()
    viewer = viewer_on(tmp_path / "viewer", port)
    settings = {"endpoint": f"http://127.0.0.1:{port}", "retry_on_failure": QUICK}
    own = Sidecar(tmp_path / "own")
    with own, load(own) as acknowledged:
        wait_until(lambda: acknowledged)
    own = Sidecar(tmp_path / "own", forwarding(NAME, settings))
    own.start()
    connection = own.connect()
    for start in range(10_000, 12_000, 100):
        connection.request("POST", "/v1/traces", trace_request(range(start, start + 100)), PROTOBUF)
        assert connection.getresponse().read() == b""
    connection.close()
    own.kill()
    with viewer, own:
        expected = {span_id(number) for number in range(10_000, 12_000)}
        wait_until(lambda: ids(viewer) >= expected)
        assert ids(viewer) == expected
