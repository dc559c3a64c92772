"""Whose records there are: for who asked for a service that none is of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

import orjson

from alerting.plain_text import plain
from operations.stored_lines import found
from operations.stored_segments import Selection, sequences

_MOST_NAMES = 8
_MOST_LINES = 100_000
_CHARACTERS = 80


def told_services(selection: Selection, streams: Iterable[str]) -> str:
    """The first few of the streams in the period, as a text; empty where nothing is; raise StoreFormatError."""
    anybodys = replace(selection, services=frozenset())
    names: dict[str, None] = {}
    for one in islice(found(anybodys, sequences(anybodys, streams), {}), _MOST_LINES):
        service = orjson.loads(one.line).get("service") if one.line else None
        if isinstance(service, str) and service:
            names[plain(service, _CHARACTERS)] = None
        if len(names) > _MOST_NAMES:
            return f"{', '.join(sorted(list(names)[:_MOST_NAMES]))} and others"
    return ", ".join(sorted(names))


def told_names(services: Iterable[str]) -> str:
    """Those that were asked for, harmless on a terminal."""
    return ", ".join(plain(name, _CHARACTERS) for name in sorted(services))
