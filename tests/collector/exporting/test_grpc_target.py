"""OTLP/gRPC against a receiver that does its worst, over real sockets."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.exporting.grpc_target import GrpcTarget
from collector.exporting.settings import OtlpGrpcSettings
from collector.exporting.target import Failure, SendError, Taken
from tests.support.hostile_receiver import (
    Behaviour,
    grpc_answer,
    grpc_hang,
    grpc_refusal,
    http_answer,
    scripted_grpc,
    scripted_http,
)
from tests.support.otlp import trace_request

BODY = trace_request([1, 2])
SECRET = "Bearer canary-5ecret"
PLAIN = {"insecure": True}
Status = grpc.StatusCode
NOT_CONNECTED = "failed to connect to all addresses; last error: UNKNOWN: "
REFUSED = ": Failed to connect to remote host: Connection refused"


@contextmanager
def target(endpoint: str, **given: Any) -> Iterator[GrpcTarget]:
    settings = OtlpGrpcSettings.model_validate({"endpoint": endpoint, "tls": PLAIN, **given})
    with closing(GrpcTarget(settings)) as made:
        yield made


def refused(given: GrpcTarget) -> tuple[Failure, float | None, str]:
    with pytest.raises(SendError) as caught:
        given.send("traces", BODY)
    return caught.value.failure, caught.value.retry_after_seconds, str(caught.value)


def answered(*behaviours: Behaviour, **given: Any) -> tuple[Failure, float | None, str]:
    """What comes of the first, with HERE in place of the endpoint; afterwards the target still works."""
    with scripted_grpc(behaviours) as server, target(server.endpoint, **given) as sending:
        failure, wanted, message = refused(sending)
        assert sending.send("traces", BODY) == Taken()
        assert [one.body for one in server.taken][-1:] == [BODY]
        return failure, wanted, message.replace(server.endpoint, "HERE")


def _send_when_found(sending: GrpcTarget) -> None:
    """Soon after a first failure: the pauses between attempts to connect begin at 0.2 s."""
    ends = time.monotonic() + 4
    while True:
        try:
            assert sending.send("traces", BODY) == Taken()
        except SendError as error:
            assert error.failure is Failure.AGAIN  # noqa: PT017  # the only one that passes by itself
            assert time.monotonic() < ends
            time.sleep(0.05)
        else:
            return


@contextmanager
def _counting(endpoint: str) -> Iterator[tuple[str, list[int]]]:
    """An address before `endpoint`, and how many bytes at a time were sent through it."""
    counted: list[int] = []
    host, port = endpoint.split(":")

    def pass_on(source: socket.socket, sink: socket.socket, sizes: list[int]) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sizes.append(len(data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", 0)) as front, socket.create_connection((host, int(port))) as behind:

        def serve() -> None:
            connection, _ = front.accept()
            with connection:
                back = threading.Thread(target=pass_on, args=(behind, connection, []))
                back.start()
                pass_on(connection, behind, counted)
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{front.getsockname()[1]}", counted
        thread.join()


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_request_arrives_as_it_was(compression: str) -> None:
    """With our name and the configured headers, by their lower-cased names."""
    headers = {"Authorization": SECRET, "X-Trace-Bin": "Zürich"}
    with scripted_grpc() as server, target(server.endpoint, compression=compression, headers=headers) as sending:
        for signal in ("traces", "metrics", "logs"):
            assert sending.send(signal, BODY) == Taken()
    assert [(one.signal, one.body) for one in server.taken] == [(one, BODY) for one in ("traces", "metrics", "logs")]
    found = server.taken[0].headers
    assert found["authorization"] == SECRET
    assert found["x-trace-bin"] == "Zürich".encode()
    assert found["user-agent"].startswith(f"forecourt/{metadata.version('forecourt')} grpc-python")


def test_what_is_compressed_is_smaller_on_its_way() -> None:
    """As the network sees it."""
    sizes = []
    for compression in ("none", "gzip"):
        with scripted_grpc() as server, _counting(server.endpoint) as (endpoint, counted):
            with target(endpoint, compression=compression) as sending:
                assert sending.send("traces", trace_request(range(500))) == Taken()
            sizes.append(sum(counted))
    assert sizes[1] < sizes[0] / 5


@pytest.mark.parametrize(
    ("signal", "response"),
    [
        ("traces", ExportTraceServiceResponse(partial_success={"rejected_spans": 3, "error_message": "too old"})),
        (
            "metrics",
            ExportMetricsServiceResponse(partial_success={"rejected_data_points": 3, "error_message": "too old"}),
        ),
        ("logs", ExportLogsServiceResponse(partial_success={"rejected_log_records": 3, "error_message": "too old"})),
    ],
)
def test_what_was_refused_of_a_request_is_told(signal: str, response: Any) -> None:
    """And that nothing was, when nothing was."""
    behaviours = [grpc_answer(response.SerializeToString())]
    with scripted_grpc(behaviours) as server, target(server.endpoint) as sending:
        assert [sending.send(signal, BODY) for _ in range(2)] == [Taken(3, "too old"), Taken()]


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (Status.CANCELLED, Failure.AGAIN),
        (Status.UNKNOWN, Failure.MALFORMED),
        (Status.INVALID_ARGUMENT, Failure.MALFORMED),
        (Status.NOT_FOUND, Failure.REFUSED),
        (Status.ALREADY_EXISTS, Failure.REFUSED),
        (Status.PERMISSION_DENIED, Failure.REFUSED),
        (Status.UNAUTHENTICATED, Failure.REFUSED),
        (Status.RESOURCE_EXHAUSTED, Failure.REFUSED),
        (Status.FAILED_PRECONDITION, Failure.REFUSED),
        (Status.ABORTED, Failure.AGAIN),
        (Status.OUT_OF_RANGE, Failure.AGAIN),
        (Status.UNIMPLEMENTED, Failure.REFUSED),
        (Status.INTERNAL, Failure.MALFORMED),
        (Status.UNAVAILABLE, Failure.AGAIN),
        (Status.DATA_LOSS, Failure.AGAIN),
    ],
)
def test_each_status_has_its_meaning(code: grpc.StatusCode, failure: Failure) -> None:
    """Those that OTLP/gRPC lists as retryable come again, and no other; the reason is told in one short line."""
    found = answered(grpc_refusal(code, "not\n \x1b[31mnow"))
    assert found == (failure, None, f"HERE answered {code.name}: not [31mnow")


@pytest.mark.parametrize("code", [Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED])
def test_how_long_to_wait_is_heard(code: grpc.StatusCode) -> None:
    """RetryInfo also tells that a receiver which has no room now will have some."""
    found = answered(grpc_refusal(code, "full", retry_after_seconds=1.25))
    assert found == (Failure.AGAIN, 1.25, f"HERE answered {code.name}: full")


@pytest.mark.parametrize("trailer", [b"\xff\xff", b"", b"\x1a\x04\x12\x02\xff\xff"])
def test_details_that_cannot_be_read_are_none(trailer: bytes) -> None:
    """The status counts."""
    found = answered(grpc_refusal(Status.UNAVAILABLE, trailer=trailer))
    assert found == (Failure.AGAIN, None, "HERE answered UNAVAILABLE")


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (Status.RESOURCE_EXHAUSTED, "grpc: received message larger than max (5000000 vs. 4194304)"),
        (Status.RESOURCE_EXHAUSTED, "grpc: received message after decompression larger than max 4194304"),
        (Status.RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size 4194304: 5000000"),
        (Status.RESOURCE_EXHAUSTED, "Received message exceeds the maximum configured message size."),
        (Status.OUT_OF_RANGE, "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes"),
    ],
)
def test_a_request_that_is_too_large_is_one_in_every_language(code: grpc.StatusCode, details: str) -> None:
    """As the servers in Go, Java, .NET and Rust say it."""
    assert answered(grpc_refusal(code, details))[0] is Failure.TOO_LARGE


def test_a_request_beyond_the_limit_of_the_receiver_is_too_large() -> None:
    """As gRPC itself refuses it, in Python and C++."""
    with scripted_grpc(max_message_bytes=100) as server, target(server.endpoint) as sending:
        failure, wanted, message = refused(sending)
    assert (failure, wanted) == (Failure.TOO_LARGE, None)
    assert message.startswith(f"{server.endpoint} answered RESOURCE_EXHAUSTED: ")


def test_an_answer_that_cannot_be_read_is_none() -> None:
    """Of another kind, or longer than 4 MiB: the request may have arrived, so it is sent again."""
    other = (Failure.AGAIN, None, "HERE is no OTLP receiver: it answered something else")
    assert answered(grpc_answer(b"\xff\xff")) == other
    failure, _, message = answered(grpc_answer(bytes(5 * 2**20)))
    assert (failure, "larger than max" in message) == (Failure.AGAIN, True)


def test_the_time_is_kept() -> None:
    """A receiver that never answers is given up, and the next request goes through."""
    began = time.monotonic()
    assert answered(grpc_hang(), timeout="300ms") == (Failure.AGAIN, None, "HERE did not answer within 0.3 s")
    assert time.monotonic() - began < 10


def test_a_port_that_says_nothing_is_given_up() -> None:
    """It accepts, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        with target(endpoint, timeout="300ms") as sending:
            assert refused(sending) == (Failure.AGAIN, None, f"{endpoint} did not answer within 0.3 s")


