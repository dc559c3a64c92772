"""What instrumentation costs the example backend: bare, under plain contrib, and under Forecourt, paired in one run.

python benchmarks/overhead.py [--rounds 40]. CPU is the server process's own, exports included; each variant gets the
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
BLOCK_ROUNDS = 10
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
        f"extensions: {{health_check: {anywhere}}}\nservice: {{telemetry: {{metrics: {anywhere}}}}}\n"
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
    parser.add_argument("--rounds", type=int, default=40, help="of 16 requests, for each variant")
    given = parser.parse_args()
    variants = [
        Variant("bare", ["-m", "uvicorn", "app.main:app"]),
        Variant("contrib", ["-m", "uvicorn", "contrib_app:app"]),
        Variant("forecourt", ["-m", "operations", "run", "app.main:app"]),
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
    bare, contrib, forecourt = variants
    print(f"{'':<34}{'bare':>9}{'contrib':>9}{'forecourt':>11}   goal")
    cpu = [statistics.median(variant.cpu_ms) for variant in variants]
    print(f"{'CPU a request, ms':<34}{cpu[0]:>9.3f}{cpu[1]:>9.3f}{cpu[2]:>11.3f}")
    added = [value - cpu[0] for value in cpu]
    print(f"{'  added, ms':<34}{'':>9}{added[1]:>9.3f}{added[2]:>11.3f}")
    paired = [
        (of_us - of_bare) / (of_contrib - of_bare)
        for of_bare, of_contrib, of_us in zip(bare.cpu_ms, contrib.cpu_ms, forecourt.cpu_ms, strict=True)
    ]
    ratio = statistics.median(paired)
    print(
        f"{'  added, forecourt / contrib':<34}{'':>9}{'':>9}{ratio:>11.2f}   <= 0.5 ({min(paired):.2f}-{max(paired):.2f})"
    )
    p50 = [statistics.median(variant.latency_ms) for variant in variants]
    print(f"{'p50, ms':<34}{p50[0]:>9.2f}{p50[1]:>9.2f}{p50[2]:>11.2f}")
    print(f"{'  added, ms':<34}{'':>9}{p50[1] - p50[0]:>9.2f}{p50[2] - p50[0]:>11.2f}   < 1")
    print(f"{'CPU a log record, us':<34}{records['bare']:>9.1f}{records['contrib']:>9.1f}{records['forecourt']:>11.1f}")
    alone = {kind: value - records["bare"] for kind, value in records.items()}
    print(f"{'  added, us':<34}{'':>9}{alone['contrib']:>9.1f}{alone['forecourt']:>11.1f}   <= 25")
    share = alone["forecourt"] / alone["contrib"]
    print(f"{'  added, forecourt / contrib':<34}{'':>9}{'':>9}{share:>11.2f}")


if __name__ == "__main__":
    main()
