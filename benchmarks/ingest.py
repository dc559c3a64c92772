"""How fast the collector takes data and how much memory it needs: ratios in one run, medians.

python benchmarks/ingest.py            # everything; about four minutes
python benchmarks/ingest.py decode     # one of: decode, durability, memory, large, idle
"""

from __future__ import annotations

import gc
import http.client
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

sys.path.insert(0, str(Path(__file__).parent.parent))

from collector.decoding import Decoder, DecodingLimits
from instrumentation.redaction import Redactor
from processors.observation import Projection
from tests.support.otlp import PROTOBUF
from tests.support.sidecar import Sidecar

SPANS = 512
MANY = 5
MIB = 2**20
PROJECTION = Projection(
    generation=1,
    span=frozenset({"http.route", "http.request.method", "http.response.status_code", "client.address", "user.id"}),
    resource=frozenset({"service.name"}),
)


def request(seed: int, spans: int = SPANS) -> bytes:
    """Server spans with ten attributes as the SDK sends them; two of them are new in nearly every span."""
    chance = random.Random(seed)  # noqa: S311  # sample data
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    for key in ("service.name", "service.version", "host.name", "telemetry.sdk.language"):
        resource_spans.resource.attributes.add(key=key).value.string_value = "backend"
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "opentelemetry.instrumentation.fastapi"
    start = 1_795_420_230_660_779_146
    for _ in range(spans):
        start += chance.randrange(10_000_000)
        span = scope_spans.spans.add(
            trace_id=chance.randbytes(16),
            span_id=chance.randbytes(8),
            parent_span_id=chance.randbytes(8),
            name="GET /api/v1/work-orders/{id}",
            kind=2,
            flags=1,
            start_time_unix_nano=start,
            end_time_unix_nano=start + chance.randrange(100_000_000),
        )
        texts = {
            "http.request.method": "GET",
            "url.scheme": "http",
            "network.protocol.version": "1.1",
            "http.route": chance.choice(["/api/v1/work-orders/{id}", "/api/auth/login", "/"]),
            "server.address": "127.0.0.1",
            "client.address": f"10.0.0.{chance.randrange(50)}",
            "url.path": f"/api/v1/work-orders/{chance.randrange(100_000)}",
            "user_agent.original": chance.choice(["Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0", "curl/8.1"]),
        }
        for key, text in texts.items():
            span.attributes.add(key=key).value.string_value = text
        span.attributes.add(key="http.response.status_code").value.int_value = chance.choice([200, 200, 404])
        span.attributes.add(key="client.port").value.int_value = chance.randrange(30_000, 60_000)
    return message.SerializeToString()


def decode() -> None:
    """Decode, flatten, redact, project and encode against protobuf's own parse of the same bytes."""
    bodies = [request(seed) for seed in range(60)]
    decoder = Decoder(redactor=Redactor(), limits=DecodingLimits())
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)

    def flatten(body: bytes) -> None:
        list(decoder.decode_traces(body, PROJECTION, encoding="protobuf", received_unix_nano=1))

    parse_one = ExportTraceServiceRequest.FromString
    parse_seconds, decode_seconds = [], []
    for body in bodies:
        parse_seconds.append(min(_timed(parse_one, body) for _ in range(3)))
        decode_seconds.append(_timed(flatten, body))
    recorded = _recorded()
    recorded_ratio = statistics.median(
        _timed(flatten, body) / min(_timed(parse_one, body) for _ in range(3)) for body in recorded
    )
    warm_seconds = [_timed(flatten, body) for body in bodies[-8:]]
    parse, decoding = statistics.median(parse_seconds), statistics.median(decode_seconds)
    ratio = statistics.median(one / other for one, other in zip(decode_seconds, parse_seconds, strict=True))
    print("decode, 512-span requests, ten attributes a span")
    print(f"  protobuf's parse      {SPANS / parse:12,.0f} spans/s")
    print(f"  decode, new requests  {SPANS / decoding:12,.0f} spans/s   1/{ratio:.1f} of the parse")
    print(f"  decode, recorded spans {'':20} 1/{recorded_ratio:.1f} of the parse")
    warm = statistics.median(warm_seconds)
    print(f"  decode, seen requests {SPANS / warm:12,.0f} spans/s   1/{warm / parse:.1f} of the parse")


def _recorded() -> list[bytes]:
    """The spans of a real backend that travel with the tests, with new ids and times in each request."""
    folder = Path(__file__).parent.parent / "tests" / "data" / "otlp" / "clean" / "traces"
    source = ExportTraceServiceRequest()
    for path in sorted(folder.glob("*.pb")):
        source.MergeFromString(path.read_bytes())
    outer = source.resource_spans[0]
    spans = [span for scope in outer.scope_spans for span in scope.spans if len(span.attributes) > MANY]
    chance = random.Random(3)  # noqa: S311  # sample data
    requests = []
    for _ in range(20):
        message = ExportTraceServiceRequest()
        copy = message.resource_spans.add(resource=outer.resource)
        scope = copy.scope_spans.add(scope=outer.scope_spans[0].scope)
        for number in range(SPANS):
            span = scope.spans.add()
            span.CopyFrom(spans[number % len(spans)])
            span.trace_id, span.span_id = chance.randbytes(16), chance.randbytes(8)
            span.start_time_unix_nano += chance.randrange(10**9)
            span.end_time_unix_nano = span.start_time_unix_nano + chance.randrange(10**8)
        requests.append(message.SerializeToString())
    return requests


