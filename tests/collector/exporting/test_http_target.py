"""OTLP/HTTP against a receiver that does its worst, over real sockets."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.exporting.http_target import HttpTarget
from collector.exporting.settings import OtlpHttpSettings
from collector.exporting.target import Failure, SendError, Taken
from tests.support.hostile_receiver import (
    PROTOBUF,
    Behaviour,
    http_answer,
    http_drip,
    http_endless,
    http_half,
    http_hang,
    http_raw,
    scripted_http,
)
from tests.support.otlp import trace_request

BODY = trace_request([1, 2])
JSON = "application/json"
SECRET = "Bearer canary-5ecret"


@contextmanager
def target(url: str | None, **given: Any) -> Iterator[HttpTarget]:
    settings = OtlpHttpSettings.model_validate({"endpoint": url, "timeout": "5s", **given})
    with closing(HttpTarget(settings)) as made:
        yield made


def refused(given: HttpTarget, signal: str = "traces") -> tuple[Failure, float | None, str]:
    with pytest.raises(SendError) as caught:
        given.send(signal, BODY)
    return caught.value.failure, caught.value.retry_after_seconds, str(caught.value)


def answered(*behaviours: Behaviour, **given: Any) -> tuple[Failure, float | None, str]:
    """What comes of the first, with URL in place of the address; afterwards the target still works."""
    with scripted_http(behaviours) as server, target(server.url, **given) as sending:
        failure, wanted, message = refused(sending)
        assert sending.send("traces", BODY) == Taken()
        assert [one.body for one in server.taken][-1:] == [BODY]
        return failure, wanted, message.replace(f"{server.url}/v1/traces", "URL")


@pytest.mark.parametrize(
    ("behaviour", "own_fault", "late"),
    [
        (http_answer(500), True, False),
        (http_answer(400), False, False),
        (http_answer(503), False, False),
        (http_hang(), False, True),
    ],
)
def test_whose_fault_it_is_is_told(behaviour: Behaviour, *, own_fault: bool, late: bool) -> None:
    """A receiver that fails, and one that is late, may take the same another time or in another size."""
    with scripted_http([behaviour]) as server, target(server.url, timeout="300ms") as sending:
        with pytest.raises(SendError) as caught:
            sending.send("traces", BODY)
        assert (caught.value.own_fault, caught.value.late) == (own_fault, late)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_a_request_arrives_as_it_was(compression: str) -> None:
    """With the headers of OTLP/HTTP, our name and those that are configured."""
    headers = {"Authorization": SECRET, "X-Scope-OrgID": "Zürich", "content-type": "text/html"}
    with scripted_http() as server, target(server.url, compression=compression, headers=headers) as sending:
        for signal in ("traces", "metrics", "logs"):
            assert sending.send(signal, BODY) == Taken()
    assert [(one.signal, one.body) for one in server.taken] == [(one, BODY) for one in ("traces", "metrics", "logs")]
    assert server.connections == 1
    found = dict(server.taken[0].headers)
    assert found.pop("content-encoding", "none") == compression
    assert found.pop("x-scope-orgid").encode("latin-1").decode() == "Zürich"
    assert int(found.pop("content-length")) > 0
    assert found == {
        "host": server.endpoint,
        "accept": "*/*",
        "accept-encoding": "identity",
        "authorization": SECRET,
        "connection": "keep-alive",
        "content-type": PROTOBUF,
        "user-agent": f"forecourt/{metadata.version('forecourt')}",
    }


def test_the_same_as_json() -> None:
    """Ids are hexadecimal there."""
    with scripted_http() as server, target(server.url, encoding="json") as sending:
        assert sending.send("traces", BODY) == Taken()
    assert server.taken[0].headers["content-type"] == JSON
    spans = json.loads(server.taken[0].body)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert [span["spanId"] for span in spans] == [f"{2:016x}", f"{3:016x}"]


def test_a_signal_has_its_own_address_or_none() -> None:
    """What goes nowhere is refused, and nothing is sent."""
    with scripted_http() as server, target(None, logs_endpoint=f"{server.url}/insert") as sending:
        assert sending.send("logs", BODY) == Taken()
        assert refused(sending, "metrics") == (Failure.REFUSED, None, "no endpoint for metrics")
    assert [one.path for one in server.received] == ["/insert"]


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
    """In protobuf, and in JSON with the count as a number or as a string."""
    keys = {"traces": "rejectedSpans", "metrics": "rejectedDataPoints", "logs": "rejectedLogRecords"}
    texts = [{keys[signal]: count, "errorMessage": "too old"} for count in (3, "3")]
    behaviours = [
        http_answer(body=response.SerializeToString()),
        *(
            http_answer(202, json.dumps({"partialSuccess": text}).encode(), kind=f"{JSON}; charset=utf-8")
            for text in texts
        ),
    ]
    with scripted_http(behaviours) as server, target(server.url) as sending:
        assert [sending.send(signal, BODY) for _ in range(3)] == 3 * [Taken(3, "too old")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (http_answer(204), Taken()),
        (http_answer(200, b"", kind="text/html"), Taken()),
        (http_answer(200, b"{}", kind=JSON), Taken()),
        (http_answer(200, b'{"status": "fine", "partialSuccess": null}', kind=JSON), Taken()),
        (http_answer(200, gzip.compress(b"{}"), kind=JSON, headers={"Content-Encoding": "gzip"}), Taken()),
        (http_answer(200, b'{"partialSuccess": {"rejectedSpans": "-4"}}', kind=JSON), Taken()),
        (
            http_answer(
                200, json.dumps({"partialSuccess": {"errorMessage": "\x1b[2J" + 999 * "x"}}).encode(), kind=JSON
            ),
            Taken(0, "[2J" + 196 * "x" + "…"),
        ),
    ],
)
def test_successes_of_many_kinds(answer: Behaviour, expected: Taken) -> None:
    """Empty ones, with fields that nobody knows, and with texts that are too long or would be obeyed."""
    with scripted_http([answer]) as server, target(server.url) as sending:
        assert sending.send("traces", BODY) == expected


HALF = "URL gave half an answer: nobody knows whether it took the request"
NONE = "URL is no OTLP receiver: it answered 200 of type {}"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (http_half(), HALF),
        (http_half(b"\x0a"), HALF),
        (http_endless(), HALF),
        (http_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), HALF),
        (http_raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"), NONE.format(JSON)),
        (http_answer(200, b"\xff\xff", kind=PROTOBUF), NONE.format(PROTOBUF)),
        (http_answer(200, b"<html>welcome", kind="text/html"), NONE.format("text/html")),
        (http_answer(200, b"[" * 60_000, kind=JSON), NONE.format(JSON)),
        (http_answer(200, b"[]", kind=JSON), NONE.format(JSON)),
        (http_answer(200, b'{"partialSuccess": {"rejectedSpans": [1]}}', kind=JSON), NONE.format(JSON)),
        (
            http_answer(200, b'{"partialSuccess": {"rejectedSpans": "%s"}}' % (5000 * b"9"), kind=JSON),
            NONE.format(JSON),
        ),
    ],
)
def test_a_success_that_cannot_be_read_is_none(answer: Behaviour, message: str) -> None:
    """The request may have arrived: nobody knows, so it is sent again."""
    assert answered(answer) == (Failure.AGAIN, None, message)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (304, Failure.REFUSED),
        (400, Failure.MALFORMED),
        (401, Failure.REFUSED),
        (403, Failure.REFUSED),
        (404, Failure.REFUSED),
        (405, Failure.REFUSED),
        (408, Failure.REFUSED),
        (413, Failure.TOO_LARGE),
        (415, Failure.REFUSED),
        (422, Failure.MALFORMED),
        (429, Failure.AGAIN),
        (500, Failure.MALFORMED),
        (501, Failure.REFUSED),
        (502, Failure.AGAIN),
        (503, Failure.AGAIN),
        (504, Failure.AGAIN),
    ],
)
def test_each_status_has_its_meaning(status: int, failure: Failure) -> None:
    """Those that OTLP/HTTP lists as retryable come again, and no other."""
    assert answered(http_answer(status)) == (failure, None, f"URL answered {status}")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": "Sat, 28 Nov 2026 10:00:30 GMT", "Date": "Sat, 28 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"Retry-After": "soon"}, None),
    ],
)
def test_how_long_to_wait_is_heard(headers: dict[str, str], seconds: float | None) -> None:
    """In seconds or until a date, which is compared to the receiver's own clock."""
    assert answered(http_answer(429, headers=headers)) == (Failure.AGAIN, seconds, "URL answered 429")


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (Status(message="span 3 has\n no \x1b[31mid").SerializeToString(), PROTOBUF, ": span 3 has no [31mid"),
        (b'{"code": 3, "message": "span 3 has no id"}', JSON, ": span 3 has no id"),
        (b"span 3 has no id\n", "text/plain; charset=utf-8", ": span 3 has no id"),
        (b'{"error": "span 3 has no id"}', JSON, ": span 3 has no id"),
        (b'{"error": {"code": 3, "message": "span 3 has no id"}}', JSON, ": span 3 has no id"),
        (b'{"detail": "span 3 has no id"}', "application/problem+json", ": span 3 has no id"),
        (b'{"message": 3, "error": ["span 3"]}', JSON, ""),
        (b"<html>span 3", "text/html", ""),
        (b"<html><TITLE>400 &lt;HTTP&gt; to\nHTTPS</TITLE>", "text/html; charset=utf-8", ": 400 <HTTP> to HTTPS"),
        (b"\xff", PROTOBUF, ""),
        (b"[1", JSON, ""),
        (b"[1]", JSON, ""),
        (Status(message=5000 * "é").SerializeToString(), PROTOBUF, ": " + 199 * "é" + "…"),
    ],
)
def test_the_reason_of_a_refusal_is_told(body: bytes, kind: str, said: str) -> None:
    """One short line of the Status, in protobuf or JSON, of a text, or of what gateways and proxies answer."""
    assert answered(http_answer(400, body, kind=kind)) == (Failure.MALFORMED, None, f"URL answered 400{said}")