def test_another_kind_of_server_is_told() -> None:
    """One of HTTP/1.1 may be the wrong port, or in front of the right one."""
    with scripted_http([http_answer()]) as server, target(server.endpoint, timeout="1s") as sending:
        failure, _, message = refused(sending)
    assert failure is Failure.AGAIN
    assert message.startswith(server.endpoint)


@pytest.mark.parametrize(
    ("details", "told"),
    [
        (f"{NOT_CONNECTED}ipv4:10.0.0.7:3128{REFUSED}", "HERE can't be reached at 10.0.0.7:3128: Connection refused"),
        (f"{NOT_CONNECTED}ipv6:%5B::1%5D:4317{REFUSED}", "HERE can't be reached at [::1]:4317: Connection refused"),
        (
            "errors resolving v:1: [field:hostname lookup error:address lookup failed for v:1: Domain name not found]",
            "HERE can't be reached: Domain name not found",
        ),
    ],
)
def test_who_was_not_reached_has_not_answered(details: str, told: str) -> None:
    """What gRPC's core says of it is a line that ends before its reason; of a name or a proxy the address is told."""
    assert answered(grpc_refusal(Status.UNAVAILABLE, details)) == (Failure.AGAIN, None, told)


def test_a_port_where_nobody_listens_can_not_be_reached() -> None:
    """As gRPC's core tells it now."""
    with scripted_grpc() as server:
        endpoint = server.endpoint
    with target(endpoint) as sending:
        assert refused(sending) == (Failure.AGAIN, None, f"{endpoint} can't be reached: Connection refused")


