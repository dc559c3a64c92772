"""A FastAPI app in a process of its own, under uvicorn or gunicorn, on a port that the system chooses."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.conftest import ROOT

EXAMPLES = ROOT / "examples"
_RUNNING = re.compile(r"(?:running on|Listening at:) http://127\.0\.0\.1:(\d+)")
_START_SECONDS = 60.0


class Backend:
    """`output` is what it wrote so far; `address` is known once it answers."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self.output: list[str] = []
        self._command = [sys.executable, *command]
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "XDG_STATE_HOME": str(folder / "state"),
            **environ,
        }
        self._folder = folder

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        watchdog = threading.Timer(_START_SECONDS, self.process.kill)
        watchdog.start()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if found := _RUNNING.search(line):
                self.address = f"127.0.0.1:{found[1]}"
                break
        else:
            self.process.wait()
            self.process.stdout.close()
            raise AssertionError("the app did not start:\n" + "".join(self.output))
        watchdog.cancel()
        self._reader = threading.Thread(target=self._read_on, daemon=True)
        self._reader.start()
        self._wait_until_it_listens()
        return self

    def _wait_until_it_listens(self) -> None:
        # A supervisor tells the address before its workers listen.
        host, port = self.address.split(":")
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("the app does not listen:\n" + "".join(self.output))

    def _read_on(self) -> None:
        assert self.process.stdout is not None
        self.output += iter(self.process.stdout)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> float:
        """Ask it to end; the seconds that took."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(sent)
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self._reader.join()
            if self.process.stdout is not None:
                self.process.stdout.close()
        return time.monotonic() - started

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> int:
        """The status, over a connection of its own."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()


def uvicorn(folder: Path, app: str, environ: Mapping[str, str], *options: str, app_dir: Path) -> Backend:
    """An app that instruments itself."""
    served = ["-m", "uvicorn", app, "--app-dir", str(app_dir), "--port", "0", *options]
    return Backend(served, environ, folder)


def fossawork(folder: Path, environ: Mapping[str, str], *options: str) -> Backend:
    """The example backend, which knows nothing of us, under `forecourt run`."""
    settings = {
        "OTEL_SERVICE_NAME": "fossawork-backend",
        "FOSSAWORK_DATABASE": str(folder / "fossawork.db"),
        "FOSSAWORK_SYNC_SECONDS": "3600",
        **environ,
    }
    served = [
        "-m",
        "operations",
        "run",
        "app.main:app",
        "--app-dir",
        str(EXAMPLES / "fossawork_backend"),
        "--port",
        "0",
    ]
    return Backend([*served, *options], settings, folder)
