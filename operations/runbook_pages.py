"""The runbook's pages about alerts, as they stand in docs/runbook.md, which is installed with the package."""

from __future__ import annotations

import re
from pathlib import Path

_NAME = "runbook.md"
_HEAD = re.compile(r"^### (?P<rule>[a-z_]+(?:\.[a-z0-9_]+)+)\n", re.MULTILINE)
_END = re.compile(r"^#{2,3} ", re.MULTILINE)
_LINK = re.compile(r"\[(?P<text>[^]]+)\]\((?P<target>[^)]+)\)")


def page(rule: str) -> str | None:
    """The section as text, links as their words; None when there is none."""
    text = _runbook()
    head = next((found for found in _HEAD.finditer(text) if found["rule"] == rule), None)
    if head is None:
        return None
    end = _END.search(text, head.end())
    body = text[head.end() : end.start() if end else len(text)].strip()
    return f"{rule}\n\n{_LINK.sub(lambda found: found['text'], body)}"


def rules_with_pages() -> list[str]:
    return [found["rule"] for found in _HEAD.finditer(_runbook())]


def _runbook() -> str:
    """In an installed package it lies below `operations`, in a checkout beside it."""
    here = Path(__file__).parent
    installed = here / "docs" / _NAME
    return (installed if installed.is_file() else here.parent / "docs" / _NAME).read_text(encoding="utf-8")
