"""What happened in the business and to its security: told by our own library, or by the log lines of FossaWork."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from processors.indicators import EVENT_PREFIX
from processors.observation import OUTCOME, Attributes, LogObservation, SpanObservation

OWN_DISTRIBUTION = "forecourt"
"""The `telemetry.distro.name` of apps that send their own events."""
_SECURITY = ("auth.", "rate_limit.", "data.export")
_SYSTEM = ("service.",)


class Event(NamedTuple):
    """`outcome` is success, failure or cancelled, or empty for what has none; `seconds` is None for a moment."""

    name: str
    outcome: str
    time_unix_nano: int
    trace_id: str
    seconds: float | None
    attributes: Attributes

    @property
    def short_name(self) -> str:
        """Without FossaWork's prefix: what any app may call it."""
        return self.name.removeprefix(EVENT_PREFIX)

    @property
    def stream(self) -> str:
        if self.short_name.startswith(_SYSTEM):
            return "system"
        return "security" if self.short_name.startswith(_SECURITY) else "business"

    def fields(self) -> dict[str, Any]:
        """As a line of its stream."""
        attributes = {key: value for key, value in self.attributes.items() if key not in {OUTCOME, "event.name"}}
        taken = {"seconds": self.seconds} if self.seconds is not None else {}
        return {
            "event": self.name,
            "outcome": self.outcome,
            **taken,
            "trace_id": self.trace_id,
            "attributes": attributes,
        }


def event_of_span(span: SpanObservation) -> Event | None:
    """`track` gives a span with an outcome."""
    outcome = span.attributes.get(OUTCOME)
    if not isinstance(outcome, str):
        return None
    name = str(span.attributes.get("event.name", span.name))
    seconds = max(0, span.end_unix_nano - span.start_unix_nano) / 1e9
    return Event(name, outcome, span.end_unix_nano, span.trace_id, seconds, span.attributes)


def event_of_log(log: LogObservation) -> Event | None:
    """`event` gives a log record with an outcome; an app without our library may say the same in words."""
    outcome = log.attributes.get(OUTCOME)
    if isinstance(outcome, str):
        name = log.event_name or str(log.attributes.get("event.name", ""))
        return Event(name, outcome, log.time_unix_nano, log.trace_id, None, log.attributes) if name else None
    if not isinstance(log.body, str) or log.resource.get("telemetry.distro.name") == OWN_DISTRIBUTION:
        return None
    if not log.body.startswith(LINE_STARTS):
        return None
    for start, meaning in _MEANINGS:
        if log.body.startswith(start):
            told = meaning(log)
            if told is not None:
                name, outcome, attributes = told
                return Event(name, outcome, log.time_unix_nano, log.trace_id, None, attributes)
    return None


Told = tuple[str, str, Attributes]
"""Name, outcome, attributes."""

_RATE_LIMIT = re.compile(r"Rate limit exceeded for (?P<address>\S+) on (?P<path>/\S*)")
_LOGIN = re.compile(r"API POST /api/auth/login -> 2\d\d\b")
_BOT = re.compile(r"\[BOT\] (?P<name>[\w.]+) \| (?P<details>\{.*\})", re.DOTALL)
_OUTCOMES = {
    "completed": "success",
    "succeeded": "success",
    "finished": "success",
    "failed": "failure",
    "error": "failure",
}
_BOT_NAMES = {"scheduled_scrape": "fossa.work_order.sync"}


def _rate_limit(log: LogObservation) -> Told | None:
    """The limiter says each hit twice; the line with the path is the one that counts."""
    found = _RATE_LIMIT.fullmatch(log.body)
    if found is None:
        return None
    return "fossa.rate_limit.exceeded", "failure", {"client.address": found["address"], "url.path": found["path"]}


def _failed_login(log: LogObservation) -> Told:
    return "fossa.auth.login", "failure", {"event.reason": log.body.partition(": ")[2]}


def _login(log: LogObservation) -> Told | None:
    return ("fossa.auth.login", "success", {}) if _LOGIN.match(log.body) else None


def _bot(log: LogObservation) -> Told | None:
    """`[BOT] scheduled_scrape_completed | {"user_id": …}`: the last word may be the outcome of what is before it."""
    found = _BOT.fullmatch(log.body)
    if found is None:
        return None
    try:
        details = orjson.loads(found["details"])
    except orjson.JSONDecodeError:
        return None
    what, _, ending = found["name"].rpartition("_")
    outcome = _OUTCOMES.get(ending, "")
    if outcome:
        return _BOT_NAMES.get(what, f"fossa.{what}"), outcome, details
    return f"fossa.{found['name']}", "", details


_MEANINGS: tuple[tuple[str, Callable[[LogObservation], Told | None]], ...] = (
    ("Rate limit exceeded for ", _rate_limit),
    ("WorkFossa verification failed: ", _failed_login),
    ("API POST /api/auth/login ", _login),
    ("[BOT] ", _bot),
)
"""How a line begins, and what it then means."""
LINE_STARTS = tuple(start for start, _ in _MEANINGS)
