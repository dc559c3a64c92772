"""What instrumentation costs the example backend: bare, under plain contrib, and under Forecourt, paired in one run.

python benchmarks/overhead.py [--rounds 200]. CPU is the server process's own, exports included; each variant gets the
same requests in turn, so that what else the machine does falls on all three.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.util
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent
BACKEND = ROOT / "examples" / "fossawork_backend"
BLOCK_ROUNDS = 40
DRAIN_SECONDS = 6.0
"""Longer than the batch processors of the SDK wait (5 s), so that each pays for its own exports."""
LOG_RECORDS = 20_000

_SPEC = importlib.util.spec_from_file_location("driver", BACKEND / "driver.py")
assert _SPEC is not None
assert _SPEC.loader is not None
driver = importlib.util.module_from_spec(_SPEC)
sys.modules["driver"] = driver
_SPEC.loader.exec_module(driver)


@dataclass
class Variant:
    name: str
    command: list[str]
    environ: dict[str, str] = field(default_factory=dict)
    cpu_ms: list[float] = field(default_factory=list)
    """A request, one number a block."""
    latency_ms: list[float] = field(default_factory=list)
    url: str = ""
    process: Any = None

    def start(self, folder: Path, endpoint: str) -> None:
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_SERVICE_NAME": self.name,
            "OTEL_METRIC_EXPORT_INTERVAL": "10000",
            "XDG_STATE_HOME": str(folder / "state"),
            "FOSSAWORK_DATABASE": str(folder / f"{self.name}.db"),
            "FOSSAWORK_SYNC_SECONDS": "3600",
            **self.environ,
        }
        output = (folder / f"{self.name}.log").open("wb")
        command = [sys.executable, *self.command, "--app-dir", str(BACKEND), "--port", str(port)]
        self.process = psutil.Popen(command, env=environment, stdout=output, stderr=output)
        for _ in range(300):
            if _answers(port):
                return
            time.sleep(0.1)
        raise SystemExit(f"{self.name} did not start; see {folder}")

    def block(self, first: int) -> None:
        made = _TimedDriver(self.url)
        before = self._cpu()
        for number in range(first, first + BLOCK_ROUNDS):
            made.round(number)
        requests = made.tally.requests
        self.latency_ms += made.taken_ms
        made.close()
        time.sleep(DRAIN_SECONDS)
        self.cpu_ms.append((self._cpu() - before) * 1000 / requests)

    def _cpu(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


class _TimedDriver(driver.Driver):  # type: ignore[name-defined,misc]  # loaded by path
    def __init__(self, url: str) -> None:
        self.taken_ms: list[float] = []
        super().__init__(url)

    def _request(self, *arguments: Any, **keywords: Any) -> Any:
        started = time.perf_counter()
        answer = super()._request(*arguments, **keywords)
        self.taken_ms.append((time.perf_counter() - started) * 1000)
        return answer


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _collector(folder: Path) -> tuple[Any, str]:
    configuration = folder / "otel-config.yaml"
    anywhere = "{endpoint: 127.0.0.1:0}"
    configuration.write_text(
        f"receivers: {{otlp: {{protocols: {{grpc: {anywhere}, http: {anywhere}}}}}}}\n"
        f"extensions: {{health_check: {anywhere}}}\n"
        f"service: {{extensions: [health_check], telemetry: {{metrics: {anywhere}}}}}\n"
    )
    command = [sys.executable, "-m", "operations", "collector", "--config", str(configuration)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http (127\.0\.0\.1:\d+)", line):
            return process, f"http://{found[1]}"
    raise SystemExit("the collector did not start")


_RECORDS = """
import logging, os, sys, time
kind, endpoint, records = sys.argv[1], sys.argv[2], int(sys.argv[3])
log = logging.getLogger("bench")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(logging.NullHandler())
end = lambda: None
if kind == "contrib":
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(), max_queue_size=10**6))
    log.addHandler(LoggingHandler(logger_provider=provider))
    end = provider.shutdown
