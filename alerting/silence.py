"""Silences: who wants which alerts quiet, why, and until when."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from processors.matchers import Matcher, parse_matchers

_log = logging.getLogger(__name__)

SilenceKind = Literal["silence", "maintenance", "emergency"]
SECURITY = ("category", "security")
"""The label of rules that maintenance does not quieten when they are critical."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Times are nanoseconds since 1970; there is always an end.

    `maintenance` quietens everything but critical security alerts, `emergency` everything, ends of alerts too.
    """

    id: str
    kind: SilenceKind
    matchers: tuple[str, ...]
    created_by: str
    comment: str
    starts_at: int
    ends_at: int

    def ended(self, now_unix_nano: int) -> Silence:
        """As it is when somebody ends it now."""
        return replace(self, ends_at=min(self.ends_at, now_unix_nano), starts_at=min(self.starts_at, now_unix_nano))

    def active(self, now_unix_nano: int) -> bool:
        return self.starts_at <= now_unix_nano < self.ends_at

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Silences:
    """Those that the state database knows."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Silence, Matcher | None]] = {}
        self._active: set[str] = set()

    def replace(self, silences: Iterable[Silence]) -> None:
        """Take these for the ones before."""
        self._known = {one.id: (one, _matcher(one)) for one in silences}

    def advance(self, now: int) -> list[Silence]:
        """Which have ended since the last call."""
        active = {name for name, (one, _) in self._known.items() if one.active(now)}
        ended = [self._known[name][0] for name in self._active - active if name in self._known]
        self._active = active
        return ended

    def resume(self, active: Iterable[str]) -> None:
        """Which were active when the last run ended."""
        self._active = set(active)

    @property
    def active(self) -> list[str]:
        return sorted(self._active)

    def concerns(self, silence: Silence, labels: Mapping[str, str]) -> bool:
        """Whether it is about alerts of these labels, at whatever time."""
        return mutes(silence, _matcher(silence), labels)

    def muting(self, labels: Mapping[str, str], now: int) -> Silence | None:
        """The silence that quietens an alert of these labels, if there is one."""
        for name in self._active:
            silence, matches = self._known.get(name, (None, None))
            if silence is not None and silence.active(now) and mutes(silence, matches, labels):
                return silence
        return None


def _matcher(silence: Silence) -> Matcher | None:
    """None for one that can't be read: it quietens nothing, rather than keeping every alert from being told."""
    try:
        return parse_matchers(silence.matchers)[1]
    except ValueError as error:
        _log.warning("silence %s quietens nothing: %s", silence.id, error)
        return None


def mutes(silence: Silence, matches: Matcher | None, labels: Mapping[str, str]) -> bool:
    """Whether the silence is about alerts of these labels."""
    if silence.kind == "emergency":
        return True
    if silence.kind == "maintenance":
        label, value = SECURITY
        return not (labels.get(label) == value and labels.get("severity") == "critical")
    return matches is not None and matches(labels)


def describe(silence: Silence) -> str:
    """What it quietens, in words."""
    if silence.kind == "emergency":
        return "everything (emergency mute)"
    if silence.kind == "maintenance":
        return "everything but critical security alerts (maintenance)"
    return ", ".join(silence.matchers)
