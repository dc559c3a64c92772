from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from operations import demo as demo_module


def _demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "operations", "demo", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def test_the_demo_writes_what_it_says_and_ends_by_itself(tmp_path: Path) -> None:
    """Even with the default ports taken, all signals arrive, and the printed numbers are in the files."""
    with ExitStack() as taken:
        for port in (4317, 4318, 9090):
            holder = taken.enter_context(socket.socket())
            try:
                holder.bind(("127.0.0.1", port))
                holder.listen()
            except OSError:
                pass  # somebody else holds it, which is as good
        running = _demo(tmp_path, "--exit-after", "1s")
        output, _ = running.communicate(timeout=90)
    assert running.returncode == 0, output
    assert "127.0.0.1:4318" not in output
    assert "127.0.0.1:9090" not in output
    rows = re.findall(r"^  (traces|metrics|logs) +(\d+)   (\S+)$", output, re.MULTILINE)
    assert {stream for stream, _, _ in rows} == {"traces", "metrics", "logs"}
    for _, records, path in rows:
        assert (tmp_path / path).read_bytes().count(b"\n") >= int(records) > 0
    look = output.split("Look at it:\n")[1].splitlines()
    assert [re.sub(r"\d+$", "PORT", line) for line in look[:2]] == ["  http://127.0.0.1:PORT"] * 2
    assert look[2].startswith("  tail -f forecourt-demo/logs/traces/*.jsonl")
    assert "hunter2" not in "".join(path.read_text() for path in (tmp_path / "forecourt-demo/logs").rglob("*.jsonl"))
    assert output.endswith("Stopped. What was written stays in forecourt-demo\n")


@pytest.mark.untraced
def test_a_port_that_is_taken_in_the_last_moment_is_another_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking for free ports and listening there is time for somebody else."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = f"127.0.0.1:{holder.getsockname()[1]}"
        looked: list[str] = []

        def configuration(app: str) -> dict[str, Any]:
            looked.append(app)
            free, metrics = {"endpoint": "127.0.0.1:0"}, taken if len(looked) == 1 else "127.0.0.1:0"
            return {
                "receivers": {"otlp": {"protocols": {"grpc": free, "http": free}}},
                "extensions": {"health_check": free},
                "service": {"extensions": ["health_check"], "telemetry": {"metrics": {"endpoint": metrics}}},
            }

        monkeypatch.setattr(demo_module, "_configuration", configuration)
        demo = demo_module.Demo(tmp_path)
        try:
            demo._start_collector(2)
            assert demo._endpoints["metrics"] != taken
        finally:
            demo.stop()
    assert len(looked) == 2


@pytest.mark.untraced
def test_what_goes_wrong_in_a_scenario_is_judged(tmp_path: Path) -> None:
    """From the backend's code to an alert with its severity, by the default rules."""
    running = _demo(tmp_path, "failed-logins", "--exit-after", "22s")
    output, _ = running.communicate(timeout=90)
    assert running.returncode == 0, output
    lines = "".join(path.read_text() for path in (tmp_path / "forecourt-demo/logs/alerts").glob("*.jsonl")).splitlines()
    told = {(alert["rule"], alert["status"], alert["severity"]) for alert in map(json.loads, lines)}
    assert ("auth.success_rate", "firing", "high") in told, (tmp_path / "forecourt-demo/collector.log").read_text()
    assert not {rule for rule, _, _ in told} & {"http.server.error_rate", "backend.down", "service.absent"}


@pytest.mark.untraced
def test_ctrl_c_stops_everything_that_the_demo_started(tmp_path: Path) -> None:
    """No process is left behind and nobody sees a traceback."""
    running = _demo(tmp_path)
    assert running.stdout is not None
    output = ""
    for line in running.stdout:
        output += line
        if line.startswith("A request a second follows"):
            break
    children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) == 3  # collector, web process, backend
    running.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))
    rest, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "Traceback" not in output + rest
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.untraced
def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    """The demo never writes into what is there."""
    (tmp_path / "mine").mkdir()
    running = _demo(tmp_path, "--folder", "mine")
    output, _ = running.communicate(timeout=60)
    assert (running.returncode, output) == (1, "Error: mine: File exists. Name a folder to be made.\n")
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize("duration", ["soon", "5", "5 weeks"])
@pytest.mark.untraced
def test_a_wrong_duration_is_a_usage_error(tmp_path: Path, duration: str) -> None:
    """The message shows how durations are written."""
    running = _demo(tmp_path, "--exit-after", duration)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 2
    assert f"'{duration}' is not a duration, for example 1000ms, 30s, 5min, 2h or 30days" in output