@pytest.mark.parametrize(
    ("behaviour", "own_fault", "late"),
    [
        (grpc_refusal(Status.INTERNAL), True, False),
        (grpc_refusal(Status.UNKNOWN), True, False),
        (grpc_refusal(Status.INVALID_ARGUMENT), False, False),
        (grpc_refusal(Status.UNAVAILABLE), False, False),
        (grpc_hang(), False, True),
    ],
)
def test_whose_fault_it_is_is_told(behaviour: Behaviour, *, own_fault: bool, late: bool) -> None:
    """A receiver that fails, and one that is late, may take the same another time or in another size."""
    with scripted_grpc([behaviour]) as server, target(server.endpoint, timeout="300ms") as sending:
        with pytest.raises(SendError) as caught:
            sending.send("traces", BODY)
        assert (caught.value.own_fault, caught.value.late) == (own_fault, late)


def test_a_receiver_that_comes_back_is_found() -> None:
    """Nobody listens, then somebody does, then it is another process."""
    with scripted_grpc() as server:
        port = int(server.endpoint.rpartition(":")[2])
    with target(server.endpoint) as sending:
        failure, _, message = refused(sending)
        assert (failure, "refused" in message) == (Failure.AGAIN, True)
        for _ in range(2):
            with scripted_grpc(port=port) as again:
                _send_when_found(sending)
            assert [one.body for one in again.taken] == [BODY]


