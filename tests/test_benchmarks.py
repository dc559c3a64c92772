"""The benchmarks run seldom and take minutes: that they begin at all is proved here."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"benchmarks", "tests"}


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "benchmarks").glob("*.py")))
def test_what_a_benchmark_takes_from_us_is_there(name: str) -> None:
    """Each name that it imports of ours is one that its module has."""
    missing = [f"{module}.{one}" for module, one in _imported(name) if not _is_there(module, one)]
    assert missing == []


def _imported(name: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse((ROOT / "benchmarks" / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in PACKAGES:
            yield from ((node.module, alias.name) for alias in node.names)


def _is_there(module: str, name: str) -> bool:
    found = importlib.import_module(module)
    return hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}") is not None


def test_make_bench_runs_programs_that_there_are() -> None:
    """And every one of them, but what others start: an app to compare with, and the fuzzer."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = {line.split("benchmarks/")[1].split()[0] for line in text.splitlines() if " benchmarks/" in line}
    assert told == {path.name for path in (ROOT / "benchmarks").glob("*.py")} - {"contrib_app.py", "fuzz_decoders.py"}
