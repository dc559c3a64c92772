"""`forecourt dashboard`: the pages over any folder of records, until Ctrl-C."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import trustme
import yaml
from click.testing import CliRunner

from operations.cli import main
from operations.configuration import load
from operations.page_site import site_of
from processors.conditions import parse_condition
from processors.rule_state import Band
from tests.conftest import ROOT
from tests.support.pages import front, pages_of
from tests.support.sidecar import WITH_PAGES, UntracedSidecar, free_ports
from tests.support.week import Week

START = ("-m", "operations", "dashboard")
SLOW = """
import sys, time, types
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from operations import page_server

def slow(request):
    print("asked", flush=True)
    time.sleep(600)
    return PlainTextResponse("late")

module = types.ModuleType("dashboard.application")
module.application = lambda site, **_: Starlette(routes=[Route("/", slow)])
sys.modules["dashboard.application"] = module
page_server._STOP_SECONDS = 0.5
from operations.cli import main
main(prog_name="forecourt")
"""


class Dashboard:
    """A running `forecourt dashboard`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.told: dict[str, str] = {}

    def read(self) -> None:
        """What it says until it serves."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line == "Ctrl-C stops it.\n":
                return
            name, _, value = line.strip().partition(":")
            self.told[name] = value.strip()
        raise AssertionError(f"it did not start: {self.told}")

    def interrupt(self) -> tuple[int, str]:
        """As Ctrl-C does; its exit code, and what else it has said."""
        self.process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))
        rest, _ = self.process.communicate(timeout=20)
        return self.process.returncode, rest


@contextmanager
def dashboard(*arguments: str, folder: Path = ROOT, start: tuple[str, ...] = START) -> Iterator[Dashboard]:
    process = subprocess.Popen(
        [sys.executable, *start, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    running = Dashboard(process)
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        running.read()
        yield running
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def refused(*arguments: str, folder: Path = ROOT) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *START, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """All ports are those that the system chooses."""
    return _config(tmp_path)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Without any record."""
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def _config(folder: Path, **dashboard_settings: object) -> Path:
    content = free_ports()
    content["extensions"]["dashboard"].update(dashboard_settings)
    path = folder / "otel-config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def _tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Of all files but the key of the sessions, which is kept where it can be."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "dashboard.key"]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


@pytest.mark.untraced
def test_the_records_of_another_machine_are_shown_and_only_read(week: Week, tmp_path: Path, config: Path) -> None:
    """A copy without a state database, which gets none; Ctrl-C ends it all without a word."""
    logs = tmp_path / "backup" / "logs"
    shutil.copytree(week.logs, logs, ignore=shutil.ignore_patterns("state.db*"))
    before = _tree(tmp_path)
    with dashboard("--logs", str(logs), "--config", str(config)) as running:
        assert list(running.told) == ["dashboard", "security", "records"]
        assert running.told["records"] == str(logs)
        assert front(running.told["dashboard"]) == (307, "/overview")
        assert front(running.told["security"]) == (307, "/security")
        children = psutil.Process(running.process.pid).children(recursive=True)
        assert running.interrupt() == (0, "")
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert _tree(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "name", "page"),
    [(("--port", "0"), "dashboard", "/overview"), (("--port", "0", "--security"), "security", "/security")],
)
@pytest.mark.untraced
def test_a_port_may_be_chosen_for_one_of_them(
    arguments: tuple[str, ...], name: str, page: str, logs: Path, tmp_path: Path
) -> None:
    """Nothing else is listened on then, so that it goes beside a sidecar; the security page where it is asked for."""
    with dashboard("--logs", str(logs), *arguments, folder=tmp_path) as running:
        assert list(running.told) == [name, "records"]
        assert front(running.told[name]) == (307, page)
        assert running.interrupt()[0] == 0


@pytest.mark.untraced
def test_only_the_security_pages_port_of_the_configuration(logs: Path, config: Path) -> None:
    with dashboard("--security", "--logs", str(logs), "--config", str(config)) as running:
        assert list(running.told) == ["security", "records"]


