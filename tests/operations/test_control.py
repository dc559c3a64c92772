"""A running collector is asked by the state database alone: status, reload, stop, retention; and its checks."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from click.testing import CliRunner, Result

from alerting import records
from operations.cli import main
from storage import State
from storage.names import OWN_FOLDER
from storage.state import CollectorRow
from tests.support.otlp import PROTOBUF, trace_request
from tests.support.sidecar import Sidecar, unused_port


def call(sidecar: Sidecar, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(sidecar.configuration)], catch_exceptions=False)


def fixed_port(folder: Path) -> Sidecar:
    """Its OTLP port is the same after a reload."""
    endpoint = f"127.0.0.1:{unused_port()}"
    return Sidecar(folder, {"receivers": {"otlp": {"protocols": {"http": {"endpoint": endpoint}}}}})


def change(sidecar: Sidecar, **given: Any) -> None:
    content = yaml.safe_load(sidecar.configuration.read_text())
    sidecar.configuration.write_text(yaml.safe_dump({**content, **given}))


class Client:
    """Sends spans one after the other, each again until it is acknowledged, as an OTLP client does."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.acknowledged = 0
        self.longest_seconds = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            body = trace_request([self.acknowledged], start=time.time_ns())
            while not (posted := self._posted(body)) and not self._stopping.wait(0.02):
                pass
            self.acknowledged += posted
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - started)

    def _posted(self, body: bytes) -> bool:
        connection = http.client.HTTPConnection(self._endpoint, timeout=10)
        try:
            connection.request("POST", "/v1/traces", body, PROTOBUF)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 30
        while self.acknowledged < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_reload_under_load_loses_no_record(tmp_path: Path) -> None:
    """Every span that was acknowledged is in the files, once for each acknowledgement; the pause is short."""
    with fixed_port(tmp_path) as sidecar:
        with Client(sidecar.endpoints["http"]) as client:
            for number in range(3):
                client.wait_for(30 * (number + 1))
                reloaded = call(sidecar, "collector", "reload")
                assert (reloaded.exit_code, reloaded.stdout) == (0, f"reloaded: {sidecar.configuration}\n")
            client.wait_for(client.acknowledged + 10)
        assert sidecar.stop() == 0
        stored = Counter(record["name"] for record in sidecar.records("traces"))
        assert {f"span {number}" for number in range(client.acknowledged)} <= stored.keys()
        system = sorted(sidecar.records("system"), key=lambda record: int(record["time_unix_nano"]))
    events = [record["event"] for record in system]
    assert events == ["collector.started", *["configuration.reloaded"] * 3, "collector.stopped"]
    assert client.longest_seconds < 5


def test_a_reload_uses_the_new_rules_and_keeps_the_windows_of_the_others(tmp_path: Path) -> None:
    """What has been counted before counts after."""
    with fixed_port(tmp_path) as sidecar:
        rule = {
            "indicator": "spans",
            "statistic": "count",
            "bands": [{"level": "warning", "when": "> 1", "severity": "low"}],
        }
        rules = {"many spans": {**rule, "where": ["span.name =~ 'span .*'"]}}
        service = yaml.safe_load(sidecar.configuration.read_text())["service"]
        pipelines = {signal: service["pipelines"][signal] for signal in ("traces", "metrics")}
        change(sidecar, processors={"thresholds": {"rules": rules}}, service={**service, "pipelines": pipelines})
        before = json.loads(call(sidecar, "collector", "status", "--json").stdout)
        reloaded = call(sidecar, "collector", "reload")
        odd = "service.pipelines.logs: is missing, so logs are refused"
        assert (reloaded.exit_code, odd in reloaded.stderr) == (0, True)
        assert any(odd in line for line in sidecar.output)
        after = json.loads(call(sidecar, "collector", "status", "--json").stdout)
        assert (after["pid"], after["started"]) == (before["pid"], before["started"])
        values = json.loads(call(sidecar, "rules", "list", "--json").stdout)["rules"]
        assert "many spans" in {one["rule"] for one in values}


def test_a_broken_file_is_told_and_the_collector_goes_on(tmp_path: Path) -> None:
    """With the place of what is wrong; nothing has changed."""
    with fixed_port(tmp_path) as sidecar:
        before = json.loads(call(sidecar, "collector", "status", "--json").stdout)
        change(sidecar, bogus=1)
        refused = CliRunner().invoke(
            main, ["collector", "reload", "--logs", str(sidecar.logs), "--config", str(_good(tmp_path))]
        )
        assert refused.exit_code == 1
        assert "unknown key 'bogus'" in refused.stderr
        with Client(sidecar.endpoints["http"]) as client:
            client.wait_for(3)
        after = json.loads(call(sidecar, "collector", "status", "--json").stdout)  # by the broken file
        assert (after["pid"], after["started"]) == (before["pid"], before["started"])


def _good(folder: Path) -> Path:
    path = folder / "good.yaml"
    path.write_text("{}")
    return path


