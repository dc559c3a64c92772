from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


def _start(before: str) -> subprocess.CompletedProcess[str]:
    """Run bootstrap.py as `make` does, after `before` took something away from this Python."""
    code = f"import runpy, sys; {before}; runpy.run_path('bootstrap.py', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("platform", "command"),
    [
        ("linux", "sudo apt-get install python3.11-venv"),
        ("darwin", "brew install python@3.12"),
    ],
)
def test_an_old_python_is_told_the_command_that_mends_it(platform: str, command: str) -> None:
    """Not a traceback from somewhere inside, but the version that is needed and how to get it."""
    shown = _start(f"sys.version_info = (3, 9, 1); sys.platform = '{platform}'")
    assert shown.returncode == 1
    assert shown.stderr.startswith("Forecourt needs Python 3.11 or later; this is ")
    assert command in shown.stderr


def test_a_python_without_venv_is_told_the_package_that_has_it() -> None:
    """Debian's python3 comes without ensurepip."""
    shown = _start("sys.modules['ensurepip'] = None")
    version = ".".join(map(str, sys.version_info[:2]))
    assert shown.returncode == 1
    assert shown.stderr == (
        f"This Python has no venv module. Install it with:\n  sudo apt-get install python{version}-venv\n"
    )
