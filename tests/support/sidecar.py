"""A real collector in a process of its own, on free ports and a folder of the test's."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml

from tests.support.untraced import untraced as untraced_environ

READY = "ready: "
WITH_PAGES = {"service": {"extensions": ["health_check", "dashboard", "security_dashboard"]}}
START_SECONDS = 60.0


class Sidecar:
    """`endpoints` names what listens where once the collector says that it is ready."""

    _is_untraced: ClassVar[bool] = False

    def __init__(self, folder: Path, configuration: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        self.configuration = folder / "otel-config.yaml"
        self.configuration.write_text(yaml.safe_dump(_merged(free_ports(), configuration or {})))
        self.output: list[str] = []
        self.endpoints: dict[str, str] = {}

    def start(self, *, untraced: bool = False) -> Self:
        """Return when it is ready; `untraced` keeps coverage, which costs time and memory, out of it."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "operations", "collector", "--config", str(self.configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=untraced_environ() if untraced or self._is_untraced else None,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        watchdog = threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.output.append(line)
            if READY in line:
                self.endpoints = dict(part.split(" ") for part in line.split(READY)[1].strip().split(", "))
                break
        else:
            self.process.wait()
            raise AssertionError("the collector did not start:\n" + "".join(self.output))
        watchdog.cancel()
        self._reader = threading.Thread(target=self._read_on, daemon=True)
        self._reader.start()
        return self

    def _read_on(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.output.append(line)

    def kill(self) -> None:
        """End it as a crash would: no handler runs."""
        self.process.kill()
        self.wait()

    def stop(self, seconds: float = 10.0) -> int:
        """Ask it to end as Ctrl-C does; its exit code."""
        self.process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))
        return self.wait(seconds)

    def wait(self, seconds: float = 10.0) -> int:
        """Until it has ended by itself; its exit code."""
        try:
            return self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self._reader.join()
            if self.process.stderr is not None:
                self.process.stderr.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def url(self, name: str) -> str:
        return f"http://{self.endpoints[name]}"

    def connect(self, name: str = "http") -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.endpoints[name], timeout=30)

    def get(self, name: str, path: str) -> str:
        connection = self.connect(name)
        connection.request("GET", path)
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def records(self, stream: str) -> Iterator[dict[str, Any]]:
        """Every line of the stream's segments; a line that does not parse fails the test."""
        for path in sorted((self.logs / stream).glob("*.jsonl")):
            for line in path.read_bytes().splitlines():
                yield json.loads(line)


class UntracedSidecar(Sidecar):
    """Coverage stays out of it: for tests of what talks to it."""

    _is_untraced = True


def free_ports() -> dict[str, Any]:
    """A configuration in which every port is one that the system chooses."""
    anywhere = {"endpoint": "127.0.0.1:0"}
    return {
        "receivers": {"otlp": {"protocols": {"grpc": dict(anywhere), "http": dict(anywhere)}}},
        "extensions": {name: dict(anywhere) for name in ("health_check", "dashboard", "security_dashboard")},
        "service": {
            # No web process: who tests the pages asks for it by WITH_PAGES.
            "extensions": ["health_check"],
            "telemetry": {"metrics": dict(anywhere)},
            # Neither probes nor host metrics: a test counts what it sends.
            "pipelines": {"traces": {}, "metrics": {"receivers": ["otlp"]}, "logs": {}},
        },
    }


def unused_port() -> int:
    """A port on which nobody listens now; for what must be the same after a restart, or must refuse."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
