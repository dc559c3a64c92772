"""A backlog of a million spans is sent on while others are received: how fast, and what it costs those.

python benchmarks/forwarding.py                    # a second collector as the viewer; about three minutes
python benchmarks/forwarding.py --sink             # a receiver that only acknowledges: the sender's own speed
python benchmarks/forwarding.py --spans 200000
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.ingest import SPANS, request, send
from storage import State, exporter_rows
from tests.support.otlp import PROTOBUF
from tests.support.sidecar import Sidecar, unused_port

EXPORTER = "otlp_grpc/viewer"
LIVE_SPANS = 20
LIVE_EVERY_SECONDS = 0.02
QUIET_SECONDS = 20.0
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Live:
    """Requests of 20 spans, fifty a second, and how long each took to be acknowledged, in seconds."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._body = request(7, LIVE_SPANS)

    def measure(self, until: Callable[[], bool]) -> list[float]:
        connection = self._sidecar.connect()
        taken = []
        while not until():
            started = time.perf_counter()
            connection.request("POST", "/v1/traces", self._body, PROTOBUF)
            response = connection.getresponse()
            response.read()
            assert response.status == http.client.OK
            taken.append(time.perf_counter() - started)
            time.sleep(max(0.0, LIVE_EVERY_SECONDS - taken[-1]))
        connection.close()
        return taken


def told(taken: list[float]) -> str:
    ordered = sorted(taken)
    p50, p99 = statistics.median(ordered), ordered[-max(1, len(ordered) // 100)]
    return f"p50 {1000 * p50:5.1f} ms, p99 {1000 * p99:5.1f} ms ({len(ordered):,} requests)"


@contextmanager
def collector_on(port: int, folder: Path) -> Iterator[None]:
    """It keeps what it gets and judges nothing: what it costs is no part of the question."""
    pipeline = {"processors": ["memory_limiter", "redaction", "limits"]}
    settings: dict[str, Any] = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}},
        "service": {"pipelines": {"traces": pipeline}},
    }
    with Sidecar(folder, settings):
        yield


@contextmanager
def sink_on(port: int, _folder: Path) -> Iterator[None]:
    def answer(_body: bytes, _context: grpc.ServicerContext) -> bytes:
        return b""

    handler = grpc.unary_unary_rpc_method_handler(answer)
    server = grpc.server(ThreadPoolExecutor(2))
    service, method = EXPORT.strip("/").split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield
    finally:
        server.stop(0).wait()


def sent(own: Sidecar) -> int:
    state = State.reading(own.logs / ".forecourt" / "state.db")
    try:
        return sum(row.sent_records for row in exporter_rows.rows(state))
    finally:
        state.close()


def run(spans: int, viewer: Callable[[int, Path], Any]) -> None:
    port = unused_port()
    exporter = {
        "endpoint": f"127.0.0.1:{port}",
        "tls": {"insecure": True},
        "compression": "none",
        "retry_on_failure": {"initial_interval": "1s", "max_interval": "1s"},
    }
    settings = {
        "exporters": {EXPORTER: exporter},
        "service": {"pipelines": {"traces": {"exporters": ["jsonl", EXPORTER]}}},
    }
    bodies = [request(seed) for seed in range(100)]
    with tempfile.TemporaryDirectory() as name, Sidecar(Path(name) / "own", settings) as own:
        backlog = 0
        while backlog < spans:
            backlog += SPANS * send(own, bodies, 4, 2)
        live = Live(own)
        ends = time.monotonic() + QUIET_SECONDS
        quiet = live.measure(lambda: time.monotonic() > ends)
        before = sent(own)
        with viewer(port, Path(name) / "viewer"):
            while sent(own) == before:
                time.sleep(0.1)
            began, start = time.monotonic(), sent(own)
            done = threading.Event()
            watching = threading.Thread(target=_watch, args=(own, start + backlog - before, done))
            watching.start()
            busy = live.measure(done.is_set)
            seconds = time.monotonic() - began
            count = sent(own) - start
            watching.join()
    print(f"forwarding, {backlog:,} spans that waited, 1,000 a second that come meanwhile")
    print(f"  sent on          {count / seconds:10,.0f} spans/s")
    print(f"  live, viewer away     {told(quiet)}")
    print(f"  live, catching up     {told(busy)}")


def _watch(own: Sidecar, until: int, done: threading.Event) -> None:
    while sent(own) < until:
        time.sleep(0.2)
    done.set()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--sink", action="store_true")
    given = parser.parse_args()
    run(given.spans, sink_on if given.sink else collector_on)
