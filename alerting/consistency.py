"""What no single setting of alerting shows: receivers that do not exist, a password that would travel in the clear."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Iterator

from alerting.settings import AlertingSettings

Problem = tuple[tuple[str, ...], str]
"""The way to the place below `alerting`, and what is wrong there."""


def problems(settings: AlertingSettings) -> list[Problem]:
    return [*_of_receivers(settings), *_of_the_password(settings)]


def _of_receivers(settings: AlertingSettings) -> Iterator[Problem]:
    for name, route in settings.routes.items():
        yield from _undefined(("routes", name, "receivers"), route.receivers, settings)
    for severity in ("critical", "high"):
        for number, level in enumerate(getattr(settings.escalation, severity).levels):
            yield from _undefined(("escalation", severity, "levels", str(number)), level, settings)


def _undefined(place: tuple[str, ...], used: Iterable[str], settings: AlertingSettings) -> Iterator[Problem]:
    known = list(settings.receivers)
    for name in used:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f" (did you mean {close[0]!r}?)" if close else f", expected one of {', '.join(known)}"
            yield place, f"{name!r} is no receiver{hint}"


def _of_the_password(settings: AlertingSettings) -> Iterator[Problem]:
    smtp = settings.smtp
    if smtp.security == "none" and smtp.username and not _is_loopback(smtp.host):
        yield ("smtp", "security"), "the password would travel in the clear; expected starttls or tls"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
