"""What security rules see: a login, a refusal, an export, or whatever else an app tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from processors.indicators import EVENT_PREFIX
from processors.security.addresses import address_key

REFUSAL = "http.refusal"
"""A request that was answered 401, 403 or 404."""
REFUSED = frozenset({401, 403, 404})
LOGIN = "auth.login"
ADDRESS = "client.address"
USER = "user.id"
AGENT = "user_agent.original"
_USERS = (USER, "enduser.id", "user.name")
_ADDRESSES = (ADDRESS, "source.address", "http.client_ip")
_AGENTS = (AGENT, "http.user_agent")
_LONGEST = 256
_END_NANO = 2**63
_LONGEST_AGENT = 512
"""What it is stands at its end."""
_PATHS = ("url.path", "http.target")
KEYS = frozenset((*_USERS, *_ADDRESSES, *_PATHS, *_AGENTS))
"""The attributes that are looked at here."""


class Sighting(NamedTuple):
    """`event` is without FossaWork's prefix; user and address are empty where nobody says them."""

    event: str
    outcome: str
    time_unix_nano: int
    trace_id: str
    user: str
    address: str
    """As a key: of IPv6 the /64."""
    labels: Mapping[str, Any]
    """With user and address as above, and the user agent."""

    def label(self, name: str) -> str:
        """As text, no longer than a key may be."""
        value = self.labels.get(name)
        return "" if value is None else str(value)[:_LONGEST]


def sighting(event: str, outcome: str, time_unix_nano: int, trace_id: str, labels: Mapping[str, Any]) -> Sighting:
    """From the attributes that OpenTelemetry names, in their old spellings too."""
    found = _first(labels, _ADDRESSES)
    user, address = _first(labels, _USERS), address_key(found) if found else ""
    named = {**labels, USER: user, ADDRESS: address, AGENT: _first(labels, _AGENTS, _LONGEST_AGENT)}
    return Sighting(event, outcome, time_unix_nano, trace_id, user, address, named)


def refusal(labels: Mapping[str, Any], time_unix_nano: int, trace_id: str) -> Sighting:
    """From the labels of a request."""
    path = _first(labels, _PATHS).partition("?")[0]
    return sighting(REFUSAL, "failure", time_unix_nano, trace_id, {**labels, "url.path": path})


def sighting_of_line(record: Mapping[str, Any]) -> Sighting:
    """From a line of the stream `security` or `business`; raise KeyError, TypeError or ValueError for what is none."""
    attributes = record.get("attributes")
    labels = attributes if isinstance(attributes, Mapping) else {}
    event, outcome = str(record.get("event", "")), str(record.get("outcome", ""))
    named = {"service.name": record.get("service", ""), "event.name": event, "event.outcome": outcome}
    time, trace_id = int(record["time_unix_nano"]), str(record.get("trace_id", ""))
    if not 0 <= time < _END_NANO:
        raise ValueError(f"{time} is no time")
    return sighting(event.removeprefix(EVENT_PREFIX), outcome, time, trace_id, {**labels, **named})


def _first(labels: Mapping[str, Any], names: tuple[str, ...], longest: int = _LONGEST) -> str:
    values = (labels.get(name) for name in names)
    return next((str(value)[:longest] for value in values if value is not None and value != ""), "")
