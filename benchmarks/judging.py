"""What judging costs: against decoding, under load on one core, at a checkpoint, and in a backtest.

python benchmarks/judging.py            about a minute
python benchmarks/judging.py --long     five minutes of load, a backtest over a million spans
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

sys.path.insert(0, str(Path(__file__).parent.parent))

from collector.decoding import Decoder, DecodingLimits
from instrumentation.redaction import Redactor
from operations.backtest import Backtest
from operations.period import OpenPeriod
from processors.judgement import Judgement
from processors.observation import Observation
from processors.settings import ThresholdSettings
from tests.conftest import SHARED_DATA
from tests.support.sidecar import Sidecar

ROUTES = 200
CHANCE = random.Random(20261123)  # noqa: S311  # traffic, not secrets
_NANO = 1_000_000_000


def _attribute(key: str, value: str | int) -> KeyValue:
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def traces(count: int, ended: int) -> bytes:
    """A third are requests on 200 routes, a third queries, a third inner spans; ten attributes each."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend([_attribute("service.name", "app"), _attribute("service.instance.id", "one")])
    spans = resource.scope_spans.add().spans
    for number in range(count):
        route = f"/route/{CHANCE.randrange(ROUTES)}/{{id}}"
        took = int(CHANCE.lognormvariate(-3, 1) * _NANO)
        span = spans.add(
            trace_id=CHANCE.randbytes(16), span_id=CHANCE.randbytes(8), end_time_unix_nano=ended, name=f"GET {route}"
        )
        span.start_time_unix_nano = ended - took
        if number % 3 == 0:
            span.kind = 2
            status = CHANCE.choices((200, 500), (99, 1))[0]
            span.attributes.extend(
                [
                    _attribute("http.request.method", "GET"),
                    _attribute("http.route", route),
                    _attribute("http.response.status_code", status),
                    _attribute("url.scheme", "http"),
                    _attribute("url.path", route),
                    _attribute("client.address", "192.0.2.7"),
                    _attribute("user_agent.original", "python/3"),
                    _attribute("user.id", f"user {CHANCE.randrange(50)}"),
                    _attribute("session.id", f"session {CHANCE.randrange(50)}"),
                    _attribute("server.address", "shop"),
                ]
            )
        elif number % 3 == 1:
            span.kind = 3
            span.name = "SELECT orders"
            span.attributes.extend(
                [_attribute("db.system.name", "sqlite"), _attribute("db.query.summary", "SELECT orders")]
            )
            span.attributes.extend([_attribute(f"attribute.{key}", f"value {key}") for key in range(8)])
        else:
            span.kind = 1
            span.attributes.extend([_attribute(f"attribute.{key}", f"value {key}") for key in range(10)])
    return request.SerializeToString()


def logs(count: int, at: int) -> bytes:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend([_attribute("service.name", "app"), _attribute("service.instance.id", "one")])
    scope = resource.scope_logs.add()
    scope.scope.name = "app.orders"
    for number in range(count):
        record = scope.log_records.add(time_unix_nano=at, severity_number=17 if number % 50 == 0 else 9)
        record.body.string_value = f"order {number} taken"
        record.attributes.extend([_attribute(f"attribute.{key}", f"value {key}") for key in range(5)])
    return request.SerializeToString()


def metrics(count: int, at: int) -> bytes:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend([_attribute("service.name", "app"), _attribute("service.instance.id", "one")])
    metric = resource.scope_metrics.add().metrics.add(name="queue.length")
    for number in range(count):
        point = metric.gauge.data_points.add(time_unix_nano=at, as_double=number)
        point.attributes.append(_attribute("queue", f"queue {number}"))
    return request.SerializeToString()


Bodies = list[tuple[str, bytes]]


def _synthetic() -> Bodies:
    """Three thousand spans, a third of them requests, and as many log records as have a quarter of that."""
    now = time.time_ns()
    return [("traces", traces(300, now)) for _ in range(10)] + [("logs", logs(75, now + each)) for each in range(10)]


def _recorded() -> Bodies:
    """A real backend's half minute; empty where the recordings are not."""
    folder = SHARED_DATA / "otlp" / "clean"
    index = folder / "index.jsonl"
    entries = map(orjson.loads, index.read_bytes().splitlines()) if index.exists() else ()
    return [(entry["signal"], (folder / entry["file"]).read_bytes()) for entry in entries]


def _once(bodies: Bodies) -> tuple[float, float, int, Judgement]:
    """Seconds of decoding and of judging, the records, and who judged them."""
    judgement = Judgement(ThresholdSettings())
    decoder = Decoder(redactor=Redactor(), limits=DecodingLimits())
    taken: list[Observation] = []
    started = time.perf_counter()
    for signal, body in bodies:
        decode = getattr(decoder, f"decode_{signal}")
        for batch in decode(body, judgement.projection, encoding="protobuf", received_unix_nano=time.time_ns()):
            taken += batch.observations
    decoded = time.perf_counter()
    for observation in taken:
        judgement.observe(observation)
    return decoded - started, time.perf_counter() - decoded, len(taken), judgement