if kind == "forecourt":
    from instrumentation import flush, instrument
    instrument(disabled=["system", "metrics"])
    end = lambda: flush(30)
for _ in range(100):
    log.info("warm %d", 1)
end() if kind == "forecourt" else None
started = time.process_time()
for number in range(records):
    extra = {"request_id": str(number)}
    log.info("API %s %s -> %d (%.2fms)", "GET", "/api/v1/work-orders", 200, number / 7, extra=extra)
    if number % 500 == 0:
        time.sleep(0.02)
end()
print((time.process_time() - started) / records * 1e6)
"""


def _log_record_us(kind: str, endpoint: str, folder: Path) -> float:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "XDG_STATE_HOME": str(folder / "state"),
    }
    command = [sys.executable, "-c", _RECORDS, kind, endpoint, str(LOG_RECORDS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="of 16 requests, for each variant")
    given = parser.parse_args()
    variants = [
        Variant("bare", ["-m", "uvicorn", "app.main:app"]),
        Variant("contrib", ["-m", "uvicorn", "contrib_app:app"]),
        Variant("forecourt", ["-m", "operations", "run", "app.main:app"], {"FORECOURT_DISABLED": "fossawork,users"}),
        Variant("all of it", ["-m", "operations", "run", "app.main:app"]),
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        collector, endpoint = _collector(folder)
        try:
            for variant in variants:
                variant.start(folder, endpoint)
            for number in range(-1, given.rounds // BLOCK_ROUNDS):
                for variant in variants:
                    variant.block(max(0, number) * BLOCK_ROUNDS)
                    if number < 0:  # warm-up
                        variant.cpu_ms.clear()
                        variant.latency_ms.clear()
            records = {
                kind: statistics.median(_log_record_us(kind, endpoint, folder) for _ in range(3))
                for kind in ("bare", "contrib", "forecourt")
            }
        finally:
            for variant in variants:
                if variant.process:
                    variant.process.terminate()
                    variant.process.wait(20)
            collector.terminate()
            collector.wait(20)
    _print(variants, records)


def _print(variants: list[Variant], records: dict[str, float]) -> None:
    """`forecourt` has the signals that contrib has; `all of it` also users, sessions and the backend's events."""
    bare, contrib, *_ = variants
    _row("", [variant.name for variant in variants], "goal")
    cpu = [statistics.median(variant.cpu_ms) for variant in variants]
    _row("CPU a request, ms", [f"{value:.3f}" for value in cpu])
    _row("  added, ms", ["", *(f"{value - cpu[0]:.3f}" for value in cpu[1:])])
    ratios = [
        statistics.median(
            (of_us - of_bare) / (of_contrib - of_bare)
            for of_bare, of_contrib, of_us in zip(bare.cpu_ms, contrib.cpu_ms, variant.cpu_ms, strict=True)
        )
        for variant in variants[1:]
    ]
    _row("  added, as a share of contrib's", ["", *(f"{ratio:.2f}" for ratio in ratios)], "<= 0.5")
    p50 = [statistics.median(variant.latency_ms) for variant in variants]
    _row("p50, ms", [f"{value:.2f}" for value in p50])
    _row("  added, ms", ["", *(f"{value - p50[0]:.2f}" for value in p50[1:])], "< 1")
    alone = {kind: value - records["bare"] for kind, value in records.items()}
    _row("CPU added a log record, us", ["", f"{alone['contrib']:.1f}", f"{alone['forecourt']:.1f}", ""], "<= 25")
    _row("  as a share of contrib's", ["", "", f"{alone['forecourt'] / alone['contrib']:.2f}", ""])


def _row(name: str, values: list[str], goal: str = "") -> None:
    print(f"{name:<34}{''.join(f'{value:>11}' for value in values)}   {goal}")


if __name__ == "__main__":
    main()
