"""The runbook's four severities, and how soon each wants an answer."""

from __future__ import annotations

from typing import Literal

Severity = Literal["low", "medium", "high", "critical"]

SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
"""From the least to the worst."""
RESPONSE = {"critical": "at once", "high": "within 15 minutes", "medium": "within an hour", "low": "within 4 hours"}
"""Runbook, "Alert Severity Levels"."""


def rank(severity: str) -> int:
    """Higher is worse; -1 for none."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def worst(severities: list[str]) -> str:
    """The worst of them; "low" for none."""
    return max(severities, key=rank, default="low")
