"""Whose records there are: for who asked for a service that none is of."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import orjson

from alerting.plain_text import plain
from operations.replaying.lines import found
from operations.replaying.plan import sequences
from operations.replaying.wanted import Wanted

_MOST_NAMES = 8
_MOST_LINES = 100_000
_CHARACTERS = 80


def told_services(wanted: Wanted) -> str:
    """The first few in the period, as a text; empty where nothing is; raise StoreFormatError."""
    anybodys = replace(wanted, services=frozenset())
    parts = sequences(anybodys, {})
    names: dict[str, None] = {}
    for one in islice(found(anybodys, parts, {}) if parts else (), _MOST_LINES):
        service = orjson.loads(one.line).get("service") if one.line else None
        if isinstance(service, str) and service:
            names[plain(service, _CHARACTERS)] = None
        if len(names) > _MOST_NAMES:
            return f"{', '.join(sorted(list(names)[:_MOST_NAMES]))} and others"
    return ", ".join(sorted(names))