def test_a_status_counts_though_its_body_breaks_off() -> None:
    """The reason is lost, the refusal is not."""
    raw = b"HTTP/1.1 413 No\r\nContent-Length: 99\r\n\r\nhalf"
    assert answered(http_raw(raw)) == (Failure.TOO_LARGE, None, "URL answered 413")


@pytest.mark.parametrize(
    ("location", "said"),
    [
        (
            "https://user:pass@else.test:8443/v1?token=1#x",
            ": it has moved to https://else.test:8443/v1, redirects are not followed",
        ),
        ("/login?next=%2F", ": it has moved to /login, redirects are not followed"),
        ("http://[", ""),
    ],
)
def test_a_redirect_is_told_and_not_followed(location: str, said: str) -> None:
    """Without what may be secret in it."""
    answer = http_answer(308, headers={"Location": location})
    assert answered(answer) == (Failure.REFUSED, None, f"URL answered 308{said}")


@pytest.mark.parametrize("status", [302, 400])
def test_no_more_is_read_of_an_answer_than_is_of_use(status: int) -> None:
    """64 KiB, and what the system holds ready; also of a redirect."""
    sent: list[int] = []

    def act(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 %d No\r\nLocation: /x\r\nConnection: close\r\n\r\n" % status)
        for number in range(256):
            handler.wfile.write(bytes(2**20))
            sent.append(number)

    with scripted_http([Behaviour(act)]) as server, target(server.url) as sending:
        assert f" answered {status}" in refused(sending)[2]
    assert len(sent) < 30


def asking() -> int:
    """The threads of requests on their way; what other tests left in this process has threads too."""
    return sum(thread.name == "otlp-http" for thread in threading.enumerate())


def test_no_cookie_is_kept() -> None:
    """What one answer wants to be repeated, the next request does not hold."""
    with scripted_http([http_answer(headers={"Set-Cookie": "a=1"})]) as server, target(server.url) as sending:
        for _ in range(2):
            assert sending.send("traces", BODY) == Taken()
    assert ["cookie" in one.headers for one in server.taken] == [False, False]


@pytest.mark.parametrize(
    "behaviour",
    [
        http_hang(),
        http_drip(),
        http_drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + 999 * b"x", at_once=50),
        http_drip(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + 999 * b"x", at_once=50),
        http_drip(9999 * b"HTTP/1.1 100 Continue\r\n\r\n", at_once=50),
    ],
)
def test_the_time_is_kept_whatever_comes(behaviour: Behaviour) -> None:
    """Nothing, or a byte now and then, of the header or of the body: the connection is cut, the next request works."""
    began = time.monotonic()
    threads = asking()
    found = answered(behaviour, timeout="300ms")
    assert found == (Failure.AGAIN, None, "URL did not answer within 0.3 s")
    assert time.monotonic() - began < 10
    while asking() > threads:
        assert time.monotonic() - began < 20, "a thread is left behind"
        time.sleep(0.01)


