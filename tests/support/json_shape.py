"""The keys of a JSON value as docs/queries.md writes them."""

from __future__ import annotations

from typing import Any

FREE = frozenset({"attributes", "endpoints", "examples", "firing", "key", "routes"})
"""Mappings whose keys are data."""


def shape(value: Any) -> str:
    """`from to groups[error_type count example(time message)] routes{}`: lists in brackets, objects in parentheses."""
    return " ".join(_key(name, inner) for name, inner in value.items())


def _key(name: str, value: Any) -> str:
    if isinstance(value, dict) and (name in FREE or not value):
        return f"{name}{{}}"
    if isinstance(value, dict):
        return f"{name}({shape(value)})"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return f"{name}[{shape(_all(value))}]"
    return name


def _all(values: list[dict[str, Any]]) -> dict[str, Any]:
    """What any of them has; of several values for a key one that tells most."""
    found: dict[str, Any] = {}
    for one in values:
        for name, value in one.items():
            if not found.get(name):
                found[name] = value
    return found
