"""Log lines of any app that are events: told by a pattern of the body, as the operator writes it down."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from processors.events import Event
from processors.observation import LogObservation
from processors.settings_model import Settings

_BODY_LENGTH = 4096
"""Of a longer body only the beginning is looked at."""
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")
_REPEATED = re.compile(r"[*?{]")


class EventMappingSettings(Settings):
    """`body` is a regular expression with named groups, found anywhere; `{group}` stands for one in `attributes`."""

    body: str = Field(min_length=1)
    logger: str = ""
    event: str = Field(min_length=1)
    outcome: Literal["", "success", "failure", "cancelled"] = ""
    attributes: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        groups = dict.fromkeys(_compiled("body", self.body).groupindex, "")
        _compiled("logger", self.logger)
        for name, text in self.attributes.items():
            try:
                text.format_map(groups)
            except (KeyError, ValueError, IndexError, AttributeError) as error:
                known = ", ".join(groups) or "none"
                raise ValueError(
                    f"attributes.{name}: {text!r} names a group that body lacks (it has {known})"
                ) from error
        return self


def _compiled(name: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name}: {pattern!r} is no regular expression: {error}") from error


@dataclass(frozen=True, slots=True)
class _Mapping:
    settings: EventMappingSettings
    literal: str
    """A text that every match has; looked for first, since that costs nearly nothing."""
    body: re.Pattern[str]
    logger: re.Pattern[str] | None


class EventMappings:
    """The first that fits is what a line means."""

    def __init__(self, settings: Iterable[EventMappingSettings]) -> None:
        self._mappings = [
            _Mapping(one, _literal(one.body), re.compile(one.body), re.compile(one.logger) if one.logger else None)
            for one in settings
        ]

    def __bool__(self) -> bool:
        return bool(self._mappings)

    def event(self, log: LogObservation) -> Event | None:
        """None for a line that is no event."""
        if not isinstance(log.body, str):
            return None
        body = log.body[:_BODY_LENGTH]
        for mapping in self._mappings:
            if mapping.literal not in body or (mapping.logger and not mapping.logger.fullmatch(log.scope)):
                continue
            found = mapping.body.search(body)
            if found is not None:
                return _event(mapping.settings, found, log)
        return None


def _event(settings: EventMappingSettings, found: re.Match[str], log: LogObservation) -> Event:
    groups = {name: value or "" for name, value in found.groupdict().items()}
    told: dict[str, Any] = {name: text.format_map(groups) for name, text in settings.attributes.items()}
    return Event(settings.event, settings.outcome, log.time_unix_nano, log.trace_id, None, {**log.attributes, **told})


def _literal(pattern: str) -> str:
    """What stands before the first special character; that itself may be repeated not at all."""
    found = _SPECIAL.search(pattern)
    if found is None:
        return pattern
    if "|" in pattern:
        return ""
    end = found.start()
    return pattern[: end - 1] if end and _REPEATED.match(pattern[end]) else pattern[:end]
