"""The web process beside the collector: it comes back, it goes along, and it never touches what is received."""

from __future__ import annotations

import json
import os
import socket
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from click.testing import CliRunner, Result

from operations import watched_process as watched_process_module
from operations.cli import main
from operations.watched_process import web_process
from storage.names import OWN_FOLDER
from tests.operations.test_control import Client, change
from tests.support.pages import front, pages_of, told_of_pages, wait_until
from tests.support.sidecar import WITH_PAGES, Sidecar, free_ports, unused_port


def call(sidecar: Sidecar, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(sidecar.configuration)], catch_exceptions=False)


def said(sidecar: Sidecar, words: str) -> list[str]:
    return [line for line in sidecar.output if words in line]


def test_the_pages_are_served_beside_the_collector_and_end_with_it(tmp_path: Path) -> None:
    """Log, status and doctor tell the addresses; the process has a lower priority and leaves nothing behind."""
    with Sidecar(tmp_path, WITH_PAGES) as sidecar:
        row = pages_of(sidecar.logs)
        assert [front(address) for address in row.endpoints.values()] == [(307, "/overview"), (307, "/security")]
        ours, child = psutil.Process(sidecar.process.pid), psutil.Process(row.pid)
        assert child.ppid() == ours.pid
        assert os.name == "nt" or child.nice() == min(19, ours.nice() + 10)
        lines = {"dashboard": row.endpoints["dashboard"], "security": row.endpoints["security_dashboard"]}
        for name, address in lines.items():
            wait_until(partial(said, sidecar, f"{name}: {address}"), f"{name} is not in the log")
        status, told = call(sidecar, "collector", "status"), call(sidecar, "collector", "status", "--json")
        assert {f"{name:<10}{address}" for name, address in lines.items()} <= set(status.stdout.splitlines())
        assert json.loads(told.stdout)["pages"] == row.endpoints
        found = json.loads(call(sidecar, "doctor", "--json").stdout)
        assert {one["subject"]: one["detail"] for one in found if one["subject"] in lines} == lines
        assert sidecar.stop() == 0
        assert not psutil.pid_exists(row.pid)
        last = told_of_pages(sidecar.logs)
        assert last is not None
        assert (last.pid, last.lives, last.stopped_unix_nano is None) == (row.pid, False, False)
        assert json.loads(call(sidecar, "collector", "status", "--json").stdout)["pages"] == {}


@pytest.mark.untraced
def test_a_collector_that_does_not_list_them_has_no_web_process(tmp_path: Path) -> None:
    """And doctor says how to see them all the same."""
    with Sidecar(tmp_path) as sidecar:
        assert psutil.Process(sidecar.process.pid).children() == []
        (found,) = [one for one in json.loads(call(sidecar, "doctor", "--json").stdout) if one["subject"] == "pages"]
        assert found["detail"].endswith("they are served by: forecourt dashboard")


@pytest.mark.untraced
def test_a_web_process_that_is_killed_comes_back_while_records_are_received(tmp_path: Path) -> None:
    """The log says so, and no sender waits for it."""
    with Sidecar(tmp_path, WITH_PAGES) as sidecar, Client(sidecar.endpoints["http"]) as client:
        first = pages_of(sidecar.logs)
        psutil.Process(first.pid).kill()
        client.wait_for(client.acknowledged + 20)
        second = pages_of(sidecar.logs, after=first.pid)
        assert front(second.endpoints["dashboard"]) == (307, "/overview")
        client.wait_for(client.acknowledged + 20)
        (line,) = said(sidecar, "the web process ended")
        told = "" if os.name == "nt" else "(signal 9); records are received as before, the pages come back in 1 s"
        assert told in line
    assert client.longest_seconds < 5


@pytest.mark.untraced
def test_a_collector_that_is_killed_takes_the_web_process_along(tmp_path: Path) -> None:
    """Nobody has asked it to: it hears that the other end of its input is gone."""
    with Sidecar(tmp_path, WITH_PAGES) as sidecar:
        row = pages_of(sidecar.logs)
        sidecar.kill()
        wait_until(lambda: not row.lives, "the web process lives on")
        last = told_of_pages(sidecar.logs)
        assert last is not None
        assert last.stopped_unix_nano is not None