def cost(rounds: int = 9) -> None:
    for name, bodies in (("recorded traffic", _recorded()), ("synthetic, 200 routes", _synthetic())):
        runs = [_once(bodies) for _ in range(rounds)] if bodies else []
        if runs:
            ratio = statistics.median(judging / decoding for decoding, judging, _, _ in runs)
            record = statistics.median(judging / records for _, judging, records, _ in runs)
            print(f"judging, {name:<22} {ratio:.2f} of decoding, {record * 1e6:.1f} us a record   (goal < 0.30)")
    judgement = runs[-1][-1]
    now = time.time_ns()
    judgement.advance(now)
    started = time.perf_counter()
    for tick in range(30):
        judgement.advance(now + tick * 10 * _NANO)
    print(f"an evaluation of all rules      {(time.perf_counter() - started) / 30 * 1000:.1f} ms")
    started = time.perf_counter()
    content = orjson.dumps(judgement.to_state(), option=orjson.OPT_NON_STR_KEYS)
    taken = (time.perf_counter() - started) * 1000
    print(f"a checkpoint's state            {taken:.1f} ms, {len(content) / 1024:.0f} KiB")


def load(seconds: float) -> None:
    """2,000 spans/s + 500 log records/s + 200 points/s to a sidecar that has one core."""
    folder = Path(tempfile.mkdtemp())
    sidecar = Sidecar(folder).start(untraced=True)
    process = psutil.Process(sidecar.process.pid)
    if hasattr(process, "cpu_affinity"):
        process.cpu_affinity([(os.cpu_count() or 1) - 1])
    worst, sent = [0.0], [0]
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(0.5):
            worst[0] = max(worst[0], _metric(sidecar, "forecourt_judge_lag_seconds"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = process.cpu_times()
    try:
        sent[0] = _send(sidecar, seconds)
        time.sleep(1)
        used = process.cpu_times()
        share = (used.user + used.system - before.user - before.system) / seconds
        judged, dropped = (
            _metric(sidecar, "forecourt_judged_records_total"),
            _metric(sidecar, "forecourt_dropped_records_total"),
        )
        drops = _metric(sidecar, "forecourt_judge_queue_drops_total")
    finally:
        stopping.set()
        watcher.join()
        sidecar.stop()
        shutil.rmtree(folder)
    rate = sent[0] / seconds
    print(f"load for {seconds:.0f} s                   {rate:.0f} records/s sent, {judged / sent[0]:.2%} judged")
    print(f"  dropped, queue drops          {dropped:.0f}, {drops:.0f}   (goal 0, 0)")
    print(f"  worst lag of judging          {worst[0]:.2f} s   (goal < 10 s)")
    print(f"  share of the core             {share:.0%}")


def _send(sidecar: Sidecar, seconds: float) -> int:
    connection = sidecar.connect()
    sent = 0
    started = time.monotonic()
    for second in range(int(seconds)):
        for body, path, count in _second():
            connection.request("POST", path, body, {"Content-Type": "application/x-protobuf"})
            assert connection.getresponse().read() is not None
            sent += count
        time.sleep(max(0.0, started + second + 1 - time.monotonic()))
    connection.close()
    return sent


def _second() -> Iterator[tuple[bytes, str, int]]:
    now = time.time_ns()
    for _ in range(4):
        yield traces(500, now), "/v1/traces", 500
    yield logs(500, now), "/v1/logs", 500
    yield metrics(200, now), "/v1/metrics", 200


def _metric(sidecar: Sidecar, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", sidecar.get("metrics", "/metrics"), re.MULTILINE)
    return float(found[1]) if found else 0.0


def backtest(spans: int) -> None:
    """Over a day of so many spans, a third of them requests."""
    folder = Path(tempfile.mkdtemp())
    decoder = Decoder(redactor=None, limits=DecodingLimits())
    projection = Judgement(ThresholdSettings()).projection
    start = 1_795_435_200 * _NANO
    (folder / "traces").mkdir(parents=True)
    for hour in range(24):
        with (folder / "traces" / f"2026-11-{23 + (12 + hour) // 24}T{(12 + hour) % 24:02}.jsonl").open("wb") as file:
            for part in range(max(1, spans // 24 // 500)):
                at = start + hour * 3600 * _NANO + part * 3600 * _NANO // max(1, spans // 24 // 500)
                for batch in decoder.decode_traces(
                    traces(500, at), projection, encoding="protobuf", received_unix_nano=at
                ):
                    file.write(batch.lines)
    every = ThresholdSettings()
    rules = {name: every.rules[name] for name in ("http.server.p95", "http.server.error_rate")}
    two = every.model_copy(update={"rules": rules})
    for name, settings in (("two rules", two), ("all default rules", every)):
        run = Backtest(settings, folder, OpenPeriod(), now_unix_nano=2**62)
        gc.collect()
        started = time.perf_counter()
        transitions = sum(1 for _ in run.run())
        taken = time.perf_counter() - started
        told = f"{taken:.1f} s, {transitions} transitions"
        print(f"a day of {run.records} spans, {name:<18} {told}   (goal: a million < 20 s)")
    shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="five minutes of load, a million spans")
    long = parser.parse_args().long
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    cost()
    backtest(1_000_000 if long else 50_000)
    load(300 if long else 20)


if __name__ == "__main__":
    main()
