"""The processes and the traffic of the demo."""

from __future__ import annotations

import http.client
import importlib
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import yaml

from operations.child_process import ChildProcess
from storage.names import stream_folders
from storage.state import State, StateError
from storage.web_process import served, web_process

_START_SECONDS = 30.0
_TRIES = 5
_TAKEN = "can't listen"
"""What the collector says of a port that is somebody else's."""
_FIRST_ROUNDS = 4
_SERVICE = "fossawork-backend"
_EXPORT_SECONDS = 1.0
_PORTS = {"grpc": 4317, "http": 4318, "health": 13133, "metrics": 8888, "dashboard": 9090, "security": 9091}
_PAGES_SECONDS = 10.0
_Found = TypeVar("_Found")


class DemoError(Exception):
    """The demo can't go on; the message says why and what to look at."""


def fresh_folder(wanted: Path | None) -> Path:
    """Make `wanted`, or the first of forecourt-demo, forecourt-demo-2 … that is free."""
    folder = wanted or Path("forecourt-demo")
    number = 1
    while wanted is None and folder.exists():
        number += 1
        folder = Path(f"forecourt-demo-{number}")
    folder.mkdir(parents=True)
    return folder


def look_for_the_extra() -> None:
    """Raise ModuleNotFoundError for what the backend needs, before anything is made."""
    for module in ("apscheduler", "sqlalchemy", "websockets"):
        if find_spec(module) is None:
            raise ModuleNotFoundError(name=module)


def _example() -> Any:
    # The wheel carries the examples under this name; in a checkout they lie in a folder of another.
    return importlib.import_module("operations.examples.fossawork_backend.driver")


def scenarios() -> list[str]:
    """What the backend of the demo can be made to suffer from."""
    return list(_example().SCENARIOS)


