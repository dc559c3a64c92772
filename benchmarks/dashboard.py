"""How soon the pages are there, how large they are, and what a hundred of them, open, cost the ingest.

python benchmarks/dashboard.py            # everything; about five minutes
python benchmarks/dashboard.py overview   # one of: overview, ingest
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import orjson
import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.ingest import SPANS, request
from dashboard.view import instant
from processors.histogram import of_values
from processors.rollups import STREAMS, Subject, Summary
from storage.names import hour_of
from tests.support.otlp import PROTOBUF
from tests.support.pages import pages_of, wait_until
from tests.support.sidecar import WITH_PAGES, Sidecar
from tests.support.volume import DAY, HOUR, MINUTE, record_volume

DAILY = 1_000_000
DAYS = 31
PAGES = 100
GZIP = {"Accept-Encoding": "gzip"}
_COLD = 3
_WARM = 5
_CLIENTS = 4
_ROUND_SECONDS = 5.0
_SPREAD_SECONDS = 10.0
"""In which the pages are opened: as long as they take between two looks."""
_KILO = 1000
_ASSET = re.compile(r'(?:<script src|<link rel="stylesheet" href)="([^"]+)"')
_IMPORT = re.compile(r'(?:from|import)\s*\(?\s*"(\./[^"]+\.js)"')


def line(what: str, value: float, unit: str, goal: float | None = None) -> None:
    told = "" if goal is None else f"   goal < {goal:g} {unit}{'' if value < goal else '   MISSED'}"
    print(f"{what:<58}{value:9.3f} {unit}{told}", flush=True)


@contextmanager
def standalone(folder: Path) -> Iterator[str]:
    """`forecourt dashboard` over a folder; its address."""
    command = [sys.executable, "-m", "operations", "dashboard", "--logs", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            words = (word for told in process.stdout for word in told.split())
            address = next((word for word in words if word.startswith("http://")), None)
            assert address is not None, "the pages did not start"
            yield address
        finally:
            process.terminate()


def get(address: str, path: str, **headers: str) -> tuple[float, bytes]:
    """Seconds, and the body as it was sent."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    began = time.perf_counter()
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    taken = time.perf_counter() - began
    connection.close()
    assert answer.status == http.client.OK, body[:500]
    return taken, body


def looking_back(now: int, days: float) -> str:
    period = {"from": instant(now - int(days * DAY)), "to": instant(now)}
    return f"/overview?{urlencode(period)}"


def record(folder: Path, end: int, daily: int) -> None:
    """A month of requests and of the machine."""
    record_volume(folder, end, daily=daily, days=DAYS)
    for resolution, step in (("1min", MINUTE), ("1h", HOUR), ("1d", DAY)):
        for start in range(end - DAYS * DAY, end, max(step, HOUR)):
            with (folder / STREAMS[resolution] / f"{hour_of(start)}.jsonl").open("ab") as segment:
                segment.write(b"".join(_machine(resolution, start, min(step, HOUR))))