def test_no_message_holds_the_value_of_a_header() -> None:
    """Not even when the receiver repeats it."""
    echo = f"no rights for {SECRET} and canary-5ecret"
    partial = ExportTraceServiceResponse(partial_success={"error_message": echo}).SerializeToString()
    behaviours = [grpc_refusal(Status.UNAUTHENTICATED, echo), grpc_answer(partial)]
    with scripted_grpc(behaviours) as server, target(server.endpoint, headers={"authorization": SECRET}) as sending:
        with pytest.raises(SendError) as caught:
            sending.send("traces", BODY)
        assert str(caught.value) == f"{server.endpoint} answered UNAUTHENTICATED: no rights for *** and ***"
        assert "5ecret" not in "".join(traceback.format_exception(caught.value))
        assert sending.send("traces", BODY) == Taken(0, "no rights for *** and ***")


def test_proxies_of_the_environment_are_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver on this machine is asked itself."""
    with scripted_http([http_answer(403)]) as proxy, scripted_grpc() as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        with target(server.endpoint) as sending:
            assert sending.send("traces", BODY) == Taken()
    assert proxy.connections == 0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_credentials(authority: trustme.CA, *names: str, client: bool = False) -> grpc.ServerCredentials:
    issued = authority.issue_cert(*names)
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    pair = (issued.private_key_pem.bytes(), chain)
    return grpc.ssl_server_credentials([pair], authority.cert_pem.bytes() if client else None, client)


def test_why_a_certificate_is_not_trusted_is_told(authority: trustme.CA, tmp_path: Path) -> None:
    """An unknown authority, and a name that it does not hold: the reason itself, not the beginning of gRPC's line."""
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    with scripted_grpc(credentials=server_credentials(authority, "viewer.example")) as server:
        told = f"no trust between this side and {server.endpoint}: "
        for tls, reason in (
            ({}, "unable to get local issuer certificate"),
            ({"ca_file": str(ca)}, "Hostname Verification Check failed"),
        ):
            with target(server.endpoint, tls=tls, timeout="2s") as sending:
                assert refused(sending) == (Failure.AGAIN, None, told + reason)


def test_a_certificate_is_trusted_by_its_authority(authority: trustme.CA, tmp_path: Path) -> None:
    """Not without, not under another name; over TLS unless it is switched off, which https:// overrides."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ca = {"ca_file": str(tmp_path / "ca.pem")}
    named = {**ca, "server_name_override": "viewer.test"}
    with scripted_grpc(credentials=server_credentials(authority, "viewer.test")) as server:
        for tls in ({}, ca, {**named, "insecure": True}):
            with target(server.endpoint, tls=tls, timeout="2s") as sending:
                assert refused(sending)[0] is Failure.AGAIN
        with target(f"http://{server.endpoint}", tls=named, timeout="2s") as sending:
            assert refused(sending)[0] is Failure.AGAIN
        assert server.received == []
        for endpoint, tls in ((server.endpoint, named), (f"https://{server.endpoint}/", {**named, "insecure": True})):
            with target(endpoint, tls=tls) as sending:
                assert sending.send("traces", BODY) == Taken()


def test_http_before_the_endpoint_is_without_tls() -> None:
    """Also where nothing is said about TLS."""
    with scripted_grpc() as server, target(f"http://{server.endpoint}", tls={}) as sending:
        assert sending.send("traces", BODY) == Taken()


def test_a_receiver_may_ask_for_our_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    """It is shown where it is configured."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("forecourt@example.test")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    ca = {"ca_file": str(tmp_path / "ca.pem")}
    shown = {**ca, "cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    with scripted_grpc(credentials=server_credentials(authority, "127.0.0.1", client=True)) as server:
        with target(server.endpoint, tls=ca, timeout="2s") as sending:
            assert refused(sending)[0] is Failure.AGAIN
        assert server.received == []
        with target(server.endpoint, tls=shown) as sending:
            assert sending.send("traces", BODY) == Taken()


def test_a_certificate_that_is_gone_is_told_when_it_is_needed(tmp_path: Path) -> None:
    """Not before: the exporters beside it go on. As soon as it is there again it is used."""
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    settings = OtlpGrpcSettings.model_validate({"endpoint": "127.0.0.1:1", "tls": {"ca_file": str(ca)}})
    content = ca.read_bytes()
    ca.unlink()
    with closing(GrpcTarget(settings)) as sending:
        failure, _, message = refused(sending)
        assert failure is Failure.REFUSED
        assert message.startswith("127.0.0.1:1 is not asked: [Errno 2] No such file or directory")
        ca.write_bytes(content)
        assert refused(sending)[0] is Failure.AGAIN