@pytest.mark.untraced
def test_a_port_that_is_taken_at_a_reload_brings_the_last_configuration_back(tmp_path: Path) -> None:
    """Said to whoever asked; the collector serves as before, and meanwhile nobody reads that it has stopped."""
    with fixed_port(tmp_path) as sidecar, Sidecar(tmp_path / "other") as other:
        good = sidecar.configuration.read_text()
        content = yaml.safe_load(good)
        content["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"] = other.endpoints["http"]
        sidecar.configuration.write_text(yaml.safe_dump(content))
        state = State.open(sidecar.logs / OWN_FOLDER / "state.db")
        with ThreadPoolExecutor() as pool, closing(state):
            reload = pool.submit(call, sidecar, "collector", "reload")
            stopped = {row.stopped_unix_nano for row in _until(reload, state.collector) if row}
        refused = reload.result()
        assert (refused.exit_code, stopped) == (1, {None})
        assert "The last configuration is in use again" in refused.stderr
        with Client(sidecar.endpoints["http"]) as client:
            client.wait_for(3)


def _until(done: Future[Any], look: Callable[[], CollectorRow | None]) -> Iterator[CollectorRow | None]:
    while not done.done():
        yield look()
        time.sleep(0.001)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="reload by a signal")
@pytest.mark.parametrize("delay_seconds", [0.0, 0.02, 0.05, 0.1, 0.2])
@pytest.mark.untraced
def test_a_stop_during_a_reload_is_a_stop(tmp_path: Path, delay_seconds: float) -> None:
    """Whatever stage the reload is at."""
    with fixed_port(tmp_path) as sidecar:
        sidecar.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while not any("reloading" in line for line in sidecar.output):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(delay_seconds)
        sidecar.process.send_signal(signal.SIGTERM)
        assert sidecar.wait() == 0


def test_status_and_stop(tmp_path: Path) -> None:
    """Exit code 0 while it runs and 1 when it does not; stopping twice is harmless."""
    with Sidecar(tmp_path) as sidecar:
        shown = call(sidecar, "collector", "status")
        told = json.loads(call(sidecar, "collector", "status", "--json").stdout)
        assert shown.exit_code == 0
        assert shown.stdout.startswith(f"running, pid {sidecar.process.pid}, version 0.1.0, for ")
        assert (told["running"], told["pid"], told["endpoints"]) == (True, sidecar.process.pid, sidecar.endpoints)
        stopped = call(sidecar, "collector", "stop")
        assert (stopped.exit_code, stopped.stdout) == (0, "stopped\n")
        assert sidecar.wait() == 0
        assert call(sidecar, "collector", "status").exit_code == 1
        assert call(sidecar, "collector", "stop").stdout == f"no sidecar runs on {sidecar.logs}\n"
        assert "Start one with: forecourt collector" in call(sidecar, "collector", "reload").stderr


@pytest.mark.untraced
def test_what_nobody_knows_and_what_nobody_wants_any_more_is_not_done(tmp_path: Path) -> None:
    """A command of yesterday's does not stop today's collector."""
    with Sidecar(tmp_path) as sidecar:
        state = State.open(sidecar.logs / OWN_FOLDER / "state.db")
        old = records.ask(state, "stop", {}, time.time_ns() - 120 * 10**9)
        wrong = records.ask(state, "maintain", {"bogus": 1}, time.time_ns())
        deadline = time.monotonic() + 20
        while (answer := records.answered(state, wrong)) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (answer["ok"], "bogus" in answer["error"]) == (False, True)
        assert records.answered(state, old) is None
        state.close()
        assert sidecar.process.poll() is None


@pytest.mark.untraced
def test_retention_is_carried_out_by_the_sidecar_that_runs(tmp_path: Path) -> None:
    """Nobody else could: the folder is its own."""
    with Sidecar(tmp_path, {"exporters": {"jsonl": {"retention": {"compress_after": "0s"}}}}) as sidecar:
        done = call(sidecar, "store", "maintain", "--json")
        assert (done.exit_code, json.loads(done.stdout)) == (0, {"steps": [], "failures": [], "freed_bytes": 0})
        pruned = call(sidecar, "store", "prune", "--older-than", "30days", "--json")
        assert json.loads(pruned.stdout) == {"rows": 0, "dry_run": False}


@pytest.mark.parametrize("check", ["self", "collection", "overhead"])
@pytest.mark.untraced
def test_a_running_sidecar_is_well(tmp_path: Path, check: str) -> None:
    """Its own checks; nobody to tell is worth a warning."""
    with Sidecar(tmp_path) as sidecar:
        with Client(sidecar.endpoints["http"]) as client:
            client.wait_for(1)
        deadline = time.monotonic() + 30
        while call(sidecar, "check", "self", "--json").exit_code == 2:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        checked = call(sidecar, "check", check)
        told = json.loads(call(sidecar, "check", check, "--json").stdout)
    expected = {
        "self": (1, "OK: sidecar is "),
        "collection": (0, "OK: sender is "),
        "overhead": (0, "OK: cpu is "),
    }[check]
    assert checked.exit_code == expected[0]
    assert expected[1] in checked.stdout
    assert {one["check"] for one in told["components"]} == {check}
    assert told["status"] == ("WARNING" if check == "self" else "OK")