def test_a_port_that_somebody_else_has_is_told_in_one_line(logs: Path, tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        endpoint = f"127.0.0.1:{holder.getsockname()[1]}"
        config = _config(tmp_path, endpoint=endpoint)
        code, told = refused("--logs", str(logs), "--config", str(config))
    assert (code, told.startswith(f"Error: {endpoint}: can't listen here: ")) == (1, True)
    assert told.endswith(". Choose another port: --port N, or --port 0 for any that is free\n")
    assert told.count("\n") == 1


def test_a_port_that_the_running_sidecar_has_is_told_with_its_address(tmp_path: Path) -> None:
    """Whoever types `forecourt dashboard` beside a sidecar wants its pages."""
    with UntracedSidecar(tmp_path, WITH_PAGES) as sidecar:
        address = pages_of(sidecar.logs).endpoints["dashboard"]
        port = str(urlsplit(address).port)
        code, told = refused("--port", port, "--config", str(sidecar.configuration))
    assert (code, told.count("\n")) == (1, 1)
    assert f". The running sidecar serves these pages already: {address}. Or choose another port: --port N" in told


def test_a_folder_that_is_not_there_and_a_wrong_file_are_told(tmp_path: Path, config: Path) -> None:
    """Before anything is listened on."""
    absent = str(tmp_path / "absent")
    code, told = refused("--logs", absent, "--config", str(config))
    assert (code, f"{absent}: no such folder. Name the one with the records (--logs DIR)" in told) == (2, True)
    config.write_text("extensions: {dashboard: {endpoint: 0.0.0.0:9090}}")
    code, told = refused("--config", str(config))
    assert (code, "0.0.0.0:9090 can be reached from other machines and asks for no login" in told) == (1, True)


def test_pages_with_a_certificate_are_served_by_https(logs: Path, tmp_path: Path) -> None:
    """A relative path is one beside the file; a key that does not belong to it is told."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "server.key")
    config = _config(tmp_path, tls={"cert_file": "server.pem", "key_file": "server.key"})
    arguments = ("--logs", str(logs), "--config", str(config))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with dashboard(*arguments) as running:
        assert running.told["dashboard"].startswith("https://127.0.0.1:")
        assert front(running.told["dashboard"], context) == (307, "/overview")
    authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(tmp_path / "server.key")
    code, told = refused(*arguments)
    assert (code, told.startswith("Error: extensions.dashboard.tls: ")) == (1, True)


@pytest.mark.untraced
def test_a_question_that_takes_long_does_not_keep_it_from_ending(logs: Path) -> None:
    """Nobody hears its answer any more."""
    arguments = ("dashboard", "--port", "0", "--logs", str(logs))
    with dashboard(*arguments, start=("-c", SLOW)) as running:
        place = urlsplit(running.told["dashboard"])
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        connection.request("GET", "/")
        assert running.process.stdout is not None
        assert running.process.stdout.readline() == "asked\n"
        assert running.interrupt()[0] == 0
        connection.close()


def test_it_is_known_and_its_inner_option_is_not_shown() -> None:
    shown = CliRunner().invoke(main, ["dashboard", "--help"])
    assert shown.exit_code == 0
    assert "--watched" not in shown.stdout
    assert {"--port", "--security", "--logs", "--config"} <= set(shown.stdout.replace(",", " ").split())


def test_pages_know_the_configuration_and_how_long_records_are_kept(tmp_path: Path, config: Path) -> None:
    """In words; of another folder than the collector's nothing is known, and its archive is the one beside it."""
    text = yaml.safe_load(config.read_text())
    text["exporters"] = {
        "jsonl": {"retention": {"compress_after": "12h", "streams": {"logs": {"delete_after": "60days"}}}}
    }
    config.write_text(yaml.safe_dump(text))
    (tmp_path / "archive").mkdir()
    (tmp_path / "elsewhere" / "logs").mkdir(parents=True)
    source = load(config)
    site = site_of(source, config, None)
    assert (site.folder, site.archive, site.configuration) == (tmp_path / "logs", tmp_path / "archive", str(config))
    assert site.retention["traces"] == "gzip after 12h, archive after 30 d, deleted after 90 d"
    assert site.retention["logs"] == "gzip after 12h, archive after 30 d, deleted after 60 d"
    other = site_of(source, config, tmp_path / "elsewhere" / "logs")
    assert (other.archive, other.retention) == (tmp_path / "elsewhere" / "archive", {})


def test_changed_bands_are_shown_as_they_would_stand_in_the_file(tmp_path: Path) -> None:
    """As a difference, with its comments; the file stays as it is."""
    config = tmp_path / "otel-config.yaml"
    text = """\
processors:
  thresholds:
    rules:
      http.server.p95:
        bands:
          - {level: warning, when: "> 3s", severity: low}  # what users bear
"""
    config.write_text(text)
    reband = site_of(load(config), config, None).reband
    found = reband("http.server.p95", [Band("warning", parse_condition("> 4s"), None, "low")])
    assert (found.file, found.problem) == (str(config), "")
    changes = [
        line for line in found.difference.splitlines() if line.startswith(("+", "-")) and "otel-config" not in line
    ]
    assert changes == [
        '-          - {level: warning, when: "> 3s", severity: low}  # what users bear',
        "+          - {level: warning, when: '> 4s', severity: low}  # what users bear",
    ]
    assert reband("http.server.p95", [Band("warning", parse_condition("> 3s"), None, "low")]).difference == ""
    assert config.read_text() == text


@pytest.mark.parametrize("on_one_line", [False, True])
def test_changed_bands_tell_no_secret(tmp_path: Path, *, on_one_line: bool) -> None:
    """Not of the lines beside them, nor of their own: whoever may only look could act with the token of another."""
    config = tmp_path / "otel-config.yaml"
    users = {"anna": {"token": "a-token-of-anna-0123", "role": "operate"}, "wall": {"token": "a-token-of-the-wall"}}
    bands = [{"level": "warning", "when": "> 3s", "severity": "low"}]
    content = {
        "extensions": {"dashboard": {"users": users}},
        "processors": {"thresholds": {"rules": {"http.server.p95": {"bands": bands}}}},
        "alerting": {"smtp": {"password": "of-the-mail-server"}},
    }
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in content.items()]
    config.write_text("{" + ", ".join(lines) + "}" if on_one_line else "\n".join(lines))
    found = site_of(load(config), config, None).reband(
        "http.server.p95", [Band("warning", parse_condition("> 4s"), None, "low")]
    )
    assert "> 4s" in found.difference
    assert [one for one in ("anna-0123", "the-wall", "mail-server") if one in found.difference] == []


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("<script>", "FILE: has no rule '<script>' with bands"),
        ("http.server.p95", "http.server.p95 has 2 bands, 0 were given"),
    ],
)
def test_bands_that_the_file_cannot_have_are_told(rule: str, told: str, config: Path) -> None:
    """The page shows it in the place of a difference."""
    found = site_of(load(config), config, None).reband(rule, [])
    assert (found.difference, found.problem.replace(str(config), "FILE")) == ("", told)


