from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
    assert tops == {*SIDECAR, "instrumentation"}
    assert {f"{package}/py.typed" for package in tops} <= set(names)
    assert {"alerting/templates/email.html.j2", "alerting/templates/title.txt.j2"} <= set(names)
    assert {"operations/otel-config.yaml", "operations/examples/quickstart/app.py"} <= set(names)
    assert {"dashboard/templates/layout.html.j2", "dashboard/static/app.css", "dashboard/static/app.js"} <= set(names)
    assert {"operations/docs/runbook.md", "operations/reports/report.html.j2"} <= set(names)
    modules = {path.relative_to(ROOT).as_posix() for package in tops for path in (ROOT / package).rglob("*.py")}
    assert modules <= set(names)


SIDECAR = ("alerting", "analysis", "collector", "dashboard", "operations", "processors", "storage")
OPTIONAL = {"apprise", "sqlalchemy"}
"""What is only used where it is installed."""
PARTS = {
    "google.rpc": "googleapis-common-protos",
    "google.protobuf": "protobuf",
    "opentelemetry.proto": "opentelemetry-proto",
}
"""Packages that several distributions share."""


def _imports(folder: str) -> Iterator[str]:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module


def _distribution(module: str, known: Mapping[str, list[str]]) -> str:
    for part, name in PARTS.items():
        if module == part or module.startswith(f"{part}."):
            return name
    return known.get(module.split(".", maxsplit=1)[0], [module.split(".", maxsplit=1)[0]])[0]


def test_what_the_sidecar_imports_is_in_its_extra() -> None:
    """Or it works where the tests run and nowhere else."""
    known = metadata.packages_distributions()
    own = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    modules = {name for folder in SIDECAR for name in _imports(folder)}
    outside = {name for name in modules if name.split(".")[0] not in own | sys.stdlib_module_names}
    needed = {canonicalize_name(_distribution(name, known)) for name in outside} - OPTIONAL
    requirements = [Requirement(text) for text in metadata.requires("forecourt") or ()]
    declared = {
        canonicalize_name(one.name)
        for one in requirements
        if one.marker is None or one.marker.evaluate({"extra": "sidecar"}) or one.marker.evaluate({"extra": ""})
    }
    assert needed - declared == set()
