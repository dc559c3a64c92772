from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.sidecar import UntracedSidecar


def _run(*arguments: str, folder: Path | None = None, code: str = "") -> subprocess.CompletedProcess[str]:
    start = f"import sys; {code}\nfrom operations.cli import main\nmain(sys.argv[1:], prog_name='forecourt')"
    return subprocess.run(
        [sys.executable, "-c", start, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_the_commands_and_loads_none_of_them() -> None:
    """The overview must come at once, so nothing heavy is imported for it."""
    heavy = "('grpc', 'pydantic', 'uvicorn', 'starlette', 'google.protobuf', 'rich')"
    code = f"import atexit; atexit.register(lambda: print([m for m in {heavy} if m in sys.modules]))"
    shown = _run("--help", code=code)
    assert shown.returncode == 0
    assert shown.stdout.endswith("[]\n")
    for command in ("collector", "config", "demo", "doctor"):
        assert f"\n  {command} " in shown.stdout


def test_the_version_is_that_of_the_distribution() -> None:
    """One line to put into a report."""
    assert _run("--version").stdout == "forecourt 0.1.0\n"


def test_a_mistyped_command_is_a_usage_error_with_a_guess() -> None:
    """Exit code 2 and what was probably meant."""
    shown = _run("colector")
    assert shown.returncode == 2
    assert "No such command 'colector'. Did you mean 'collector'?" in shown.stderr


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [("collector", "uvicorn", "sidecar"), ("demo", "yaml", "demo"), ("demo", "sqlalchemy", "demo")],
)
def test_a_missing_extra_is_named(command: str, module: str, extra: str) -> None:
    """Who installed the library alone reads what to install, not a traceback."""
    block = (
        "import importlib.abc\n"
        "class Block(importlib.abc.MetaPathFinder):\n"
        f"    def find_spec(self, name, path, target=None):\n"
        f"        if name == '{module}': raise ModuleNotFoundError('No module', name='{module}')\n"
        "sys.meta_path.insert(0, Block())"
    )
    shown = _run(command, code=block)
    assert shown.returncode == 1
    assert shown.stderr == (
        f'Error: forecourt {command} needs the "{extra}" extra ({module} is missing): '
        f'pip install "forecourt[{extra}]"\n'
    )


def test_config_check_tells_ok_and_problems(tmp_path: Path) -> None:
    """Exit code 0 with the file's name, 1 with every problem on the error stream, 2 without a file."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("service: {pipelines: {traces: }}")
    bad.write_text("exporter: {}")
    shown = _run("config", "check", str(good))
    assert (shown.returncode, shown.stdout) == (0, f"{good}: ok\n")
    assert f"{good}: warning: service.pipelines.logs: is missing, so logs are refused" in shown.stderr
    shown = _run("config", "check", str(bad))
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == f"{bad}:1:1: top level: unknown key 'exporter' (did you mean 'exporters'?)\n"
    assert _run("config", "check").returncode == 2


def test_config_show_is_a_configuration_with_masked_secrets(tmp_path: Path) -> None:
    """Defaults are filled in, it can be used as it is, and the token is nowhere."""
    path = tmp_path / "otel-config.yaml"
    path.write_text("extensions: {bearertokenauth: {tokens: [s3cr3t-value]}}\nprocessors: {redaction: {keys: [vin]}}")
    shown = _run("config", "show", folder=tmp_path)
    assert shown.returncode == 0
    assert shown.stdout.startswith("# in force: otel-config.yaml\n")
    assert "s3cr3t" not in shown.stdout
    content = yaml.safe_load(shown.stdout)
    assert content["extensions"]["bearertokenauth"]["tokens"] == ["**********"]
    assert content["processors"]["redaction"]["keys"] == ["vin"]
    path.write_text(shown.stdout)
    assert _run("config", "check", str(path)).returncode == 0


def test_config_init_writes_the_default_once(tmp_path: Path) -> None:
    """The file can be used at once and is never overwritten."""
    shown = _run("config", "init", folder=tmp_path)
    assert (shown.returncode, shown.stdout) == (0, "otel-config.yaml: written\n")
    assert _run("config", "check", "otel-config.yaml", folder=tmp_path).returncode == 0
    again = _run("config", "init", folder=tmp_path)
    assert (again.returncode, again.stderr) == (1, "Error: otel-config.yaml: File exists\n")


def test_the_collector_refuses_a_wrong_file_with_its_problems(tmp_path: Path) -> None:
    """Nothing is started on half a configuration."""
    path = tmp_path / "otel-config.yaml"
    path.write_text("processors: {limits: {attribute_count: -1}}")
    shown = _run("collector", folder=tmp_path)
    assert shown.returncode == 1
    assert shown.stderr == (
        "Error: otel-config.yaml:1:40: processors.limits.attribute_count: -1: "
        "Input should be greater than or equal to 1\n"
    )
    assert not (tmp_path / "logs").exists()


def test_doctor_tells_a_taken_port_from_our_own_collector(tmp_path: Path) -> None:
    """A port that another program holds fails with advice; one of a running collector is as it should be."""
    with UntracedSidecar(tmp_path / "running") as sidecar:
        taken = sidecar.endpoints["http"]
        protocols = {"http": {"endpoint": taken}}
        configuration = yaml.safe_dump({"receivers": {"otlp": {"protocols": protocols}}})
        findings = {}
        for folder in (tmp_path / "running", tmp_path / "other"):
            folder.mkdir(exist_ok=True)
            (folder / "doctor.yaml").write_text(configuration)
            shown = _run("doctor", "--json", "--config", str(folder / "doctor.yaml"))
            rows = {row["subject"]: row for row in json.loads(shown.stdout)}
            findings[folder.name] = (shown.returncode, rows["port http"]["outcome"], rows["port http"]["detail"])
    ours = f"{taken} is taken while our collector runs (pid {sidecar.process.pid})"
    assert findings["running"][1:] == ("ok", ours)
    advice = f"{taken}: Address already in use. Stop what listens there, or choose another endpoint"
    assert findings["other"] == (1, "failed", advice)


def test_doctor_names_what_is_wrong_with_the_configuration(tmp_path: Path) -> None:
    """It goes on as far as it can and fails at the end."""
    shown = _run("doctor", "--json", "--config", str(tmp_path / "absent.yaml"))
    rows = {row["subject"]: row for row in json.loads(shown.stdout)}
    assert shown.returncode == 1
    assert rows["python"]["outcome"] == "ok"
    assert rows["extra sidecar"]["outcome"] == "ok"
    assert rows["distributions"]["outcome"] == "ok"
    assert rows["configuration"]["outcome"] == "failed"