def test_a_file_that_has_become_wrong_is_told_when_bands_are_changed(config: Path) -> None:
    """With the way to see what is wrong, and not what stands there: whoever may only look is told it too."""
    reband = site_of(load(config), config, None).reband
    config.write_text("extensions: {dashboard: {users: {anna: {token: 1234567890123456789}}}}")
    found = reband("http.server.p95", [])
    assert (found.difference, found.problem) == (
        "",
        f"{config} is no valid configuration as it stands now; what is wrong says: forecourt config check {config}",
    )


@pytest.mark.untraced
def test_what_visitors_do_is_no_fault_of_the_pages(logs: Path) -> None:
    """What is no HTTP, or asks for a WebSocket; and the end, as with each reload, while somebody has a page open."""
    with dashboard("--port", "0", "--logs", str(logs)) as running:
        address = urlsplit(running.told["dashboard"]).netloc
        host, _, port = address.partition(":")
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket"
        asked = [
            "\x16\x03\x01\x02\r\n\r\n",
            f"GET /live HTTP/1.1\r\nHost: {address}\r\n{upgrade}\r\n\r\n",
            f"GET /live?path=/overview&refresh=1min HTTP/1.1\r\nHost: {address}\r\n\r\n",
        ]
        with ExitStack() as open_connections:
            for text, answer in zip(asked, (b"400", b"404", b"event: content"), strict=True):
                connection = open_connections.enter_context(socket.create_connection((host, int(port)), 20))
                connection.sendall(text.encode("latin-1"))
                read = b""
                while answer not in read:
                    piece = connection.recv(2**16)
                    assert piece
                    read += piece
            assert running.interrupt() == (0, "")
