"""Checks without a sidecar: targets are looked at directly, the rest is read from the records."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from operations.cli import main
from tests.operations.checking import NANO, check, put
from tests.support.sidecar import unused_port


class _Backend(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Fails once at /once, on the first look of all."""
        first = self.path == "/once" and not self.server.__dict__.setdefault("asked", [])
        self.server.__dict__.setdefault("asked", []).append(self.path)
        self.send_response(500 if first else 200)
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


def test_too_few_failures_are_no_alarm(tmp_path: Path, backend: str) -> None:
    """However large their share is: the rules ask for at least three outcomes, and for five requests."""
    path = configured(tmp_path, backend)
    outcomes = ["failure"] * 2 + ["success"] * 8
    put(tmp_path, "business", *({"event": "fossa.form_automation.job", "outcome": one} for one in outcomes))
    statuses = [500] * 4 + [200] * 16
    put(tmp_path, "performance", *({"status_code": one, "response_time": 0.1} for one in statuses))
    assert "OK: form_automation.success_rate is 80 % (warning < 95%, the last 10)" in check(path, "business").stdout
    assert "OK: http.server.error_rate is 20 % (warning > 1%, 4 of 20 requests)" in check(path, "errors").stdout


def test_outcomes_of_more_than_a_week_ago_are_not_counted(tmp_path: Path, backend: str) -> None:
    """What has failed then is over."""
    path = configured(tmp_path, backend)
    long_ago = time.time_ns() - 8 * 86_400 * NANO
    failed = {"event": "fossa.form_automation.job", "outcome": "failure", "time_unix_nano": long_ago}
    put(tmp_path, "business", *[failed] * 20)
    put(tmp_path, "business", *[{"event": "fossa.form_automation.job", "outcome": "success"}] * 12)
    assert "OK: form_automation.success_rate is 100 % (warning < 95%, the last 12)" in check(path, "business").stdout


def test_a_backend_that_fails_once_in_five_looks_is_critical(tmp_path: Path, backend: str) -> None:
    """How fast the other answers were does not matter then."""
    (line,) = check(configured(tmp_path, f"{backend}once"), "performance").stdout.splitlines()
    assert line.startswith("CRITICAL: http.server.mean {target=backend} is ")
    (again,) = check(configured(tmp_path, f"{backend}once"), "performance").stdout.splitlines()
    assert again.startswith("OK: http.server.mean {target=backend} is ")


@pytest.mark.parametrize(("count", "word"), [(9, "OK"), (10, "WARNING")])
def test_many_errors_are_a_warning_whatever_the_rate(tmp_path: Path, backend: str, count: int, word: str) -> None:
    """Ten within the time that is looked at."""
    put(tmp_path, "errors", *[{"error_type": "KeyError", "message": "'a'"}] * count)
    assert f"{word}: errors is {count} (" in check(configured(tmp_path, backend), "errors").stdout


def test_no_time_at_all_is_unknown(tmp_path: Path, backend: str) -> None:
    """Nothing was looked at, so nothing is well."""
    refused = check(configured(tmp_path, backend), "errors", "--last", "0s")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert "--last needs some time, for example --last 5min" in refused.stderr


def test_security_names_who_failed_to_log_in(tmp_path: Path, backend: str) -> None:
    """Within the last quarter of an hour; where nobody tells of logins, that none failed is not known."""
    path = configured(tmp_path, backend)
    untold = check(path, "security")
    unknown = 'UNKNOWN: failed logins has no value (nobody tells of logins, as event("auth.login") does)\n'
    assert (untold.exit_code, untold.stdout) == (3, unknown)
    put(tmp_path, "security", {"event": "auth.login", "outcome": "success"})
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
