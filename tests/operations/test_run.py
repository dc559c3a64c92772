from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.backend import Backend
from tests.support.sidecar import UntracedSidecar

APP = """
from fastapi import FastAPI

def make() -> FastAPI:
    app = FastAPI()
    app.get("/items/{number}")(lambda number: number)
    return app
"""


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "operations", "run", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["app.main"], "'app.main' names no app. Write it first, as module:attribute: app.main:app --port 8000"),
        (["--port", "1", "app.main:app"], "'--port' names no app. Write it first"),
        (["app.main:app", "--prot", "1"], "No such option '--prot'"),
        ([], "Missing argument 'APP'"),
    ],
)
def test_what_cannot_be_run_is_a_usage_error(arguments: list[str], message: str) -> None:
    """The message shows how it is written."""
    done = _run(*arguments)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_help_says_that_the_rest_is_uvicorns() -> None:
    """And where the settings come from."""
    done = _run("--help")
    assert "APP [UVICORN OPTIONS]" in done.stdout
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in done.stdout


def test_an_app_that_cannot_be_imported_fails_as_without_us(tmp_path: Path) -> None:
    """Its own traceback, its own exit code."""
    (tmp_path / "broken_app.py").write_text("raise RuntimeError('my own fault')\n")
    done = _run("broken_app:app", "--app-dir", str(tmp_path), "--port", "0")
    assert done.returncode == 1
    assert "RuntimeError: my own fault" in done.stderr


def test_factories_are_called(tmp_path: Path) -> None:
    """uvicorn's `--factory` means what it means there."""
    (tmp_path / "made_app.py").write_text(APP)
    command = ["-m", "operations", "run", "made_app:make", "--factory", "--app-dir", str(tmp_path), "--port", "0"]
    with UntracedSidecar(tmp_path / "sidecar") as sidecar:
        with Backend(command, {"OTEL_EXPORTER_OTLP_ENDPOINT": sidecar.url("http")}, tmp_path) as backend:
            assert backend.get("/items/7") == 200
        assert [span["name"] for span in sidecar.records("traces")] == ["GET /items/{number}"]


def test_what_the_app_lacks_is_the_apps(tmp_path: Path) -> None:
    """A traceback with its place, no advice to install something of ours; and where an app was looked for in vain."""
    (tmp_path / "lacking_app.py").write_text("import nosuchlib\n")
    done = _run("lacking_app:app", "--app-dir", str(tmp_path), "--port", "0")
    assert (done.returncode, "extra" in done.stderr) == (1, False)
    assert 'lacking_app.py", line 1, in <module>' in done.stderr
    assert "\nModuleNotFoundError: No module named 'nosuchlib'\n" in done.stderr
    done = _run("lacking.ap:app", "--port", "0")
    told = f"lacking.ap:app: there is no module 'lacking' in {ROOT}; name its folder with --app-dir"
    assert (done.returncode, f"\nModuleNotFoundError: {told}\n" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_an_app_may_have_a_package_of_our_name(tmp_path: Path, options: tuple[str, ...]) -> None:
    """`operations` is the command line's, and a word that others use too."""
    folder = tmp_path / "backend"
    (folder / "operations").mkdir(parents=True)
    (folder / "operations" / "__init__.py").touch()
    (folder / "operations" / "models.py").write_text("NUMBER = 7\n")
    (folder / "named_app.py").write_text(f"from operations.models import NUMBER\n{APP}\napp = make()\n")
    command = ["-m", "operations", "run", "named_app:app", "--app-dir", str(folder), "--port", "0", *options]
    with Backend(command, {}, tmp_path) as backend:
        assert backend.get("/items/7") == 200
