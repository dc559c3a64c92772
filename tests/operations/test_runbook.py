"""Each script of the runbook, in its own spelling, is a command that there is."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from operations.cli import main
from operations.runbook import SCRIPTS, RunbookError, translate
from operations.runbook_schedule import SYSTEMS
from tests.conftest import ROOT
from tests.support.operator import operator_folder, work_in
from tests.support.otlp import PROTOBUF, trace_request
from tests.support.sidecar import Sidecar
from tests.support.week import Week

LINES = (ROOT / "tests" / "data" / "runbook-lines.txt").read_text().splitlines()
RUNBOOK = ROOT.parent / "shared" / "monitoring-runbook.md"
WANTING = (
    ["alerts", "send"],
    ["alerts", "test"],
    ["baseline", "create"],
    ["collector", "reload"],
    ["dashboard", "--port"],  # which somebody else may have
    ["dashboard", "--security"],
    ["store", "verify"],
)
TABLE = ROOT.parent / "shared" / "RUNBOOK-COMMANDS.md"


def forecourt(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def parsed(command: list[str]) -> None:
    """Raise click.UsageError for what the command does not take."""
    context = click.Context(main, info_name="forecourt")
    group: click.Command = main
    rest = list(command)
    while isinstance(group, click.Group) and rest and (inner := group.get_command(context, rest[0])) is not None:
        context = click.Context(inner, parent=context, info_name=rest[0])
        group, rest = inner, rest[1:]
    assert not isinstance(group, click.Group) or getattr(group, "invoke_without_command", False), command
    group.make_context(command[-1], rest, parent=context.parent)


def goes_on(command: list[str]) -> bool:
    """Whether it ends with Ctrl-C only."""
    return "--follow" in command or (command[0] == "dashboard" and command[1:2] != ["export"])


def codes_of(command: list[str]) -> set[int]:
    """What it may end with: a check says how things are, and channels, sidecars and reviews may be found wanting."""
    if command[0] == "check":
        return {0, 1, 2, 3}
    return {0, 1} if command[:2] in WANTING or command[0] == "maintain" else {0}


def check_answer(command: list[str], code: int, stdout: str, stderr: str) -> None:
    """An answer worth reading, or one clear line that says what is missing."""
    assert code in codes_of(command), f"{command}\n{stdout}\n{stderr}"
    assert "Traceback" not in stderr
    assert "Usage:" not in stderr
    assert stdout.strip() or stderr.strip() or "--quiet" in command


@pytest.fixture(scope="module")
def recorded(week: Week, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return operator_folder(week, tmp_path_factory.mktemp("recorded"))


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_the_runbook_answers_on_recorded_data(
    line: str, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts, options and values as the user's runbook has them, no sidecar running."""
    script, *arguments = shlex.split(line)
    command = translate(script, arguments)
    work_in(recorded, monkeypatch)
    if command[0] == "dashboard" and goes_on(command):  # waits for a signal, not for records
        done = interrupted([sys.executable, "-m", "operations", "runbook", "run", script, *arguments], recorded)
        check_answer(command, done.returncode, done.stdout, done.stderr)
        return
    result = CliRunner().invoke(main, ["runbook", "run", script, *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    check_answer(command, result.exit_code, result.stdout, result.stderr)


@pytest.mark.untraced
def test_every_line_of_the_runbook_starts_by_its_old_path_beside_a_running_sidecar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python DIR/X.py …` and `sh DIR/X.sh`, on what arrives; those that go on end with Ctrl-C."""
    tools = tmp_path / "tools" / "operations"
    assert forecourt("runbook", "install", str(tools)).exit_code == 0
    monkeypatch.chdir(tmp_path)
    with Sidecar(tmp_path) as sidecar:
        connection = sidecar.connect()
        connection.request("POST", "/v1/traces", trace_request(range(50), start=time.time_ns()), PROTOBUF)
        assert connection.getresponse().status == 200
        connection.close()
        for line in LINES:
            script, *arguments = shlex.split(line)
            command = translate(script, arguments)
            if script.endswith(".sh") or goes_on(command):
                done = _by_old_path(tools / script, arguments, tmp_path, goes_on=goes_on(command))
                check_answer(command, done.returncode, done.stdout, done.stderr)
            else:
                result = CliRunner().invoke(main, _becomes(tools / script, arguments))
                check_answer(command, result.exit_code, result.stdout, result.stderr)
        assert forecourt("collector", "status", "--config", str(sidecar.configuration)).exit_code == 0


def _becomes(script: Path, arguments: list[str]) -> list[str]:
    """What our program is given by the one that the script becomes; others start it, which takes most of the time."""
    became: list[list[str]] = []

    def execv(_path: str, command: list[str]) -> None:
        became.append(command)
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "execv", execv)
        patch.setattr(sys, "argv", [str(script), *arguments])
        with pytest.raises(SystemExit):
            runpy.run_path(str(script), run_name="__main__")
    (command,) = became
    assert command[:4] == [sys.executable, "-I", "-m", "operations"]
    return command[4:]


def _by_old_path(
    script: Path, arguments: list[str], folder: Path, *, goes_on: bool
) -> subprocess.CompletedProcess[str]:
    words = ["sh" if script.suffix == ".sh" else sys.executable, str(script), *arguments]
    if goes_on:
        return interrupted(words, folder)
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def interrupted(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """After the first line of its answer, as a terminal sends Ctrl-C to all that it runs."""
    process = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    return subprocess.CompletedProcess(words, process.returncode, first + stdout, stderr)


@pytest.mark.skipif(
    not RUNBOOK.is_file(), reason="the runbook (../shared/monitoring-runbook.md) is not beside this checkout"
)
def test_the_lines_are_those_of_the_runbook() -> None:
    """Each that it types, and each script that it prints whole."""
    text = RUNBOOK.read_text(encoding="utf-8")
    typed = set(re.findall(r"^python /tools/operations/(.+)$", text, re.MULTILINE))
    printed = set(re.findall(r"^# /tools/operations/(\S+)$", text, re.MULTILINE))
    named = {line.split()[0] for line in LINES}
    assert typed <= set(LINES)
    assert printed <= named


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.name)
def test_every_script_without_options_too(script: object) -> None:
    """As a crontab may have it."""
    command = translate(script.name, [])  # type: ignore[attr-defined]  # a Script
    if script.name not in {  # type: ignore[attr-defined]  # as above
        "email-alerting.py",
        "pushover-alerting.py",
        "desktop-alert.py",
        "cleanup-monitoring-data.py",
        "suppress-alerts.py",
    }:
        parsed(command)


@pytest.mark.skipif(not TABLE.is_file(), reason="the table (../shared/RUNBOOK-COMMANDS.md) is not beside this checkout")
def test_the_table_of_scripts_is_whole() -> None:
    """None of its rows is missing."""
    named = {
        word.strip("`").split()[0]
        for row in TABLE.read_text().splitlines()
        if row.startswith("| ") and "|---" not in row
        for word in row.split("|")[1].split(" / ")
        if ".py" in word or ".sh" in word
    }
    assert {name.strip() for name in named if name.endswith((".py", ".sh"))} <= {script.name for script in SCRIPTS}


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("log-analyzer.py --errors --last-hour", "logs errors --last 1h"),
        ("log-analyzer.py --check-errors --last-5min", "check errors --last 5min"),
        ("log-analyzer --errors --timeframe 3", "logs errors --last 3h"),
        ("log-analyzer.py --slow-queries --threshold=1000ms", "logs slow-queries --threshold 1000ms"),
        ("log-analyzer.py --security --suspicious", "logs security --suspicious"),
        ("log-analyzer.py --business-events --summary", "logs business --summary"),
        ("/tools/operations/analyze-response-times.py --last-24h", "stats response-times --last 24h"),
        ("C:\\tools\\auth-monitoring.py --realtime", "security auth --follow"),
        (
            "analyze-failed-logins.py --threshold=5 --timeframe=15min",
            "security failed-logins --threshold 5 --within 15min",
        ),
        ("analyze-rate-limits.py --top-ips=10", "security rate-limits --top-ips 10"),
        ("suppress-alerts.py --maintenance-mode --duration=2h", "silence add --maintenance --for 2h"),
        (
            "desktop-alert.py --message=down --urgent",
            "alerts send --channel desktop --message down --severity critical",
        ),
        ("cleanup-monitoring-data.py --older-than=30days", "store prune --older-than 30days"),
        ("generate-monitoring-report.py --monthly", "report monthly"),
        ("compare-to-baseline.py --alert-on-deviation=20%", "baseline compare --alert-on-deviation 20%"),
        ("health-check.py --quiet --config here.yaml", "check health --quiet --config here.yaml"),
    ],
)
def test_options_are_translated(line: str, command: str) -> None:
    """Both `--a=b` and `--a b`, with or without folder and ending."""
    script, *arguments = line.split()
    assert " ".join(translate(script, arguments)) == command


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("health-chek.py", "Did you mean health-check.py?"),
        ("nothing-like-it", "forecourt runbook lists them"),
        ("health-check.py --bogus", "--bogus is no option of it; it has --quiet"),
        ("analyze-failed-logins.py --threshold", "--threshold needs a value"),
    ],
)
def test_what_the_runbook_does_not_have_is_told(line: str, told: str) -> None:
    """With what there is."""
    script, *arguments = line.split()
    with pytest.raises(RunbookError, match=told.replace("?", "\\?")):
        translate(script, arguments)


