from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from processors.judging_settings import JudgingSettings
from tests.collector.test_judge import Running
from tests.crash.test_kill_judging import SPANS, _requests
from tests.support.otlp import PROTOBUF
from tests.support.sidecar import UntracedSidecar

KNOWN = JudgingSettings().known_rules()
"""Those of the default."""

SLOW = {
    "processors": {
        "thresholds": {
            "rules": {
                "slow orders": {
                    "indicator": "http.server.response_time",
                    "statistic": "max",
                    "where": ["http.route = /orders"],
                    "bands": [{"level": "warning", "when": "> 50ms", "severity": "medium"}],
                    "summary": "an order takes {value}",
                }
            }
        }
    }
}


def forecourt(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "operations", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _send(sidecar: UntracedSidecar, number: int) -> None:
    connection = sidecar.connect()
    connection.request("POST", "/v1/traces", _requests(number, late=False), PROTOBUF)
    assert connection.getresponse().status == 200
    connection.close()


def test_a_running_sidecar_tells_every_rule_its_value_and_band(tmp_path: Path) -> None:
    """As a table and as JSON; when it has stopped, the rules without values, and why."""
    with UntracedSidecar(tmp_path) as sidecar:
        _send(sidecar, 1)
        _send(sidecar, 2)
        deadline = time.monotonic() + 30
        while not (found := _rule(tmp_path, "http.server.mean"))["samples"]:
            assert time.monotonic() < deadline
            time.sleep(0.3)
        table = forecourt("rules", "list", cwd=tmp_path)
        checked = forecourt("check", "performance", cwd=tmp_path)
    assert (found["value"], found["band"], found["samples"]) == (pytest.approx(0.1), "normal", 2 * SPANS)
    assert "http.server.mean" in table.stdout
    assert re.search(r"^http.server.mean +app +100 ms +normal +60 *$", table.stdout, re.MULTILINE)
    assert table.stderr == ""
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "OK: http.server.mean {service.name=app} is 100 ms (warning > 2s)\n" in checked.stdout
    after = forecourt("rules", "list", "--json", cwd=tmp_path)
    told = json.loads(after.stdout)
    assert told["problem"] == "the sidecar is not running. Start it with: forecourt collector"
    assert {row["rule"] for row in told["rules"]} == set(KNOWN)
    assert {row["value"] for row in told["rules"]} == {None}


def _rule(folder: Path, name: str) -> dict[str, Any]:
    done = forecourt("rules", "list", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return next(row for row in json.loads(done.stdout)["rules"] if row["rule"] == name)


def test_without_a_sidecar_performance_is_looked_at_directly(tmp_path: Path) -> None:
    """Nobody there is critical; nothing to look at is unknown; a wrong option too, as Nagios has it."""
    (tmp_path / "otel-config.yaml").write_text(
        "receivers: {httpcheck: {targets: [{name: backend, endpoint: 'http://127.0.0.1:9/'}]}}"
    )
    down = forecourt("check", "performance", cwd=tmp_path)
    assert down.returncode == 2
    assert down.stdout.startswith("CRITICAL: http.server.mean {target=backend} is ")
    assert down.stdout.endswith(" ([Errno 111] Connection refused)\n")
    assert "no sidecar has run on" in down.stderr
    (tmp_path / "otel-config.yaml").write_text("receivers: {httpcheck: {targets: []}}")
    nothing = forecourt("check", "performance", cwd=tmp_path)
    assert (nothing.returncode, nothing.stdout) == (3, "UNKNOWN: there is nothing to judge\n")
    assert forecourt("check", "performance", "--bogus", cwd=tmp_path).returncode == 3
    assert forecourt("check", "wether", cwd=tmp_path).returncode == 3


def test_rules_are_checked_like_the_configuration(tmp_path: Path) -> None:
    """With the place of what is wrong."""
    good = tmp_path / "rules.yaml"
    good.write_text(yaml.safe_dump({**SLOW}))
    done = forecourt("rules", "check", good, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (
        0,
        f"{good}: ok, {len(KNOWN) + 1} rules, 0 of them switched off\n",
    )
    alone = tmp_path / "alone.yaml"
    alone.write_text(yaml.safe_dump(SLOW["processors"]["thresholds"]))
    assert forecourt("rules", "check", alone, cwd=tmp_path).stdout.startswith(f"{alone}: ok, {len(KNOWN) + 1} rules")
    alone.write_text(alone.read_text().replace("medium", "urgent"))
    told = forecourt("rules", "check", alone, cwd=tmp_path).stderr
    assert told.startswith(f"{alone}:5:17: processors.thresholds.rules.slow orders.bands.0.severity: 'urgent': ")
    good.write_text(good.read_text().replace("> 50ms", "50ms"))
    bad = forecourt("rules", "check", good, cwd=tmp_path)
    assert bad.returncode == 1
    assert "processors.thresholds.rules.slow orders.bands.0.when: '50ms' is not a condition, expected" in bad.stderr


def test_a_backtest_lists_what_the_rules_would_have_told(tmp_path: Path) -> None:
    """By the code that runs live, over the recorded segments; only the rules of the file."""
    found = Running(tmp_path / "logs")
    found.start()
    found.send(1)
    found.stop()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(SLOW))
    done = forecourt("rules", "test", "rules.yaml", "--last", "1h", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line[20:] == (
        "  firing    medium    slow orders {service.name=app}: an order takes 100 ms "
        "(the condition has held long enough)"
    )
    assert done.stderr.startswith(f"1 transitions; {SPANS} records judged in ")
    as_json = json.loads(forecourt("rules", "test", "rules.yaml", "--json", cwd=tmp_path).stdout)
    assert (as_json["rule"], as_json["key"], as_json["status"]) == ("slow orders", {"service.name": "app"}, "firing")
    everything = forecourt("rules", "test", "rules.yaml", "--all", cwd=tmp_path)
    assert "http.server.error_rate" not in everything.stdout  # they are errors by their span's status alone
    earlier = forecourt("rules", "test", "rules.yaml", "--to", "2020-01-01", cwd=tmp_path)
    assert (earlier.stdout, earlier.stderr[:26]) == ("", "0 transitions; 0 records j")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--last", "1h", "--from", "2026-01-01"], "--last excludes --from and --to"),
        (["--from", "2026-01-02", "--to", "2026-01-01"], "--from is not before --to"),
        (["--from", "yesterday"], "'yesterday' is not a time, for example 2026-11-23"),
        (["--last", "long"], "'long' is not a duration"),
    ],
)
def test_a_wrong_period_is_a_usage_error(tmp_path: Path, arguments: list[str], problem: str) -> None:
    """That shows how it is written."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(SLOW))
    (tmp_path / "logs").mkdir()
    done = forecourt("rules", "test", "rules.yaml", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert problem in done.stderr


def test_a_backtest_without_records_says_where_it_looked(tmp_path: Path) -> None:
    """And how to say where they are."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(SLOW))
    done = forecourt("rules", "test", "rules.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        f"Error: {tmp_path / 'logs'}: no such folder. Name the one with the records: --logs DIR\n",
    )
