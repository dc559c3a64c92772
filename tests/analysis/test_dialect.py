"""The SQL of our own questions is what DuckDB and Spark SQL both take: the same text is to run on either."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

ASKING = sorted(
    path
    for folder in ("analysis", "operations/answers", "operations/checks")
    for path in (ROOT / folder).glob("*.py")
    # These make views and write files, for which each engine has a way of its own.
    if path.name not in {"engine.py", "stream_copies.py"}
)
ONLY_DUCKDB = {
    "//": "integer division; take what is left over away (x - x % y) and divide outside",
    "::": "casts; CAST(x AS type)",
    '"': "quoted names, which are texts to Spark; table.name",
    "starts_with(": "substr(x, 1, length(y)) = y",
    "QUALIFY": "a subquery",
    "ILIKE": "lower(x) LIKE",
    "[": "lists",
}


def _texts(path: Path) -> Iterator[str]:
    """Each SELECT of a module, `x` for what is put into it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            text = node.value
        if re.search(r"\bSELECT\b.*\bFROM\b", text, re.DOTALL):
            yield text


@pytest.mark.parametrize("path", ASKING, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_that_only_one_engine_knows_is_said(path: Path) -> None:
    for text in _texts(path):
        for form, instead in ONLY_DUCKDB.items():
            assert form not in text, f"{path.name}: {form} in {text!r}; instead of it: {instead}"


def test_the_questions_are_found() -> None:
    assert sum(1 for path in ASKING for _ in _texts(path)) > 25