class Demo:
    """A collector, a backend with the shape of FossaWork V2 and its users, all on loopback."""

    def __init__(self, folder: Path, scenario: str = "normal") -> None:
        self.folder = folder
        self._scenario = scenario
        self._driver: Any = None
        self._steps: Iterator[None] = iter(())
        self._rounds = 0
        self._children: list[ChildProcess] = []
        self._endpoints: dict[str, str] = {}
        self._app = f"127.0.0.1:{_free_port()}"

    def start(self) -> None:
        """Return when both answer; raise DemoError."""
        self._start_collector(_TRIES)
        backend = Path(str(resources.files("operations.examples"))) / "fossawork_backend"
        address, port = self._app.split(":")
        served = ["run", "app.main:app", "--app-dir", str(backend), "--host", address, "--port", port]
        self._run("backend", [sys.executable, "-m", "operations", *served], self._backend_settings())
        self._wait(lambda: self._answers("/health"))
        self._driver = _example().Driver(f"http://{self._app}", self._scenario)

    def _start_collector(self, tries: int) -> None:
        """With other ports where somebody took one between our look and the start."""
        configuration = self.folder / "otel-config.yaml"
        configuration.write_text(yaml.safe_dump(_configuration(self._app)), encoding="utf-8")
        self._run("collector", [sys.executable, "-m", "operations", "collector", "--config", str(configuration)], {})
        try:
            self._endpoints = self._wait_for_collector()
        except DemoError as error:
            if tries <= 1 or _TAKEN not in str(error):
                raise
            self._children.pop().stop()
            self._start_collector(tries - 1)

    def introduction(self) -> str:
        listening = self._endpoints
        return (
            f"Forecourt demo in {self.folder}{os.sep}\n\n"
            f"  collector    OTLP/gRPC {listening['grpc']}, OTLP/HTTP {listening['http']}\n"
            f"  backend      http://{self._app}, started with `forecourt run`; scenario {self._scenario}\n"
        )

    def send_first_requests(self) -> None:
        """Return when the requests are answered and their telemetry is on disk; raise DemoError."""
        while self._rounds <= _FIRST_ROUNDS:
            self.send_request()
        self._wait(lambda: {"logs", "metrics", "traces", "performance"} <= _counts(self.folder / "logs").keys())
        # One more export, so that the last spans and points of the first requests are there too.
        time.sleep(2 * _EXPORT_SECONDS)

    def send_request(self) -> None:
        """The next of what users do, round after round; raise DemoError if the backend does not answer."""
        try:
            if next(self._steps, self) is self:
                self._steps = self._driver.steps(self._rounds)
                self._rounds += 1
        except (OSError, http.client.HTTPException) as error:
            self.check()
            raise DemoError(f"the backend does not answer ({error}); see {self.folder / 'backend.log'}") from error

    def summary(self) -> str:
        counts = _counts(self.folder / "logs")
        rows = [f"  {stream:<13}{records:>8}   {path}" for stream, (records, path) in counts.items()]
        return "\n".join(
            [f"Sent {self._driver.tally.requests} requests; written:\n", "  stream        records   file", *rows, ""]
        )

    def commands(self) -> str:
        """What to type, with this demo's own paths and ports."""
        look = [
            *self._pages(),
            *_reading_commands(self.folder / "logs"),
            f"{program()} rules list --logs {self.folder / 'logs'}",
            f"{program()} alerts list --logs {self.folder / 'logs'}",
            f"curl -s http://{self._endpoints['metrics']}/metrics",
        ]
        send = [
            f"curl -s http://{self._app}/reports/weekly/7",
            f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{self._endpoints['http']} {program()} run your_app:app",
        ]
        lines = [
            "Look at it:",
            *[f"  {line}" for line in look],
            "",
            "Send more:",
            *[f"  {line}" for line in send],
        ]
        return "\n".join([*lines, "", "A request a second follows, for ten minutes. Ctrl-C stops everything."])

    def check(self) -> None:
        """Raise DemoError when a process has ended."""
        for child in self._children:
            if not child.running:
                raise DemoError(f"{child.name} ended; the end of {child.log}:\n{child.last_words()}")

    def stop(self) -> None:
        """End the app before the collector, so that its last export arrives."""
        for child in reversed(self._children):
            child.stop()

    def _run(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self._children.append(ChildProcess(name, command, self.folder / f"{name}.log", environment))

    def _backend_settings(self) -> dict[str, str]:
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self._endpoints['http']}",
            "OTEL_SERVICE_NAME": _SERVICE,
            "OTEL_METRIC_EXPORT_INTERVAL": str(int(_EXPORT_SECONDS * 1000)),
            "FORECOURT_SPOOL": str(self.folder / "spool"),
            "FOSSAWORK_DATABASE": str(self.folder / "fossawork_v2.db"),
        }

    def _wait_for_collector(self) -> dict[str, str]:
        self._wait(lambda: self._published_endpoints() is not None)
        return self._published_endpoints() or {}

    def _published_endpoints(self) -> dict[str, str] | None:
        row = self._told(State.collector)
        return None if row is None else dict(row.endpoints)

    def _pages(self) -> list[str]:
        """Their addresses; none where the web process can't serve, which is no reason to end."""
        deadline = time.monotonic() + _PAGES_SECONDS
        while not (found := served(self._told(web_process))) and time.monotonic() < deadline:
            time.sleep(0.1)
        return list(found.values())

    def _told(self, look: Callable[[State], _Found | None]) -> _Found | None:
        """What the collector's state says, as soon as there is one."""
        path = self.folder / "logs" / ".forecourt" / "state.db"
        if not path.exists():
            return None
        try:
            state = State.open(path)
        except StateError:
            return None
        try:
            return look(state)
        finally:
            state.close()

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not done():
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"nothing happened for {_START_SECONDS:.0f} s; see the logs in {self.folder}")
            time.sleep(0.1)

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection(self._app, timeout=10)
        try:
            connection.request("GET", path, headers={"User-Agent": "forecourt-demo"})
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def _configuration(app: str) -> dict[str, object]:
    """The default ports where they are free, others where not."""
    endpoints = {name: {"endpoint": f"127.0.0.1:{_free_port(port)}"} for name, port in _PORTS.items()}
    return {
        "receivers": {
            "otlp": {"protocols": {"grpc": endpoints["grpc"], "http": endpoints["http"]}},
            "httpcheck": {
                "collection_interval": "5s",
                "targets": [{"name": "backend", "endpoint": f"http://{app}/health"}],
            },
        },
        "extensions": {
            "health_check": endpoints["health"],
            "dashboard": endpoints["dashboard"],
            "security_dashboard": endpoints["security"],
        },
        "service": {"telemetry": {"metrics": endpoints["metrics"]}},
        "alerting": {"link": f"http://{endpoints['dashboard']['endpoint']}"},
    }


def _free_port(wanted: int = 0) -> int:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return _free_port()
        port: int = probe.getsockname()[1]
        return port


def _counts(logs: Path) -> dict[str, tuple[int, Path]]:
    """Records and newest file of each stream."""
    found = {}
    for folder in stream_folders(logs):
        files = sorted(folder.glob("*.jsonl"))
        records = sum(path.read_bytes().count(b"\n") for path in files)
        if records:
            found[folder.name] = (records, files[-1])
    return found


def program() -> str:
    """This very program as one types it here: by its path where the shell does not find it."""
    ours = Path(sys.executable).parent / "forecourt"
    found = shutil.which("forecourt")
    if not ours.exists() or (found and Path(found).resolve() == ours.resolve()):
        return "forecourt"
    return os.path.relpath(ours) if ours.is_relative_to(Path.cwd()) else str(ours)


def _reading_commands(logs: Path) -> list[str]:
    if os.name == "nt":
        traces = logs / "traces" / "*.jsonl"
        return [f"Get-Content -Wait {traces} | ConvertFrom-Json | Select-Object name, duration_ms"]
    if shutil.which("jq") is None:
        return [
            f'tail -f {logs}/traces/*.jsonl | grep -o \'"name":"[^"]*"\'',
            f'grep -o \'"event_name":"[^"]*"\' {logs}/logs/*.jsonl',
        ]
    return [
        f"tail -f {logs}/traces/*.jsonl | jq .name",
        f"jq -c 'select(.kind == \"SERVER\") | [.name, .duration_ms]' {logs}/traces/*.jsonl",
        f"jq -c 'select(.event_name) | [.event_name, .attributes.\"event.outcome\"]' {logs}/logs/*.jsonl",
    ]
