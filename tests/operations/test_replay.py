"""`forecourt replay`: what is chosen, what arrives, and what happens when the receiver is difficult."""

from __future__ import annotations

import gzip
import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest
import trustme
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.exporting.target import Failure, SendError, Taken
from operations.replaying import replay, sending
from operations.replaying.progress import Signs
from operations.replaying.sending import Sender
from tests.collector.decoding.requests import decode
from tests.conftest import ROOT
from tests.support.hostile_receiver import (
    Behaviour,
    Received,
    grpc_answer,
    grpc_refusal,
    http_answer,
    http_half,
    scripted_grpc,
    scripted_http,
)
from tests.support.replaying import SECOND, WHOLE, log, replayed, span, summary
from tests.support.sidecar import Sidecar
from tests.support.stored import HOUR, store


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECOURT_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request for each record, and hardly a pause."""
    monkeypatch.setattr(replay, "_BATCH_BYTES", 1)
    monkeypatch.setattr(replay, "_SAVE_SECONDS", 0.0)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_FIRST_PAUSE_SECONDS", 0.01)


def spans(taken: Sequence[Received]) -> Iterator[Any]:
    for received in taken:
        for resource in ExportTraceServiceRequest.FromString(received.body).resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


def names(taken: Sequence[Received]) -> list[str]:
    return [span.name for span in spans(taken)]


def named(*numbers: int) -> list[str]:
    return [f"span {number}" for number in numbers]


_THEIRS = {"received_unix_nano", "batch_id", "batch_index", "timestamp"}
"""Of the arrival; the timestamp of what has no time is that of its arrival."""


def _recorded(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The recordings of all signals, as records and in a folder of them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((ROOT / "tests/data/otlp/clean").glob("*/*.pb")):
        found.setdefault(path.parent.name, []).extend(decode(path.parent.name, path.read_bytes())[0])
    for stream, records in found.items():
        store(folder, stream, *records)
    return found


def _sent(record: dict[str, Any]) -> bytes:
    kept = {key: value for key, value in record.items() if key not in _THEIRS}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)


def test_what_arrives_is_what_was(tmp_path: Path) -> None:
    """A second sidecar has the same records of each signal over HTTP and over gRPC, and its own are refused to it."""
    recorded = _recorded(tmp_path / "recorded")
    period = ("--from", "1970-01-02", "--to", "2200-01-01")
    with Sidecar(tmp_path / "viewer") as viewer:
        over: list[tuple[str, tuple[str, ...]]] = [
            (viewer.url("http"), ()),
            (viewer.endpoints["grpc"], ("--protocol", "grpc")),
        ]
        for endpoint, arguments in over:
            done = replayed(endpoint, tmp_path / "recorded", "--json", *arguments, period=period)
            assert done.exit_code == 0, done.output
            assert summary(done)["records"] == {signal: len(records) for signal, records in recorded.items()}
        for endpoint, arguments in over:
            refused = replayed(endpoint, viewer.logs, *arguments, period=period)
            assert refused.exit_code == 2
            assert "there listens the sidecar that fills" in refused.stderr
        for signal, records in recorded.items():
            assert sorted(map(_sent, viewer.records(signal))) == sorted(2 * [_sent(one) for one in records]), signal


def test_records_are_chosen_by_when_they_happened(tmp_path: Path) -> None:
    """From the beginning on and before the end; of named services and signals; a time of 0 is that of the arrival."""
    records = [span(0), span(9, received_unix_nano=HOUR), span(10), span(19), span(20), span(15, service="other")]
    timeless = span(12, time_unix_nano=0, received_unix_nano=HOUR + 12 * SECOND)
    logs = store(tmp_path / "logs", "traces", *records, timeless)
    store(logs, "logs", log(11), log(12, time_unix_nano=0), log(30))
    store(logs, "errors", {"message": "derived"})
    period = ("--from", "2026-11-23T12:00:10", "--to", "2026-11-23T12:00:20")
    with scripted_http() as server:
        done = replayed(server.url, logs, "--json", period=period)
        assert summary(done)["records"] == {"traces": 4, "logs": 2}
        assert sorted(names([one for one in server.taken if one.signal == "traces"])) == named(10, 12, 15, 19)
        server.taken.clear()
        done = replayed(server.url, logs, "--json", "--signal", "traces", "--service", "other", period=period)
        assert (summary(done)["records"], names(server.taken)) == ({"traces": 1}, named(15))


def test_plain_compressed_and_archived_segments_are_read_and_repeats_left_out(tmp_path: Path) -> None:
    """Each once, in the order of arrival; a torn end and lines that are no record are passed over, and told."""
    logs = tmp_path / "logs"
    for hour, number, place in ((9, 1, "archive"), (10, 2, "logs"), (12, 3, "logs")):
        of_hour = span(number, batch_id=f"of {hour}"), span(number, name="again", batch_id=f"of {hour}")
        path = store(tmp_path / place, "traces", *of_hour) / "traces"
        path = (path / "2026-11-23T12.jsonl").rename(path / f"2026-11-23T{hour:02}.jsonl")
        if hour < 12:
            content = path.read_bytes().replace(b'"batch_index":1', b'"batch_index":0')
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content))
            path.unlink()
        else:
            path.write_bytes(b'not json\n[]\n{"received_unix_nano":1}\n' + path.read_bytes() + b'{"torn"')
    period = ("--from", "2026-11-23", "--to", "2026-11-24")
    with scripted_http() as server:
        done = replayed(server.url, logs, "--json", period=period)
    assert names(server.taken) == [*named(1, 2, 3), "again"]
    told = summary(done)
    assert (told["records"], told["repeated"], told["unreadable_lines"]) == ({"traces": 4}, 2, 3)


@pytest.mark.usefixtures("short_pauses")
def test_a_receiver_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """As long as it asks for or a growing pause; each wait is told; half an answer is none."""
    logs = store(tmp_path / "logs", "traces", span(1))
    away = [http_answer(503), http_answer(429, headers={"Retry-After": "0"}), http_half()]
    with scripted_http(away) as server:
        done = replayed(server.url, logs, "--json")
    assert (done.exit_code, summary(done)["records"], summary(done)["requests"]) == (0, {"traces": 1}, 4)
    assert done.stderr.count("trying again in") == 3
    busy = [grpc_refusal(grpc.StatusCode.UNAVAILABLE, "away", retry_after_seconds=0.02)]
    with scripted_grpc(busy) as server:
        done = replayed(server.endpoint, logs, "--protocol", "grpc")
    assert (done.exit_code, names(server.taken)) == (0, named(1))
    assert "trying again in 0.02 s" in done.stderr


@pytest.mark.usefixtures("short_pauses", "small_batches")
@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (http_answer(503, headers={"Retry-After": "600"}), "asks to wait 600 s; given up after 2s"),
        (http_answer(401), "401"),
        (http_answer(404), "(--signal leaves signals out)"),
    ],
)
def test_what_stops_a_replay_stops_it_at_once_and_the_same_command_goes_on(
    tmp_path: Path, problem: Behaviour, told: str
) -> None:
    """With exit code 1; nothing is sent again that was taken, and when it is whole nothing is remembered."""
    logs = store(tmp_path / "logs", "traces", *map(span, range(4)))
    with scripted_http([http_answer(), http_answer(), problem]) as server:
        stopped = replayed(server.url, logs, "--give-up-after", "2s", "--json")
        assert (stopped.exit_code, summary(stopped)["records"], summary(stopped)["finished"]) == (
            1,
            {"traces": 2},
            False,
        )
        assert told in stopped.stderr
        assert "the same command goes on from there" in stopped.stderr
        others = replayed(server.url, logs, "--dry-run", "--signal", "traces")
        assert others.stdout.startswith("4 records (traces 4) would be sent")
        went_on = replayed(server.url, logs, "--give-up-after", "2s", "--json")
        assert (went_on.exit_code, summary(went_on)["records"], summary(went_on)["sent_before"]) == (
            0,
            {"traces": 2},
            {"traces": 2},
        )
        assert "going on after 2 records" in went_on.stderr
        assert names(server.taken) == named(0, 1, 2, 3)
        assert list((tmp_path / "state" / "replay").iterdir()) == []


@pytest.mark.parametrize(
    ("problem", "arguments", "hinted"),
    [
        (404, (), True),
        (404, ("--signal", "traces"), False),
        (401, (), False),
        (403, ("--signal", "traces", "--signal", "logs"), False),
    ],
)
def test_leaving_a_signal_out_is_advised_where_that_helps(
    tmp_path: Path, problem: int, arguments: Sequence[str], *, hinted: bool
) -> None:
    """Only a signal that is not known there, and only if others were chosen with it."""
    logs = store(tmp_path / "logs", "traces", span(1))
    with scripted_http([http_answer(problem)]) as server:
        done = replayed(server.url, logs, *arguments)
    hint = " (--signal leaves signals out)" if hinted else ""
    told = f"stopped: traces: {server.url}/v1/traces answered {problem}{hint}; the same command goes on from there\n"
    assert (done.exit_code, done.stderr) == (1, told)


def test_a_signal_that_is_unknown_over_grpc_is_one_too(tmp_path: Path) -> None:
    """As Jaeger answers metrics."""
    logs = store(tmp_path / "logs", "traces", span(1))
    with scripted_grpc([grpc_refusal(grpc.StatusCode.UNIMPLEMENTED, "unknown service")]) as server:
        done = replayed(server.endpoint, logs, "--protocol", "grpc")
    assert "answered UNIMPLEMENTED: unknown service (--signal leaves signals out)" in done.stderr


def test_who_asks_for_a_service_that_none_is_of_hears_which_there_are(tmp_path: Path) -> None:
    """A few of those in the period, in one line on stderr; nothing where some were chosen, or no others are there."""
    services = [f"app-{number}" for number in range(9)]
    many = [span(60 + number, service=name) for number, name in enumerate(services)]
    logs = store(tmp_path / "logs", "traces", span(1), span(2, service="b\x1b[31mad"), span(3), *many)
    minute = ("--from", "2026-11-23T12:00", "--to", "2026-11-23T12:01")
    with scripted_http() as server:

        def told(*arguments: str, period: Sequence[str] = minute) -> tuple[int, str]:
            done = replayed(server.url, logs, *arguments, period=period)
            return done.exit_code, done.stderr

        assert told("--service", "nosuch", "--service", "none") == (
            0,
            "no traces or metrics or logs of none, nosuch in this time; there are of: app, b [31mad\n",
        )
        assert told("--service", "nosuch", "--signal", "traces", "--dry-run", period=WHOLE) == (
            0,
            f"no traces of nosuch in this time; there are of: app, {', '.join(services[:6])}, b [31mad and others\n",
        )
        assert told("--service", "nosuch", "--signal", "logs") == (0, "")
        assert told("--service", "nosuch", "--service", "app") == (0, "")
        assert told("--service", "nosuch", period=("--from", "2026-11-23T13:00")) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--header", "x-tenant=a\nb"), "--header: 'x-tenant' has a line's end in its value"),
        (("--protocol", "grpc", "--header", "x-tenant=Zürich"), "--header: 'x-tenant' has a value that gRPC can't"),
        (("--ca-file", __file__), f"--ca-file: {__file__!r} holds no certificate"),
    ],
)
def test_what_can_not_be_sent_along_is_refused(tmp_path: Path, arguments: Sequence[str], problem: str) -> None:
    """By the option that gave it, before anything is sent."""
    done = replayed("http://127.0.0.1:9", tmp_path, *arguments)
    assert (done.exit_code, problem in done.stderr) == (2, True)


@pytest.mark.usefixtures("short_pauses", "small_batches")
def test_restart_begins_anew(tmp_path: Path) -> None:
    """And another period is another replay."""
    logs = store(tmp_path / "logs", "traces", *map(span, range(3)))
    with scripted_http([http_answer(), http_answer(401)]) as server:
        assert replayed(server.url, logs).exit_code == 1
        assert replayed(server.url, logs, period=("--from", "2026-11-23T12:00:01")).exit_code == 0
        assert names(server.taken) == named(0, 1, 2)
        assert replayed(server.url, logs, "--restart").exit_code == 0
        assert names(server.taken) == named(0, 1, 2, 0, 1, 2)


@pytest.mark.parametrize("status", [400, 413])
def test_one_bad_record_costs_no_other(tmp_path: Path, status: int) -> None:
    """It is looked for in halves, counted, and its reason shown; the exit code says that not all was taken."""
    logs = store(tmp_path / "logs", "traces", *map(span, range(3)))
    reason = Status(message="a bad span").SerializeToString()
    refused = http_answer(status, reason)
    with scripted_http([refused, http_answer(), refused, refused]) as server:
        done = replayed(server.url, logs, "--json")
    told = summary(done)
    assert (done.exit_code, told["finished"], told["records"], told["refused"]) == (1, True, {"traces": 2}, 1)
    assert (names(server.taken), told["requests"]) == (named(0, 2), 5)
    assert told["reasons"][0].startswith("traces: ")
    assert "a bad span" in told["reasons"][0]


class _Picky:
    """Takes only requests without a span of these names."""

    def __init__(self, bad: list[str]) -> None:
        self._bad = set(bad)
        self.taken: list[str] = []

    def send(self, signal: str, body: bytes) -> Taken:
        found = names([Received(signal, "", {}, body)])
        if self._bad & set(found):
            raise SendError("a bad span", Failure.MALFORMED)
        self.taken += found
        return Taken()

    def close(self) -> None: ...


def _never(_seconds: float) -> None:
    raise AssertionError("it need not wait")


@pytest.mark.parametrize(("bad", "refused"), [([700], 1), ([3, 600], 6), (range(0, 1000, 200), 187)])
def test_bad_records_are_found_by_at_most_so_many_requests(bad: Sequence[int], refused: int) -> None:
    """One of a thousand costs no other; of more, the parts in which they are after 32 requests are refused."""
    target = _Picky(named(*bad))
    sender = Sender(target, 1.0, tell=pytest.fail, wait=_never)
    lines = [orjson.dumps(span(number)) for number in range(1000)]
    delivery = sender.deliver("traces", [line + b"\n" for line in lines], 0)
    assert delivery.records == len(target.taken) == 1000 - delivery.refused
    assert (delivery.refused, delivery.reasons) == (refused, ["traces: a bad span"])
    assert sender.requests <= 33


def test_a_receiver_that_takes_nothing_at_all_is_told_before_everything_is_refused(tmp_path: Path) -> None:
    """It stops with the first batch, which is tried again by the same command."""
    logs = store(tmp_path / "logs", "traces", *map(span, range(200)))
    with scripted_http([http_answer(400) for _ in range(33)]) as server:
        done = replayed(server.url, logs)
        assert done.exit_code == 1
        assert "none of the first 200 records was taken" in done.stderr
        assert replayed(server.url, logs).exit_code == 0
    assert names(server.taken) == named(*range(200))


def test_partial_success_is_counted(tmp_path: Path) -> None:
    """With the receiver's own reason, harmless on a terminal."""
    logs = store(tmp_path / "logs", "traces", *map(span, range(5)))
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 2
    partial.partial_success.error_message = "too \x1b[31mold"
    answer = partial.SerializeToString()
    with scripted_http([http_answer(200, answer)]) as http, scripted_grpc([grpc_answer(answer)]) as over_grpc:
        for endpoint, protocol in ((http.url, "http"), (over_grpc.endpoint, "grpc")):
            done = replayed(endpoint, logs, "--protocol", protocol)
            assert done.exit_code == 1
            assert done.stdout.startswith("3 records (traces 3) sent to ")
            assert "2 records refused for good:\n  traces: too [31mold\n" in done.stderr


