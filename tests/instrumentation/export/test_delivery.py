from __future__ import annotations

import gzip
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from instrumentation.export.delivery import Delivery
from instrumentation.export.spool import FolderSpool, MemorySpool, Waiting
from instrumentation.export.transport import GrpcTransport, HttpTransport, Outcome, Signal, Target
from tests.support import receivers
from tests.support.otlp import span_id, trace_request
from tests.support.sidecar import UntracedSidecar


class Receiver:
    """Answers what the test says; remembers what it took."""

    def __init__(self) -> None:
        self.outcome = Outcome("delivered")
        self.taken: list[bytes] = []
        self.asked = threading.Semaphore(0)

    def send(self, signal: Signal, body: bytes, timeout_seconds: float) -> Outcome:  # noqa: ARG002
        outcome = self.outcome
        if outcome.kind == "delivered":
            self.taken.append(body)
        self.asked.release()
        return outcome

    def close(self) -> None:
        """Nothing is open."""


def _delivery(receiver: Receiver, folder: Path | None = None) -> Delivery:
    fallback = MemorySpool(1 << 20)
    spool = FolderSpool(folder, byte_limit=1 << 20, age_limit_seconds=60) if folder else fallback
    return Delivery(lambda: receiver, spool, fallback)


def _until(done: Callable[[], bool]) -> None:
    for _ in range(500):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def _said(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """By the delivery of this test; what another has instrumented sends to where nobody listens."""
    records = [record for record in caplog.records if record.name == "forecourt"]
    return [record for record in records if "http://127.0.0.1:9/" not in record.message]


def test_what_could_not_be_sent_is_sent_first_when_it_can(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In order, with one line when the sidecar went and one when it came back."""
    caplog.set_level(logging.INFO)
    receiver = Receiver()
    receiver.outcome = Outcome("later", "the sidecar does not answer")
    delivery = _delivery(receiver, tmp_path)
    delivery.send("traces", b"1")
    receiver.asked.acquire(timeout=5)
    delivery.send("traces", b"2")
    _until(lambda: len(list(tmp_path.rglob("*.traces"))) == 2)
    receiver.outcome = Outcome("delivered")
    delivery.send("traces", b"3")
    _until(lambda: len(receiver.taken) == 3)
    assert receiver.taken == [b"1", b"2", b"3"]
    told = [record.levelname for record in _said(caplog) if "the sidecar" in record.message]
    assert told == ["WARNING", "INFO"]
    delivery.shutdown(1.0)


def test_a_request_that_is_refused_for_good_is_given_up_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Else it would keep all that follow from being sent."""
    receiver = Receiver()
    receiver.outcome = Outcome("refused", "the sidecar answers 400")
    delivery = _delivery(receiver)
    delivery.send("logs", b"bad")
    receiver.asked.acquire(timeout=5)
    _until(lambda: delivery.refused == 1)
    receiver.outcome = Outcome("delivered")
    delivery.send("logs", b"good")
    assert delivery.flush(5.0)
    assert (receiver.taken, delivery.dropped) == ([b"good"], 1)
    assert "these logs are given up" in caplog.text
    delivery.shutdown(1.0)


def test_a_spool_that_cannot_be_written_any_more_falls_back_to_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk loses nothing as long as memory lasts."""

    class Full(FolderSpool):
        def add(self, waiting: Waiting) -> None:  # noqa: ARG002  # as a spool has it
            raise OSError(28, "No space left on device")

    receiver = Receiver()
    receiver.outcome = Outcome("later", "away")
    full = Full(tmp_path, byte_limit=1 << 20, age_limit_seconds=60)
    delivery = Delivery(lambda: receiver, full, MemorySpool(1 << 20))
    delivery.send("traces", b"1")
    receiver.asked.acquire(timeout=5)
    receiver.outcome = Outcome("delivered")
    _until(lambda: receiver.taken == [b"1"])
    assert caplog.text.count(f"telemetry waits in {tmp_path}") == 1
    delivery.shutdown(1.0)


def test_at_the_end_what_is_left_is_kept_for_the_next_process(tmp_path: Path) -> None:
    """Also what was being sent when the time was up."""

    class Stuck(Receiver):
        def send(self, signal: Signal, body: bytes, timeout_seconds: float) -> Outcome:
            self.asked.release()
            time.sleep(3)
            return super().send(signal, body, timeout_seconds)

    receiver = Stuck()
    delivery = _delivery(receiver, tmp_path)
    delivery.send("traces", b"1")
    receiver.asked.acquire(timeout=5)
    delivery.send("traces", b"2")
    started = time.monotonic()
    delivery.shutdown(0.3)
    assert time.monotonic() - started < 1.5
    assert sorted(path.read_bytes() for path in tmp_path.rglob("*.traces")) == [b"1", b"2"]


def _target(url: str, **options: object) -> dict[Signal, Target]:
    return {"traces": Target(f"{url}/v1/traces", timeout_seconds=2.0, **options)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, "refused") for status in (400, 413, 415, 500, 501)),
        *((status, "later") for status in (401, 403, 404, 429, 502, 503, 504, 302)),
    ],
)
def test_statuses_are_told_apart_by_whether_another_try_can_help(status: int, kind: str) -> None:
    """OTLP/HTTP's retryable ones, and what an operator can put right: a token, an address."""
    with receivers.listening(receivers.refusing(status)) as url:
        outcome = HttpTransport(_target(url)).send("traces", b"", 2.0)
    assert (outcome.kind, str(status) in outcome.detail) == (kind, True)


@pytest.mark.parametrize("answer", [receivers.garbage, receivers.web_page, receivers.endless])
def test_what_is_no_otlp_receiver_gets_nothing_for_good(answer: receivers.Answer) -> None:
    """A success that OTLP does not know is none."""
    with receivers.listening(answer) as url:
        outcome = HttpTransport(_target(url)).send("traces", b"x", 2.0)
    assert outcome.kind == "later"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_signal_that_the_sidecar_does_not_take_holds_up_no_other(
    tmp_path: Path, protocol: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said which, and that the sidecar's configuration leaves it out; nobody is told to start what runs."""
    made = UntracedSidecar(tmp_path)
    configuration = yaml.safe_load(made.configuration.read_text())
    del configuration["service"]["pipelines"]["metrics"]
    made.configuration.write_text(yaml.safe_dump(configuration))
    with made as sidecar:
        grpc = protocol == "grpc"
        url = sidecar.url("grpc" if grpc else "http")
        signals: list[Signal] = ["metrics", "traces"]
        targets = {signal: Target(url if grpc else f"{url}/v1/{signal}", protocol) for signal in signals}
        make = GrpcTransport if grpc else HttpTransport
        memory = MemorySpool(1 << 20)
        delivery = Delivery(lambda: make(targets), memory, memory)
        delivery.send("metrics", b"whatever")
        delivery.send("traces", trace_request([1]))
        assert delivery.flush(10.0)
        delivery.shutdown(1.0)
        assert [span["span_id"] for span in sidecar.records("traces")] == [span_id(1)]
    (said,) = [record.message for record in _said(caplog)]
    assert said == (
        f"{targets['metrics'].url}: the sidecar takes no metrics (service.pipelines of its configuration has none):"
        " these metrics are given up (requests given up so far: 1)"
    )


START_IT = "until it does. Is the sidecar running? Start it with: forecourt collector"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome("later", "URL answers 404"), "URL answers 404; telemetry waits in memory until it is taken"),
        (Outcome("later", "URL is silent", silent=True), f"URL is silent; telemetry waits in memory {START_IT}"),
    ],
)
def test_only_who_does_not_answer_is_to_be_started(
    outcome: Outcome, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong path or a wrong token is another matter."""
    receiver = Receiver()
    receiver.outcome = outcome
    delivery = _delivery(receiver)
    delivery.send("traces", b"1")
    _until(lambda: bool(_said(caplog)))
    delivery.shutdown(0.1)
    assert [record.message for record in _said(caplog)] == [said]


def test_headers_compression_and_partial_success() -> None:
    """What the target says is sent; what the receiver left out is told."""
    received: list[bytes] = []
    partial = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=1, error_message="too deep")
    ).SerializeToString()

    def answer(connection: receivers.socket.socket) -> None:
        received.append(connection.recv(1 << 16))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(head % len(partial) + partial)

    with receivers.listening(answer) as url:
        target = _target(url, headers={"Authorization": "Bearer abc"}, gzip=True)
        outcome = HttpTransport(target).send("traces", b"x" * 100, 2.0)
    head, _, body = received[0].partition(b"\r\n\r\n")
    assert (outcome.kind, "too deep" in outcome.detail) == ("delivered", True)
    assert b"authorization: bearer abc" in head.lower()
    assert body in {b"", gzip.compress(b"x" * 100)} or gzip.decompress(body) == b"x" * 100


def test_grpc_without_a_server_is_tried_again() -> None:
    """UNAVAILABLE is no verdict on the batch."""
    transport = GrpcTransport({"traces": Target("http://127.0.0.1:9", "grpc")})
    outcome = transport.send("traces", b"", 2.0)
    assert (outcome.kind, "UNAVAILABLE" in outcome.detail) == ("later", True)
    transport.close()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_sidecar_behind_tls_with_a_client_certificate(tmp_path: Path, protocol: Any) -> None:
    """As OTEL_EXPORTER_OTLP_CERTIFICATE and its sisters say; without them it is tried again, and said why."""
    authority = trustme.CA()
    server, client = authority.issue_cert("localhost", "127.0.0.1"), authority.issue_cert("client@example.test")
    server.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    server.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "client-key.pem"))
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    tls = {"tls": {"cert_file": "cert.pem", "key_file": "key.pem", "client_ca_file": "ca.pem"}}
    make = GrpcTransport if protocol == "grpc" else HttpTransport
    with UntracedSidecar(tmp_path, {"receivers": {"otlp": {"protocols": {"grpc": tls, "http": tls}}}}) as sidecar:
        host = sidecar.endpoints["grpc" if protocol == "grpc" else "http"]
        url = f"https://{host}{'' if protocol == 'grpc' else '/v1/traces'}"
        files = {name: str(tmp_path / path) for name, path in _TLS_FILES.items()}
        trusted = make({"traces": Target(url, protocol, **files)})  # type: ignore[arg-type]
        assert trusted.send("traces", trace_request([1]), 5.0) == Outcome("delivered")
        trusted.close()
        stranger = make({"traces": Target(url, protocol, ca_file=str(tmp_path / "ca.pem"))})
        assert stranger.send("traces", trace_request([2]), 2.0).kind == "later"
        stranger.close()
        assert [span["span_id"] for span in sidecar.records("traces")] == [span_id(1)]


_TLS_FILES = {"ca_file": "ca.pem", "certificate_file": "client.pem", "key_file": "client-key.pem"}