def test_a_receiver_that_accepts_no_connection_is_not_waited_for() -> None:
    """Its queue of connections is full: nothing tells that it is there."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        where = silent.getsockname()
        with socket.create_connection(where), target(f"http://127.0.0.1:{where[1]}", timeout="200ms") as sending:
            began = time.monotonic()
            url = f"http://127.0.0.1:{where[1]}/v1/traces"
            assert refused(sending) == (Failure.AGAIN, None, f"{url} did not answer within 0.2 s")
            assert time.monotonic() - began < 10


@pytest.mark.parametrize("behaviour", [http_raw(), http_raw(b"\x00\xff I am a printer\r\n\r\n")])
def test_a_connection_that_breaks_is_tried_again(behaviour: Behaviour) -> None:
    """Before any answer, or with something that is no answer; a new one and one that was kept."""
    with scripted_http([behaviour, http_answer(), behaviour]) as server, target(server.url) as sending:
        broken = f"{server.url}/v1/traces can't be reached or broke the connection off"
        for _ in range(2):
            failure, wanted, message = refused(sending)
            assert (failure, wanted, message.startswith(broken)) == (Failure.AGAIN, None, True)
            assert sending.send("traces", BODY) == Taken()
    assert (len(server.received), len(server.taken), server.connections) == (4, 2, 3)


def test_a_receiver_that_comes_back_is_found() -> None:
    """Nobody listens, then somebody does, then it is another process: the kept connection is of no use."""
    with scripted_http() as server:
        port = int(server.endpoint.rpartition(":")[2])
    with target(server.url) as sending:
        reason = f"{server.url}/v1/traces can't be reached or broke the connection off: Connection refused"
        assert refused(sending) == (Failure.AGAIN, None, reason)
        for _ in range(2):
            with scripted_http(port=port) as again:
                assert sending.send("traces", BODY) == Taken()
            assert [one.body for one in again.taken] == [BODY]


def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    """And it is said that this was the reason."""
    with target("http://nowhere.invalid:4318", timeout="3s") as sending:
        failure, _, message = refused(sending)
    assert failure is Failure.AGAIN
    assert message.startswith("http://nowhere.invalid:4318/v1/traces ")


def test_a_request_of_which_nothing_is_heard_holds_up_no_thread_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that hangs costs one thread, however often it is tried."""
    asked = threading.Event()
    released = threading.Event()

    def hang(*_given: Any, **_named: Any) -> Any:
        asked.set()
        released.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with target("http://slow.test:4318", timeout="200ms") as sending:
        url = "http://slow.test:4318/v1/traces"
        assert refused(sending) == (Failure.AGAIN, None, f"{url} did not answer within 0.2 s")
        assert asked.is_set()
        threads = asking()
        waiting = "the request before has not ended yet: do the name servers answer?"
        assert [refused(sending) for _ in range(2)] == 2 * [(Failure.AGAIN, None, waiting)]
        assert asking() == threads
        released.set()
        reason = f"{url} can't be reached or broke the connection off: Temporary failure in name resolution"
        assert refused(sending) == (Failure.AGAIN, None, reason)


