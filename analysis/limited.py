"""What spans and log records carry, cut to what a person can look at; what was cut is noted."""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson

MOST_CHARACTERS = 4096
"""Of one value; one that is no text counts as its JSON, and is cut to a part of that."""
MOST_ATTRIBUTES = 128
MOST_PARTS = 128
"""Events or links of a span."""
_MOST_OF_A_KEY = 256


def parsed(text: str | None) -> Any:
    """The JSON of a column; None where there is none, or nothing that can be read."""
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None


def parsed_object(text: str | None) -> dict[str, Any]:
    """As `parsed`; empty for what is no object."""
    found = parsed(text)
    return found if isinstance(found, dict) else {}


def limited_text(text: str, what: str, cut: list[str], characters: int = 0) -> str:
    """Its beginning; `cut` gets a note if there was more, or if it had more `characters` before it came here."""
    had = max(len(text), characters)
    if had > MOST_CHARACTERS:
        cut.append(f"{what}: {MOST_CHARACTERS:,} of {had:,} characters are shown")
    return text[:MOST_CHARACTERS]


def limited_attributes(found: Any, what: str, cut: list[str]) -> dict[str, Any]:
    """At most 128 of them, each limited; empty for what are no attributes."""
    if not isinstance(found, dict):
        return {}
    if len(found) > MOST_ATTRIBUTES:
        cut.append(f"{what}: {MOST_ATTRIBUTES} of {len(found):,} attributes are shown")
    items = islice(found.items(), MOST_ATTRIBUTES)
    return {
        key: _value(value, f"{what}, {key}", cut) for key, value in ((one[:_MOST_OF_A_KEY], of) for one, of in items)
    }


def limited_events(found: Any, cut: list[str]) -> list[dict[str, Any]]:
    """Of a span: each with `time_unix_nano`, `name` and `attributes`."""
    events = []
    for one in _parts(found, "events", cut):
        name = limited_text(_text(one.get("name")), "event", cut)
        time = one.get("time_unix_nano")
        attributes = limited_attributes(one.get("attributes"), f"event {name[:_MOST_OF_A_KEY]}", cut)
        events.append({"time_unix_nano": time if isinstance(time, int) else 0, "name": name, "attributes": attributes})
    return events


def limited_links(found: Any, cut: list[str]) -> list[dict[str, Any]]:
    """Of a span: each with `trace_id`, `span_id` and `attributes`."""
    return [
        {
            "trace_id": _text(one.get("trace_id"))[:_MOST_OF_A_KEY],
            "span_id": _text(one.get("span_id"))[:_MOST_OF_A_KEY],
            "attributes": limited_attributes(one.get("attributes"), "link", cut),
        }
        for one in _parts(found, "links", cut)
    ]


def _parts(found: Any, what: str, cut: list[str]) -> list[dict[str, Any]]:
    given = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    if len(given) > MOST_PARTS:
        cut.append(f"{what}: {MOST_PARTS} of {len(given):,} are shown")
    return given[:MOST_PARTS]


def _value(value: Any, what: str, cut: list[str]) -> Any:
    if isinstance(value, str):
        return limited_text(value, what, cut)
    if not isinstance(value, dict | list):
        return value
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        cut.append(f"{what}: it is nested too deep to be shown")
        return ""
    return value if len(text) <= MOST_CHARACTERS else limited_text(text, what, cut)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