def test_headers_are_sent_and_never_told(tmp_path: Path) -> None:
    logs = store(tmp_path / "logs", "traces", span(1))
    header = ("--header", "Authorization=Bearer s3cr3t=", "--header", "x-scope=a")
    with scripted_http([http_answer(401, b"no")]) as server:
        refused = replayed(server.url, logs, *header)
        done = replayed(server.url, logs, *header)
    assert (refused.exit_code, done.exit_code) == (1, 0)
    assert server.taken[0].headers["authorization"] == "Bearer s3cr3t="
    assert server.taken[0].headers["x-scope"] == "a"
    state = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert "s3cr3t" not in f"{refused.output}{done.output}{state!r}"


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_the_position(tmp_path: Path, ending: signal.Signals) -> None:
    """SIGTERM too. In the midst of waiting for what happened an hour later; with the exit code that shells know."""
    logs = store(tmp_path / "logs", "traces", span(0), span(3599), span(3599))
    arguments = ["--to-endpoint", "", "--logs", str(logs), *WHOLE]
    with scripted_http() as server:
        arguments[1] = server.url
        process = subprocess.Popen(
            [sys.executable, "-m", "operations", "replay", *arguments, "--speed", "1x", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 30
        while not list((tmp_path / "state").rglob("*.json")) and time.monotonic() < deadline:
            time.sleep(0.01)
        twice = replayed(server.url, logs)
        assert (twice.exit_code, "the same replay runs already" in twice.stderr) == (1, True)
        process.send_signal(ending)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, json.loads(out)["records"]) == (130, {"traces": 1})
        assert err == "stopped: interrupted; the same command goes on from there\n"
        done = replayed(server.url, logs)
        assert (done.exit_code, names(server.taken)) == (0, named(0, 3599, 3599))


def test_the_last_hours_are_those_of_the_run_that_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though they are others meanwhile; after a day it begins anew. The times stay moved as they were."""
    monkeypatch.setattr(replay, "_BATCH_BYTES", 1)
    logs = store(tmp_path / "logs", "traces", span(0), span(10))
    now = [HOUR + 3600 * SECOND]
    monkeypatch.setattr(time, "time_ns", lambda: now[0])
    last = ("--last", "1h", "--shift-to-now")
    with scripted_http([http_answer(), http_answer(401)]) as server:
        assert replayed(server.url, logs, period=last).exit_code == 1
        now[0] += 7200 * SECOND
        done = replayed(server.url, logs, period=last)
        assert "going on with 2026-11-23T12:00:00Z to 2026-11-23T13:00:00Z after 1 records" in done.stderr
        assert [one.start_time_unix_nano for one in spans(server.taken)] == [HOUR, HOUR + 10 * SECOND]
        server.behaviours.append(http_answer(401))
        assert replayed(server.url, logs, period=("--last", "5h")).exit_code == 1
        now[0] += 24 * 3600 * SECOND
        done = replayed(server.url, logs, "--json", period=("--last", "5h"))
        assert (done.exit_code, summary(done)["records"]) == (0, {})


@pytest.mark.parametrize(("speed", "first", "last"), [("max", -3600, -3590), ("1x", 0, 10), ("100x", -9.9, 0.1)])
def test_times_are_kept_or_moved_by_one_constant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speed: str, first: float, last: float
) -> None:
    """So that the period has ended now, or the first record happens now, or the last as it is sent."""
    end = span(0, end_time_unix_nano=HOUR + SECOND, events=[{"time_unix_nano": 0, "name": "e", "attributes": {}}])
    logs = store(tmp_path / "logs", "traces", end, span(10))
    store(logs, "logs", log(0))
    now = HOUR + 86400 * SECOND
    monkeypatch.setattr(time, "time_ns", lambda: now)
    monkeypatch.setattr(Signs, "wait", lambda *_: None)
    period = WHOLE if speed == "max" else ("--from", "2026-11-23T12:00", "--to", "2026-11-23T12:00:10.000001")
    with scripted_http() as server:
        assert replayed(server.url, logs, "--signal", "traces", period=period).exit_code == 0
        assert [one.start_time_unix_nano for one in spans(server.taken)] == [HOUR, HOUR + 10 * SECOND]
        server.taken.clear()
        assert replayed(server.url, logs, "--shift-to-now", "--speed", speed, period=period).exit_code == 0
    moved = list(spans([one for one in server.taken if one.signal == "traces"]))
    starts = [round((one.start_time_unix_nano - now) / 1e9, 3) for one in moved]
    assert starts == [first, last]
    assert moved[0].end_time_unix_nano - moved[0].start_time_unix_nano == SECOND
    assert moved[0].events[0].time_unix_nano == 0
    (logged,) = [one.body for one in server.taken if one.signal == "logs"]
    (record,) = ExportLogsServiceRequest.FromString(logged).resource_logs[0].scope_logs[0].log_records
    assert record.time_unix_nano == record.observed_time_unix_nano == moved[0].start_time_unix_nano


def test_a_certificate_of_ones_own_is_trusted_when_it_is_named(tmp_path: Path) -> None:
    """Over HTTP and gRPC; without its name nothing is sent."""
    logs = store(tmp_path / "logs", "traces", span(1))
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    key, chain = certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes()
    credentials = grpc.ssl_server_credentials([(key, chain)])
    with scripted_http(tls=context) as http, scripted_grpc(credentials=credentials) as over_grpc:
        for endpoint, protocol in ((http.url, "http"), (f"https://{over_grpc.endpoint}", "grpc")):
            given = ("--protocol", protocol, "--give-up-after", "100ms")
            assert replayed(endpoint, logs, *given).exit_code == 1
            assert replayed(endpoint, logs, *given, "--ca-file", str(tmp_path / "ca.pem")).exit_code == 0
        assert names(http.taken) == names(over_grpc.taken) == named(1)


def test_what_is_damaged_or_gone_is_told_and_the_rest_sent(tmp_path: Path) -> None:
    """With exit code 1; of a damaged segment what comes before the damage."""
    logs = store(tmp_path / "logs", "traces", span(5))
    lines = b"".join(orjson.dumps(span(1, batch_id=f"{n}", batch_index=0)) + b"\n" for n in range(2000))
    (logs / "traces" / "2026-11-23T11.jsonl.gz").write_bytes(gzip.compress(lines)[:-2000])
    with scripted_http() as server:
        done = replayed(server.url, logs)
    assert done.exit_code == 1
    assert "traces/2026-11-23T11.jsonl.gz could not be read to its end: " in done.stderr
    assert names(server.taken)[-1] == "span 5"