def test_no_message_holds_the_value_of_a_header() -> None:
    """Not even when the receiver repeats it, in a reason, a redirect or a partial success."""
    echo = f"no rights for {SECRET} and canary-5ecret"
    partial = ExportTraceServiceResponse(partial_success={"error_message": echo}).SerializeToString()
    behaviours = [
        http_answer(401, Status(message=echo).SerializeToString()),
        http_answer(302, headers={"Location": "http://else.test/canary-5ecret"}),
        http_answer(200, b"x", kind="text/canary-5ecret"),
        http_answer(200, partial),
    ]
    with scripted_http(behaviours) as server, target(server.url, headers={"Authorization": SECRET}) as sending:
        said = [refused(sending)[2].removeprefix(f"{server.url}/v1/traces ") for _ in range(3)]
        assert said == [
            "answered 401: no rights for *** and ***",
            "answered 302: it has moved to http://else.test/***, redirects are not followed",
            "is no OTLP receiver: it answered 200 of type text/***",
        ]
        assert sending.send("traces", BODY) == Taken(0, "no rights for *** and ***")


def test_a_header_that_http_cannot_carry_is_refused() -> None:
    """Without its value in the message, or in what a log shows of the error."""
    with scripted_http() as server, target(server.url, headers={"Authorization": " canary-5ecret"}) as sending:
        with pytest.raises(SendError, match=r"^HTTP can't carry one of the configured headers$") as caught:
            sending.send("traces", BODY)
        assert caught.value.failure is Failure.REFUSED
        assert caught.value.__suppress_context__
    assert server.received == []


def test_proxies_of_the_environment_are_for_other_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And ~/.netrc takes the place of no configured header."""
    (tmp_path / "netrc").write_text("machine viewer.test login a password b\nmachine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with scripted_http() as proxy, scripted_http() as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        for url in ("http://viewer.test", server.url):
            with target(url, headers={"Authorization": SECRET}) as sending:
                assert sending.send("traces", BODY) == Taken()
    assert [(one.path, one.headers["authorization"]) for one in proxy.received] == [
        ("http://viewer.test/v1/traces", SECRET)
    ]
    assert [(one.path, one.headers["authorization"]) for one in server.received] == [("/v1/traces", SECRET)]
