from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.conftest import ROOT


def test_the_wheel_carries_what_users_need_and_nothing_else(tmp_path: Path) -> None:
    """Packages, their types, the default configuration and the example app; no tests, no top-level `examples`."""
    source = tmp_path / "source"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if not name.startswith(("tests/", "benchmarks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"alerting", "collector", "instrumentation", "operations", "processors", "storage"}
    assert {f"{package}/py.typed" for package in tops} <= set(names)
    assert {"alerting/templates/email.html.j2", "alerting/templates/title.txt.j2"} <= set(names)
    assert {"operations/otel-config.yaml", "operations/examples/quickstart/app.py"} <= set(names)
