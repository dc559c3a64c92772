"""Checks where a sidecar judges: its probes, evaluations and own numbers are believed, as long as they are new."""

from __future__ import annotations

import http.server
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import yaml
from click.testing import CliRunner

from operations.checks import health
from operations.checks import sidecar as own
from operations.cli import main
from storage import State, StateError
from tests.dashboard.standing import judged, publish, tell
from tests.operations.checking import NANO, check, put
from tests.support.incident import Incident
from tests.support.sidecar import UntracedSidecar, unused_port


class Disk(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Of a sidecar that has judged just now; no target is configured, so that nothing is looked at."""
    targets = [{"name": name, "endpoint": ""} for name in ("backend", "frontend")]
    receivers = {"httpcheck": {"targets": targets}, "sqlcheck": {"targets": []}}
    (tmp_path / "otel-config.yaml").write_text(yaml.safe_dump({"receivers": receivers}))
    publish(tmp_path / "logs", time.time_ns())
    return tmp_path / "logs"


def told(logs: Path, *arguments: str) -> tuple[int, list[str]]:
    """The exit code, and the lines."""
    done = check(logs.parent / "otel-config.yaml", *arguments)
    return done.exit_code, done.stdout.splitlines()


def look(target: str, state: str = "up", seconds_ago: float = 5, **given: Any) -> dict[str, Any]:
    """What a probe has found."""
    at = time.time_ns() - int(seconds_ago * NANO)
    found = {"target": target, "kind": "http", "state": state, "latency_ms": 12.0, "detail": ""}
    return {"time_unix_nano": at, **found, **given}


def test_each_target_is_as_its_last_look_was(logs: Path) -> None:
    """A lock and a certificate that ends within two weeks are warnings, and say why."""
    put(logs.parent, "health", look("shop", "down", 20), look("shop", certificate_days=13.5))
    put(logs.parent, "health", look("pay", certificate_days=14.5), look("store", "locked", kind="sql", detail="busy"))
    code, lines = told(logs, "health")
    assert (code, sorted(lines)) == (
        1,
        [
            "OK: pay is 12 ms (up)",
            "WARNING: shop is 12 ms (up, the certificate ends in 14 days)",
            "WARNING: store is 12 ms (locked, busy)",
        ],
    )


def test_a_look_of_long_ago_says_nothing_of_now(logs: Path) -> None:
    """After three minutes."""
    put(logs.parent, "health", look("shop", "down", 185))
    assert told(logs, "health") == (3, ["UNKNOWN: there is nothing to judge"])


def test_a_service_that_has_fallen_silent_is_told(logs: Path) -> None:
    """By the rules about it, beside what answers."""
    silent = judged("service.absent", 1.0, "critical", of="shop", summary="nothing since 10 min")
    publish(logs, time.time_ns(), silent, judged("service.hung", 0.0, of="shop"))
    put(logs.parent, "health", look("backend"))
    assert told(logs, "health") == (
        2,
        ["OK: backend is 12 ms (up)", "CRITICAL: service.absent {service.name=shop}: nothing since 10 min"],
    )


def test_when_a_service_sent_last(logs: Path) -> None:
    """Five minutes of silence are a warning."""
    now = time.time_ns()
    put(logs.parent, "traces", {"service": "quiet", "time_unix_nano": now - 400 * NANO}, {"service": "busy"})
    code, lines = told(logs, "collection")
    assert (code, [line.partition(" is ")[0] for line in lines]) == (1, ["OK: busy", "WARNING: quiet"])


class _Numbers(http.server.ThreadingHTTPServer):
    text = ""


class _Telling(http.server.BaseHTTPRequestHandler):
    server: _Numbers

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def numbers() -> Iterator[_Numbers]:
    """What the sidecar tells of itself."""
    with _Numbers(("127.0.0.1", 0), _Telling) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("number", "line"),
    [
        ("dropped_records_total 3", "CRITICAL: records lost after they were acknowledged is 3 (since it started)"),
        ("dropped_records_total 0", "OK: records lost after they were acknowledged is 0 (since it started)"),
        ("store_write_failures_total 1", "WARNING: groups of records that the disk refused is 1 (since it started)"),
        ("judge_lag_seconds 31", "WARNING: judging is 31 s (behind what arrives)"),
        ("judge_lag_seconds 30", "OK: judging is 30 s (behind what arrives)"),
    ],
)
def test_the_sidecar_s_own_numbers_are_judged(logs: Path, numbers: _Numbers, number: str, line: str) -> None:
    """What should stay 0, and how far it is behind."""
    numbers.text = f"forecourt_{number}\n"
    publish(logs, time.time_ns(), endpoints={"metrics": f"127.0.0.1:{numbers.server_port}"})
    assert line in told(logs, "self")[1]


def test_numbers_that_can_not_be_read_are_a_warning(logs: Path) -> None:
    """With the endpoint that was asked."""
    endpoint = f"127.0.0.1:{unused_port()}"
    publish(logs, time.time_ns(), endpoints={"metrics": endpoint})
    assert any(
        line.startswith(f"WARNING: judging: its metrics at {endpoint} can't be read: ")
        for line in told(logs, "self")[1]
    )


@pytest.mark.parametrize(("free", "word"), [(511, "CRITICAL"), (513, "WARNING"), (2049, "OK")])
def test_a_disk_that_fills_up_is_told_in_time(
    logs: Path, monkeypatch: pytest.MonkeyPatch, free: int, word: str
) -> None:
    """Below 2 GiB, and worse below 512 MiB; `free` is in MiB."""
    monkeypatch.setattr(own.shutil, "disk_usage", lambda _folder: Disk(2**40, 0, free * 2**20))
    (line,) = [one for one in told(logs, "self")[1] if ": disk is " in one]
    assert line.partition(":")[0] == word
    assert line.endswith(f"(free below {logs})")


def test_that_nobody_would_be_told_is_a_warning(logs: Path) -> None:
    """None of the receivers is configured."""
    code, lines = told(logs, "self")
    assert "WARNING: receivers of alerts is 0 (not configured: " in "\n".join(lines)
    assert code == 1


def test_advice_names_the_stream_that_takes_most(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what was written in the last 24 hours."""
    put(logs.parent, "traces", {"name": "x" * 3000})
    put(logs.parent, "logs", {"body": "x" * 500})
    old = logs / "logs" / "2020-01-01T00.jsonl"
    old.write_bytes(b'{"body": "' + b"x" * 100_000 + b'"}\n')
    monkeypatch.setattr(own, "_MANY_BYTES", 0)
    _, lines = told(logs, "self", "--advise")
    assert any(line.startswith("OK: advice: traces is 8") for line in lines)


def test_the_host_and_the_failures_of_requests_are_judged_too(logs: Path) -> None:
    """A full disk is a matter of health, refused requests one of performance."""
    disk = judged("host.disk", 0.95, "critical", of="shop", summary="full")
    publish(logs, time.time_ns(), disk, judged("http.server.4xx_rate", 0.3, "warning", of="shop"))
    code, lines = told(logs, "health")
    assert (code, lines) == (2, ["CRITICAL: host.disk {system.filesystem.mountpoint=shop} is 95 % (> 90%)"])
    code, lines = told(logs, "performance")
    assert (code, lines) == (1, ["WARNING: http.server.4xx_rate {service.name=shop} is 30 % (> 2%)"])


def test_who_can_be_told_is_for_the_sidecar_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment has the addresses, not that of whoever asks, as cron."""
    given = {"FORECOURT_EMAIL_OPS": "ops@example.com", "SMTP_HOST": "127.0.0.1", "SMTP_SENDER": "forecourt@example.com"}
    with monkeypatch.context() as environ:
        for name, value in given.items():
            environ.setenv(name, value)
        sidecar = UntracedSidecar(tmp_path).start()
    try:
        checked = check(sidecar.configuration, "self").stdout
        routed = CliRunner().invoke(main, ["alerts", "route", "--config", str(sidecar.configuration), "--json"])
        examined = CliRunner().invoke(main, ["doctor", "--config", str(sidecar.configuration)]).stdout
    finally:
        sidecar.stop()
    assert "OK: receivers of alerts is 2 (not configured: pushover, desktop)" in checked
    told = {
        one["receiver"]: one["problem"] for route in orjson.loads(routed.stdout)["routes"] for one in route["receivers"]
    }
    assert told["email-critical"] is None
    assert re.search(r"^ok +receiver email +configured", examined, re.MULTILINE)
    gone = check(sidecar.configuration, "self").stdout
    assert "WARNING: receivers of alerts is 0 (not configured: email-critical, email, pushover, desktop)" in gone


def test_nothing_is_well_while_an_alert_fires(logs: Path) -> None:
    """Of whatever rule: what no other check tells, `check all` tells by itself, each once."""
    tell(logs, Incident().fire("slow", "low").fire("down", "high").fire("http.server.p95", "high").until(20))
    publish(logs, time.time_ns(), judged("http.server.p95", 4.0, "warning", of="app", unit="s"))
    code, lines = told(logs, "all", "--quiet")
    assert (code, sorted(lines)) == (
        2,
        [
            "CRITICAL: down {service.name=app} is 20 % (down is bad)",
            "WARNING: http.server.p95 {service.name=app} is 4 s (> 3s)",
            "WARNING: slow {service.name=app} is 20 % (slow is bad)",
        ],
    )


def test_who_may_only_read_gets_the_answer_too(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nagios is another user: it may neither write nor migrate the state database."""
    tell(logs, Incident().fire("slow", "low").until(20))
    publish(logs, time.time_ns())
    monkeypatch.setattr(State, "open", refused)
    code, lines = told(logs, "all", "--quiet")
    assert (code, lines) == (1, ["WARNING: slow {service.name=app} is 20 % (slow is bad)"])


def refused(path: Path) -> None:
    raise StateError(f"{path}: attempt to write a readonly database")


def test_what_can_not_be_read_is_not_well(logs: Path) -> None:
    """Neither to Nagios nor to who asks for the errors: no record is no answer where there are some."""
    put(logs.parent, "errors", {"error_type": "ValueError", "message": "no", "route": "/", "trace_id": ""})
    (segment,) = (logs / "errors").iterdir()
    segment.unlink()
    segment.mkdir()  # which nobody can read, whoever that is
    code, lines = told(logs, "errors")
    assert (code, lines[0].startswith(f"UNKNOWN: errors has no value ({segment}: ")) == (3, True)
    done = CliRunner().invoke(main, ["logs", "errors", "--last", "1h", "--logs", str(logs)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {segment}: ")
    other = {"error_type": "ValueError", "message": "no", "route": "/", "trace_id": ""}
    segment.rename(segment.with_name(segment.name.replace(".jsonl", ".1.jsonl")))
    put(logs.parent, "errors", other)
    code, lines = told(logs, "errors")
    assert (code, lines[-1]) == (3, "OK: errors is 1 (most: ValueError: no, 1 times)")


def test_a_check_that_is_interrupted_is_unknown(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, or a time limit of whoever runs it: a warning it is not."""
    monkeypatch.setattr(health, "health", interrupted)
    done = check(logs.parent / "otel-config.yaml", "health")
    assert (done.exit_code, done.stderr) == (3, "UNKNOWN: interrupted\n")


def interrupted(_reading: Any) -> None:
    raise KeyboardInterrupt