def test_the_table_is_shown() -> None:
    """For people and as JSON."""
    rows = json.loads(forecourt("runbook", "--json").stdout)
    assert [row["script"] for row in rows] == [script.name for script in SCRIPTS]
    assert "forecourt stats resources --trend" in forecourt("runbook").stdout


def test_a_script_is_run_with_the_exit_code_of_its_command(week: Week) -> None:
    """Here, or only printed."""
    printed = forecourt("runbook", "run", "--print", "log-analyzer.py", "--errors", "--last-hour")
    assert printed.stdout == "forecourt logs errors --last 1h\n"
    arguments = ("analyze-failed-logins.py", "--threshold=5", "--timeframe=15min", "--from", "2026-11-16")
    shown = forecourt("runbook", "run", *arguments, "--to", "2026-11-23", "--logs", str(week.logs))
    assert (shown.exit_code, "203.0.113.7" in shown.stdout) == (0, True)
    assert forecourt("runbook", "run", "log-analyzer.py", "--errors", "--logs", "nowhere").exit_code == 2
    assert forecourt("runbook", "run", "nothing").exit_code == 2


@pytest.mark.untraced
def test_the_old_paths_start_the_commands(tmp_path: Path, week: Week) -> None:
    """As `python DIR/X.py …` and as shell scripts, from anywhere, with the exit codes of the commands."""
    tools = tmp_path / "it's the tools"
    done = forecourt("runbook", "install", str(tools))
    assert (done.exit_code, done.stdout) == (0, f"{len(SCRIPTS)} files in {tools}\n")
    assert {path.name for path in tools.iterdir()} == {script.name for script in SCRIPTS}
    # A folder of the same name where it is started must not be taken for ours.
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations" / "__init__.py").write_text("raise SystemExit(99)\n")
    period = ["--from", "2026-11-16", "--to", "2026-11-23", "--logs", str(week.logs)]
    shown = subprocess.run(
        [sys.executable, str(tools / "analyze-failed-logins.py"), "--threshold=5", "--timeframe=15min", *period],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (shown.returncode, "203.0.113.7" in shown.stdout, shown.stderr) == (0, True, "")
    wrong = subprocess.run([sys.executable, str(tools / "health-check.py"), "--bogus"], cwd=tmp_path, check=False)
    assert wrong.returncode == 2
    if os.name != "nt":
        shell = [shutil.which("sh") or "sh", str(tools / "log-maintenance.sh"), "--dry-run", "--logs", "nowhere"]
        assert subprocess.run(shell, cwd=tmp_path, check=False).returncode == 2
        assert os.access(tools / "log-maintenance.sh", os.X_OK)


def test_files_of_others_are_not_overwritten(tmp_path: Path) -> None:
    """Unless it is said; ours are, again and again."""
    (tmp_path / "health-check.py").write_text("print('mine')\n")
    refused = forecourt("runbook", "install", str(tmp_path))
    assert refused.exit_code == 1
    assert "health-check.py was not written by forecourt" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["health-check.py"]
    assert forecourt("runbook", "install", str(tmp_path), "--force").exit_code == 0
    assert forecourt("runbook", "install", str(tmp_path)).exit_code == 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_schedules_start_the_collector_or_the_checks(tmp_path: Path, system: str) -> None:
    """By absolute paths, with the configuration that was named."""
    config = tmp_path / "otel-config.yaml"
    text = forecourt("runbook", "schedule", "--system", system, "--config", str(config)).stdout
    assert sys.executable in text
    assert str(config) in text
    if system in {"cron", "windows-task"}:
        assert "check all --quiet" in text
        assert "maintain monthly" in text
    if system != "windows-task":
        assert "collector" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_its_unit(tmp_path: Path) -> None:
    """As its own checker says."""
    unit = tmp_path / "forecourt.service"
    unit.write_text(forecourt("runbook", "schedule", "--system", "systemd").stdout)
    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