def _timed(call: Callable[[bytes], object], body: bytes) -> float:
    started = time.perf_counter()
    call(body)
    return time.perf_counter() - started


def send(sidecar: Sidecar, bodies: list[bytes], clients: int, seconds: float) -> int:
    """Requests acknowledged by `clients` in parallel within `seconds`."""
    ends = time.monotonic() + seconds
    counts = [0] * clients

    def run(client: int) -> None:
        connection = sidecar.connect()
        while time.monotonic() < ends:
            connection.request("POST", "/v1/traces", bodies[(client + counts[client]) % len(bodies)], PROTOBUF)
            response = connection.getresponse()
            response.read()
            assert response.status == http.client.OK
            counts[client] += 1
        connection.close()

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def durability() -> None:
    """Synced group commit against written, 8 clients, in turn, so that the machine's moods hit both."""
    bodies = [request(seed) for seed in range(40)]
    done: dict[str, list[int]] = {"synced": [], "written": []}
    with tempfile.TemporaryDirectory() as folder:
        sidecars = {
            mode: Sidecar(Path(folder) / mode, {"exporters": {"jsonl": {"durability": mode}}}).start() for mode in done
        }
        for _ in range(7):
            for mode, sidecar in sidecars.items():
                done[mode].append(send(sidecar, bodies, 8, 3))
        for sidecar in sidecars.values():
            sidecar.stop()
    ratios = [synced / written for synced, written in zip(done["synced"], done["written"], strict=True)]
    print("durability, 8 clients, 512-span requests, 3 s a round")
    for mode, counts in done.items():
        print(f"  {mode:<8}{statistics.median(counts) * SPANS / 3:12,.0f} spans/s")
    print(f"  synced costs {100 * (1 - statistics.median(ratios)):.0f} % of the throughput")


def memory(seconds: float = 60) -> None:
    """RSS of the collector during a minute at full speed."""
    bodies = [request(seed) for seed in range(200)]
    with tempfile.TemporaryDirectory() as folder, Sidecar(Path(folder)) as sidecar:
        process = psutil.Process(sidecar.process.pid)
        samples: list[int] = []
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(0.5):
                samples.append(process.memory_info().rss)

        sampling = threading.Thread(target=sample)
        sampling.start()
        requests = send(sidecar, bodies, 4, seconds)
        ended.set()
        sampling.join()
    third = len(samples) // 3
    print(f"memory, {seconds:.0f} s at full speed, 512-span requests ({requests * SPANS / seconds:,.0f} spans/s)")
    print(f"  RSS, first third {statistics.median(samples[:third]) / MIB:6.0f} MiB")
    print(f"  RSS, last third  {statistics.median(samples[-third:]) / MIB:6.0f} MiB")
    print(f"  RSS, highest     {max(samples) / MIB:6.0f} MiB")


def large() -> None:
    """RSS for a body of 64 MiB, and how small requests fare beside it."""
    one = request(1, 4096)
    body = one * (64 * MIB // len(one))
    small = request(2, 5)
    with tempfile.TemporaryDirectory() as folder, Sidecar(Path(folder)) as sidecar:
        process = psutil.Process(sidecar.process.pid)
        send(sidecar, [small], 1, 1)
        highest, waits = 0, []
        sender = threading.Thread(target=_post, args=(sidecar, body))
        sender.start()
        connection = sidecar.connect()
        while sender.is_alive():
            highest = max(highest, process.memory_info().rss)
            started = time.perf_counter()
            connection.request("POST", "/v1/traces", small, PROTOBUF)
            connection.getresponse().read()
            waits.append(time.perf_counter() - started)
        connection.close()
    waits.sort()
    print(f"large, one body of {len(body) / MIB:.0f} MiB beside requests of 5 spans")
    print(f"  RSS, highest     {highest / MIB:6.0f} MiB")
    print(
        f"  small requests: p50 {1000 * waits[len(waits) // 2]:.1f} ms, p99 {1000 * waits[-len(waits) // 100]:.1f} ms"
    )


def _post(sidecar: Sidecar, body: bytes) -> None:
    connection = http.client.HTTPConnection(sidecar.endpoints["http"], timeout=120)
    connection.request("POST", "/v1/traces", body, PROTOBUF)
    response = connection.getresponse()
    response.read()
    assert response.status == http.client.OK, response.status
    connection.close()


def idle(seconds: float = 30) -> None:
    """RSS and CPU of a collector that nobody sends to."""
    with tempfile.TemporaryDirectory() as folder, Sidecar(Path(folder)) as sidecar:
        process = psutil.Process(sidecar.process.pid)
        before = process.cpu_times()
        time.sleep(seconds)
        after = process.cpu_times()
        used = after.user + after.system - before.user - before.system
        print(f"idle, {seconds:.0f} s")
        print(f"  RSS {process.memory_info().rss / MIB:.0f} MiB, CPU {100 * used / seconds:.2f} % of a core")


if __name__ == "__main__":
    parts = {part.__name__: part for part in (decode, durability, memory, large, idle)}
    for name in sys.argv[1:] or parts:
        parts[name]()
