"""Checks without a sidecar: targets are looked at directly, the rest is read from the records."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from operations.cli import main
from tests.support.sidecar import unused_port

NANO = 1_000_000_000


class _Backend(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def backend() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Backend)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def configured(folder: Path, backend: str, frontend: str = "") -> Path:
    """With the database of a file that there is."""
    targets = [{"name": "backend", "endpoint": backend}, {"name": "frontend", "endpoint": frontend}]
    path = folder / "otel-config.yaml"
    path.write_text(yaml.safe_dump({"receivers": {"httpcheck": {"targets": targets}}}))
    (folder / "logs").mkdir(exist_ok=True)
    return path


def check(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments, "--config", str(path)], catch_exceptions=False)


def put(folder: Path, stream: str, *lines: dict[str, object]) -> None:
    now = time.time_ns()
    path = folder / "logs" / stream / f"{time.strftime('%Y-%m-%dT%H', time.gmtime(now // NANO))}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        for number, line in enumerate(lines):
            base = {"time_unix_nano": now - 20 * NANO, "received_unix_nano": now, "service": "app"}
            file.write(orjson.dumps({**base, "batch_id": f"{number}", "batch_index": 0, **line}) + b"\n")


def test_health_looks_at_each_target(tmp_path: Path, backend: str) -> None:
    """One line each with its number; a frontend that is down is a warning, a backend critical."""
    well = check(configured(tmp_path, backend, backend), "health")
    assert well.exit_code == 0
    assert [line.split(" is ")[0] for line in well.stdout.splitlines()] == ["OK: backend", "OK: frontend"]
    nobody = f"http://127.0.0.1:{unused_port()}/"
    warned = check(configured(tmp_path, backend, nobody), "health")
    assert warned.exit_code == 1
    assert "WARNING: frontend: down, " in warned.stdout
    down = check(configured(tmp_path, nobody), "health", "--quiet")
    assert down.exit_code == 2
    assert down.stdout.startswith("CRITICAL: backend: down, ")
    assert len(down.stdout.splitlines()) == 1


def test_what_is_fine_is_not_said_when_quiet(tmp_path: Path, backend: str) -> None:
    """As cron likes it."""
    quiet = check(configured(tmp_path, backend), "health", "--quiet")
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, "", "")


def test_errors_are_told_with_their_rate_and_the_most_frequent(tmp_path: Path, backend: str) -> None:
    """By the bands of the error rate's rule."""
    path = configured(tmp_path, backend)
    quiet = check(path, "errors", "--last", "5min")
    assert quiet.exit_code == 0
    assert "UNKNOWN: http.server.error_rate has no value (0 requests are too few)" in quiet.stdout
    requests = [{"method": "GET", "route": "/", "status_code": 500 if number < 8 else 200} for number in range(40)]
    put(tmp_path, "performance", *({**one, "response_time": 0.1} for one in requests))
    put(tmp_path, "errors", *({"error_type": "ValueError", "message": f"no pump {number}"} for number in range(8)))
    bad = check(path, "errors", "--last", "5min")
    assert bad.exit_code == 2
    assert bad.stdout == (
        "CRITICAL: http.server.error_rate is 20 % (> 10%, 8 of 40 requests)\n"
        "OK: errors is 8 (most: ValueError: no pump <n>, 8 times)\n"
    )


def test_business_is_reckoned_from_the_last_outcomes(tmp_path: Path, backend: str) -> None:
    """Too few are unknown; below 90 % is critical."""
    path = configured(tmp_path, backend)
    assert check(path, "business").exit_code == 3
    outcomes = ["failure" if number % 5 == 0 else "success" for number in range(20)]
    put(tmp_path, "business", *({"event": "fossa.form_automation.job", "outcome": one} for one in outcomes))
    bad = check(path, "business")
    assert bad.exit_code == 2
    assert "CRITICAL: form_automation.success_rate is 80 % (< 90%, the last 20)" in bad.stdout


def test_security_names_who_failed_to_log_in(tmp_path: Path, backend: str) -> None:
    """Within the last quarter of an hour."""
    path = configured(tmp_path, backend)
    assert check(path, "security").exit_code == 0
    attempt = {"client.address": "192.0.2.7", "user.id": "u"}
    put(tmp_path, "security", *({"event": "auth.login", "outcome": "failure", "attributes": attempt} for _ in range(6)))
    warned = check(path, "security")
    assert warned.exit_code == 1
    assert "failed logins is 2 (within 15 min: 192.0.2.7 6 times, u 6 times)" in warned.stdout


def test_all_has_the_worst_code_and_every_check(tmp_path: Path, backend: str) -> None:
    """Of health, performance, security, errors and business."""
    path = configured(tmp_path, backend)
    told = json.loads(check(path, "all", "--json").stdout)
    assert list(dict.fromkeys(one["check"] for one in told["components"])) == [
        "health",
        "performance",
        "security",
        "errors",
        "business",
    ]
    assert told["status"] == "OK"
    nobody = configured(tmp_path, f"http://127.0.0.1:{unused_port()}/")
    assert check(nobody, "all").exit_code == 2


@pytest.mark.parametrize("name", ["self", "overhead", "collection"])
def test_without_a_sidecar_the_checks_of_it_say_so(tmp_path: Path, name: str) -> None:
    """A stopped sidecar is critical to the check of itself, and no number of its own is made up."""
    checked = check(configured(tmp_path, ""), name)
    assert checked.exit_code == {"self": 2, "overhead": 0, "collection": 3}[name]
    assert "sidecar" in checked.stdout + checked.stderr or name == "collection"


def test_a_broken_configuration_is_unknown(tmp_path: Path) -> None:
    """With its place, and Nagios' 3."""
    path = tmp_path / "otel-config.yaml"
    path.write_text("bogus: 1\n")
    checked = check(path, "health")
    assert checked.exit_code == 3
    assert "otel-config.yaml:1:1: top level: unknown key 'bogus'" in checked.stderr


@pytest.mark.parametrize("name", ["errors", "collection", "security"])
def test_what_can_not_be_read_is_unknown(tmp_path: Path, backend: str, name: str) -> None:
    """Records of a newer version: neither a traceback nor a warning."""
    path = configured(tmp_path, backend)
    (tmp_path / "logs" / ".forecourt").mkdir()
    (tmp_path / "logs" / ".forecourt" / "manifest.json").write_text('{"format": 2, "segments": {}}')
    result = check(path, name)
    assert result.exit_code == 3
    assert f"UNKNOWN: {name} has no value" in result.stdout
    assert "written by a newer Forecourt" in result.stdout
    assert check(path, "all").exit_code != 0


def test_a_spoilt_state_is_one_clear_line_and_ends_no_list(tmp_path: Path, backend: str) -> None:
    """The steps after it are carried out too."""
    path = configured(tmp_path, backend)
    (tmp_path / "logs" / ".forecourt").mkdir()
    (tmp_path / "logs" / ".forecourt" / "state.db").write_bytes(b"garbage" * 1000)
    reviewed = CliRunner().invoke(main, ["rules", "review", "--config", str(path)])
    assert (reviewed.exit_code, "file is not a database" in reviewed.stderr) == (1, True)
    daily = CliRunner().invoke(main, ["maintain", "daily", "--json", "--config", str(path)])
    assert (daily.exit_code, len(json.loads(daily.stdout)["steps"])) == (1, 5)
