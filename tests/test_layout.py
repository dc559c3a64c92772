"""The folders keep telling the truth: who may import whom, and who may read the clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAY_IMPORT = {
    "instrumentation": set[str](),
    "storage": set[str](),
    "processors": set[str](),
    "alerting": {
        "processors.conditions",
        "processors.description",
        "processors.evaluation",
        "processors.matchers",
        "processors.quantities",
        "processors.settings_model",
        "processors.units",
        "storage.state",
    },
    "analysis": {"storage", "processors"},
    "collector": {"instrumentation.redaction", "storage", "processors", "alerting"},
    "dashboard": {"analysis", "storage", "processors", "alerting"},
    "operations": {
        "instrumentation",
        "storage",
        "processors",
        "alerting",
        "analysis",
        "collector",
        "dashboard",
    },
}
TIMELESS = {"processors", "alerting", "analysis"}
CLOCKS = {"time.time", "time.time_ns", "time.monotonic", "datetime.now", "datetime.utcnow", "date.today"}


def _modules() -> Iterator[Path]:
    for package in MAY_IMPORT:
        yield from sorted((ROOT / package).rglob("*.py"))


def _package(module: Path) -> str:
    return module.relative_to(ROOT).parts[0]


def _imported(module: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("module", list(_modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_stands_above_it(module: Path) -> None:
    """Each package imports of ours only what the layout allows it."""
    package = _package(module)
    allowed = MAY_IMPORT[package] | {package}
    wrong = [
        f"line {number}: {name}"
        for number, name in _imported(module)
        if name.split(".")[0] in MAY_IMPORT and not any(name == free or name.startswith(free + ".") for free in allowed)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "module",
    [module for module in _modules() if _package(module) in TIMELESS],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_judgement_never_reads_the_clock(module: Path) -> None:
    """Processors, alerting and analysis get `now` handed in: a backtest runs the code that runs live."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    read = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    assert [name for name in read if name in CLOCKS] == []


def test_every_folder_with_code_is_in_the_table() -> None:
    """A package that nobody gave a place in the layout does not slip in."""
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found - {"examples"} <= MAY_IMPORT.keys()