def test_a_reload_takes_the_pages_along(tmp_path: Path) -> None:
    """To another port, away when they are listed no more, and back."""
    with Sidecar(tmp_path, WITH_PAGES) as sidecar:
        first = pages_of(sidecar.logs)
        good = yaml.safe_load(sidecar.configuration.read_text())
        endpoint = f"127.0.0.1:{unused_port()}"
        good["extensions"]["dashboard"]["endpoint"] = endpoint
        reloaded(sidecar, good)
        second = pages_of(sidecar.logs, after=first.pid)
        assert second.endpoints["dashboard"] == f"http://{endpoint}"
        assert front(second.endpoints["dashboard"]) == (307, "/overview")

        reloaded(sidecar, {**good, "service": {**good["service"], "extensions": ["health_check"]}})
        wait_until(lambda: not second.lives, "the pages are still served")

        reloaded(sidecar, {**good, "service": {**good["service"], "extensions": ["security_dashboard"]}})
        third = pages_of(sidecar.logs, after=second.pid)
        assert list(third.endpoints) == ["security_dashboard"]
        assert said(sidecar, "the web process ended") == []


@pytest.mark.untraced
def test_a_reload_that_fails_leaves_the_pages_as_they_are(tmp_path: Path) -> None:
    """Be it refused at once, or tried and given up because a port is taken."""
    with socket.socket() as holder, Sidecar(tmp_path, WITH_PAGES) as sidecar:
        first = pages_of(sidecar.logs)
        good = yaml.safe_load(sidecar.configuration.read_text())
        change(sidecar, bogus=1)
        assert call(sidecar, "collector", "reload", "--logs", str(sidecar.logs)).exit_code == 1
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        good["service"]["telemetry"]["metrics"]["endpoint"] = f"127.0.0.1:{holder.getsockname()[1]}"
        sidecar.configuration.write_text(yaml.safe_dump(good))
        assert "is in use again" in call(sidecar, "collector", "reload").stderr
        assert psutil.wait_procs([psutil.Process(first.pid)], timeout=1)[0] == []
        assert (pages_of(sidecar.logs), front(first.endpoints["dashboard"])) == (first, (307, "/overview"))


def reloaded(sidecar: Sidecar, content: dict[str, Any]) -> None:
    sidecar.configuration.write_text(yaml.safe_dump(content))
    done = call(sidecar, "collector", "reload")
    assert done.exit_code == 0, done.output


def test_a_port_that_is_taken_is_said_once_and_tried_until_it_is_free(tmp_path: Path) -> None:
    """The collector receives meanwhile, and the way out is told."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        pages = {"extensions": {"dashboard": {"endpoint": f"127.0.0.1:{port}"}}, **WITH_PAGES}
        with Sidecar(tmp_path, pages) as sidecar, Client(sidecar.endpoints["http"]) as client:
            wait_until(lambda: said(sidecar, "no pages: "), "nothing is said of the taken port")
            client.wait_for(client.acknowledged + 5)
            holder.close()
            assert front(pages_of(sidecar.logs).endpoints["dashboard"]) == (307, "/overview")
            (line,) = said(sidecar, "can't listen here")
            assert f"no pages: 127.0.0.1:{port}: can't listen here: " in line
            assert line.endswith(". Stop what listens there, or choose another endpoint under extensions\n")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a folder in which a collector has run."""
    path = tmp_path / "otel-config.yaml"
    path.write_text(yaml.safe_dump({**free_ports(), **WITH_PAGES}))
    (tmp_path / "logs" / OWN_FOLDER).mkdir(parents=True)
    return path


def test_what_cannot_start_is_started_again_ever_later(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each time the wait is twice as long; a new configuration is tried at once."""
    monkeypatch.setattr(watched_process_module, "_FIRST_DELAY_SECONDS", 0.2)
    good = config.read_text()
    config.write_text("bogus: 1")
    pages = web_process(config)
    try:
        pages.serve(wanted=True)
        wait_until(lambda: len(caplog.messages) == 3, "it is not tried again")
        told = ("the web process ended (exit code 1)", "records are received as before, the pages come back")
        assert [record.args for record in caplog.records] == [(*told, 0.2), (*told, 0.4), (*told, 0.8)]
        config.write_text(good)
        pages.serve(wanted=True)
        pages_of(config.parent / "logs")
    finally:
        pages.close()


@pytest.mark.untraced
def test_a_web_process_that_does_not_hear_is_killed(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector's end waits for nobody for long."""
    monkeypatch.setattr(watched_process_module, "_STOP_SECONDS", 0.2)
    pages = web_process(config)
    pages.serve(wanted=True)
    row = pages_of(config.parent / "logs")
    psutil.Process(row.pid).suspend()
    pages.close()
    assert not psutil.pid_exists(row.pid)


@pytest.mark.untraced
def test_a_folder_with_a_name_of_ours_is_not_taken_for_ours(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the collector is started."""
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations" / "__init__.py").write_text("raise SystemExit(99)\n")
    monkeypatch.chdir(tmp_path)
    pages = web_process(config)
    try:
        pages.serve(wanted=True)
        assert front(pages_of(tmp_path / "logs").endpoints["security_dashboard"]) == (307, "/security")
    finally:
        pages.close()
