from __future__ import annotations

import re
from dataclasses import dataclass

_OPERATION = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*+\(*([A-Za-z]+)", re.DOTALL)
_NAME = r"(?:[\"`\[]?[\w$]+[\"`\]]?\.)*[\"`\[]?([\w$]+)"
_TARGETS = {
    "SELECT": re.compile(rf"\bFROM\s+{_NAME}", re.IGNORECASE),
    "DELETE": re.compile(rf"\bFROM\s+{_NAME}", re.IGNORECASE),
    "INSERT": re.compile(rf"\bINTO\s+{_NAME}", re.IGNORECASE),
    "REPLACE": re.compile(rf"\bINTO\s+{_NAME}", re.IGNORECASE),
    "UPDATE": re.compile(rf"\bUPDATE\s+(?:OR\s+\w+\s+|ONLY\s+)?{_NAME}", re.IGNORECASE),
    "WITH": re.compile(r"\bWITH\s+(?:RECURSIVE\s+)?([\w$]+)", re.IGNORECASE),
    "CREATE": re.compile(rf"\b(?:TABLE|INDEX|VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}", re.IGNORECASE),
    "DROP": re.compile(rf"\b(?:TABLE|INDEX|VIEW)\s+(?:IF\s+EXISTS\s+)?{_NAME}", re.IGNORECASE),
    "ALTER": re.compile(rf"\bTABLE\s+{_NAME}", re.IGNORECASE),
    "PRAGMA": re.compile(r"\bPRAGMA\s+([\w$.]+)", re.IGNORECASE),
}
_LITERALS = re.compile(
    r"'(?:[^']|'')*+(?:'|\Z)"  # text, also where it was cut off
    r"|\$(?P<dollar>\w*)\$.*?\$(?P=dollar)\$"  # PostgreSQL's quotes
    r"|(?<![\w$:@?%.\"`\]])[-+]?(?:0[xX][0-9a-fA-F]++|\d++(?:\.\d*+)?(?:[eE][-+]?\d++)?|\.\d++)(?![\w$\"`\]])",
    re.DOTALL,
)
_COMMENTS = re.compile(r"--[^\n]*+|/\*.*?\*/", re.DOTALL)
_LISTS = re.compile(r"\(\s*\?(?:\s*,\s*\?)++\s*\)")
_SPACES = re.compile(r"\s++")
_LONGEST = 2000
_MEMO_ENTRIES = 2048
_MEMO_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL as telemetry may show it: what it does to what, and its text without values."""

    operation: str
    """SELECT, INSERT …; empty if there is none."""
    collection: str | None
    """The first table."""
    text: str
    """Literals as `?`, comments left out, lists of parameters as one, cut after 2000 characters."""

    @property
    def summary(self) -> str:
        """`db.query.summary`: of low cardinality, and so the name of the span."""
        return f"{self.operation} {self.collection}" if self.collection else self.operation


class Statements:
    """Remembers what it was asked: an app sends the same statements again and again."""

    def __init__(self) -> None:
        self._memo: dict[str, Statement] = {}

    def describe(self, sql: str) -> Statement:
        known = self._memo.get(sql)
        if known is None:
            known = describe(sql)
            if len(sql) <= _MEMO_LENGTH:
                if len(self._memo) >= _MEMO_ENTRIES:
                    self._memo.clear()
                self._memo[sql] = known
        return known


def describe(sql: str) -> Statement:
    sql = sql[: _LONGEST * 4]
    found = _OPERATION.match(sql)
    operation = found[1].upper() if found else ""
    bare = without_literals(sql)
    target = _TARGETS.get(operation)
    collection = target.search(bare) if target else None
    return Statement(operation, collection[1] if collection else None, bare)


def without_literals(sql: str) -> str:
    """Comments may hold anything, so they go too; quoted names stay."""
    bare = _COMMENTS.sub(" ", _LITERALS.sub("?", sql))
    return _SPACES.sub(" ", _LISTS.sub("(?)", bare)).strip()[:_LONGEST]