def _machine(resolution: str, start: int, step: int) -> Iterator[bytes]:
    """Its processors, memory and disk, every ten seconds, in each step of the hour that begins at `start`."""
    for indicator, share in (("host.cpu", 0.4), ("host.memory", 0.6), ("host.disk", 0.7)):
        values = of_values(share + 0.01 * (number % 7) for number in range(max(1, step // (10 * 10**9))))
        fields = Summary(Subject(indicator, ("host.name",), ("web-1",)), resolution, 0, 0, values).fields()
        for time_unix_nano in range(start, start + HOUR, step):
            times = {"time_unix_nano": time_unix_nano, "received_unix_nano": time_unix_nano + step}
            yield orjson.dumps({**times, "service": "forecourt", **fields}, option=orjson.OPT_APPEND_NEWLINE)


def overview(daily: int) -> None:
    """Over a month of rollups; `cold` is the first question to a new process, `warm` each with another end."""
    with tempfile.TemporaryDirectory() as name:
        folder, end = Path(name, "logs"), time.time_ns() // DAY * DAY
        record(folder, end, daily)
        now = end - 20 * MINUTE
        print(f"overview, {daily:,} requests a day, ends at odd minutes, seen as of then")
        for days, told in ((30, "30 days"), (7, "7 days"), (1, "24 h"), (1 / 24, "1 h")):
            cold = []
            for _ in range(_COLD):
                with standalone(folder) as address:
                    cold.append(get(address, looking_back(now, days), HX_Request="true")[0])
                    warm = [
                        get(address, looking_back(now - number * 7 * MINUTE, days), HX_Request="true")[0]
                        for number in range(1, 1 + _WARM)
                    ]
            line(f"  content, {told}, cold", statistics.median(cold), "s", 1.0)
            line(f"  content, {told}, warm", statistics.median(warm), "s", 1.0)
        with standalone(folder) as address:
            first = get(address, looking_back(now, 30))[0] + get(address, "/static/app.css", **GZIP)[0]
            line("  page without content and style sheet, from a new process", first, "s", 0.3)
            sizes(address, looking_back(now, 30))


def sizes(address: str, path: str) -> None:
    """All that a browser loads for the page: HTML, style sheets, scripts and what they import."""
    get(address, path, HX_Request="true")  # so that the content is in it
    page = get(address, path, **GZIP)[1]
    wanted = _ASSET.findall(page.decode())
    sent, packed, known = len(page), len(gzip.compress(page)), set[str]()
    html_packed = packed
    while wanted:
        asset = wanted.pop()
        if asset in known:
            continue
        known.add(asset)
        plain = get(address, asset)[1]
        sent += len(get(address, asset, Accept_Encoding="gzip")[1])
        packed += len(gzip.compress(plain))
        wanted += [urljoin(asset, one) for one in _IMPORT.findall(plain.decode())]
    print(f"size of the whole page: HTML and {len(known)} files")
    line("  HTML", len(page) / _KILO, "kB")
    line("  HTML, gzipped", html_packed / _KILO, "kB")
    line("  all, gzipped", packed / _KILO, "kB", 400)
    line("  all, as sent", sent / _KILO, "kB", 400)


def ingest(rounds: int) -> None:
    """With a hundred pages open and with none, in turn, so that the machine's moods hit both."""
    with tempfile.TemporaryDirectory() as name, Sidecar(Path(name), WITH_PAGES) as sidecar:
        row = pages_of(sidecar.logs)
        web = psutil.Process(row.pid)
        _send(sidecar, _ROUND_SECONDS)
        alone: list[list[float]] = []
        looked_at: list[list[float]] = []
        used: list[float] = []
        events: list[int] = []
        for _ in range(rounds):
            alone.append(_send(sidecar, _ROUND_SECONDS))
            with open_pages(row.endpoints["dashboard"], PAGES) as received:
                before, had = _seconds_of(web), received()
                looked_at.append(_send(sidecar, _ROUND_SECONDS))
                used.append((_seconds_of(web) - before) / _ROUND_SECONDS)
                events.append(received() - had)
        priority = web.nice()
        shown = get(row.endpoints["dashboard"], "/overview", HX_Request="true")[1]
        assert b"No request was recorded" not in shown, "the pages show nothing"
    print(f"ingest, {_CLIENTS} clients, {SPANS}-span requests, {_ROUND_SECONDS:g} s a round, {rounds} rounds of each")
    for told, found in (("no page open", alone), (f"{PAGES} pages open", looked_at)):
        line(f"  {told}", statistics.median(map(len, found)) * SPANS / _ROUND_SECONDS / _KILO, "k spans/s")
        for percent in (50, 99):
            line(f"  {told}, p{percent}", _KILO * statistics.median(_at(one, percent) for one in found), "ms")
    ratios = [len(one) / len(other) for one, other in zip(looked_at, alone, strict=True)]
    line("  the pages cost", 100 * (1 - statistics.median(ratios)), "%", 10)
    line(f"  the web process (nice {priority}) uses", 100 * statistics.median(used), "% of a core")
    line("  pages changed, in a round", statistics.median(events), "times")


def _bodies() -> list[bytes]:
    """Of this moment, so that the pages have something to show."""
    bodies = []
    for seed in range(40):
        message = ExportTraceServiceRequest.FromString(request(seed))
        spans = message.resource_spans[0].scope_spans[0].spans
        later = time.time_ns() - spans[-1].end_time_unix_nano
        for span in spans:
            span.start_time_unix_nano += later
            span.end_time_unix_nano += later
        bodies.append(message.SerializeToString())
    return bodies


def _mark(client: int, number: int) -> bytes:
    """At the end of a body it makes it another one: what is sent again is judged once."""
    message = ExportTraceServiceRequest()
    message.resource_spans.add(schema_url=f"{client}/{number}")
    return message.SerializeToString()


def _send(sidecar: Sidecar, seconds: float) -> list[float]:
    """The seconds that each acknowledged request took."""
    bodies = _bodies()
    ends = time.monotonic() + seconds
    taken: list[list[float]] = [[] for _ in range(_CLIENTS)]

    def run(client: int) -> None:
        connection = sidecar.connect()
        while (began := time.monotonic()) < ends:
            body = bodies[(client + len(taken[client])) % len(bodies)] + _mark(client, len(taken[client]))
            connection.request("POST", "/v1/traces", body, PROTOBUF)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == http.client.OK, answer.status
            taken[client].append(time.monotonic() - began)
        connection.close()

    threads = [threading.Thread(target=run, args=(client,)) for client in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(one for of_client in taken for one in of_client)


@contextmanager
def open_pages(address: str, count: int) -> Iterator[Callable[[], int]]:
    """As browsers keep them open, begun one after another; how often they were told of a change."""
    host, port = str(urlsplit(address).hostname), int(urlsplit(address).port or 0)
    asking = f"GET /live?path=/overview HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
    sockets: list[socket.socket] = []
    told = [0] * count

    def read(index: int, connection: socket.socket) -> None:
        last = b""
        while part := connection.recv(65536):
            told[index] += (last + part).count(b"event: content")
            last = part[-13:]

    threads = []
    try:
        for index in range(count):
            connection = socket.create_connection((host, port))
            sockets.append(connection)
            connection.sendall(asking)
            threads.append(threading.Thread(target=read, args=(index, connection)))
            threads[-1].start()
            time.sleep(_SPREAD_SECONDS / count)
        wait_until(lambda: all(told), f"{told.count(0)} of {count} pages have no content")
        yield lambda: sum(told)
    finally:
        for connection in sockets:
            connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for connection in sockets:
            connection.close()


def _seconds_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _at(ascending: Sequence[float], percent: int) -> float:
    return ascending[(len(ascending) - 1) * percent // 100]


def main(arguments: Sequence[str]) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("part", nargs="?", choices=("overview", "ingest"))
    options.add_argument("--daily", type=int, default=DAILY, help="requests a day")
    options.add_argument("--rounds", type=int, default=7, help="of ingest with pages and without")
    given = options.parse_args(arguments)
    if given.part in (None, "overview"):
        overview(given.daily)
    if given.part in (None, "ingest"):
        ingest(given.rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
