"""What the operator may set about baselines."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from processors.settings_model import Settings
from processors.units import Seconds

LEVELS = ("low", "medium", "high")
"""Severities, from mild to severe."""
LABELS = {
    "http.server.response_time": ("service.name", "http.request.method", "http.route"),
    "db.query.response_time": ("service.name", "db.system.name", "db.query.summary"),
}
"""Indicators that there are baselines of, and the labels of their rollups."""
NOUNS = {"http.server.response_time": "requests", "db.query.response_time": "queries"}
LOCAL, DEFAULT = "local", "default"
_NAME_LENGTH = 64
_NAME = re.compile(rf"\w[\w.-]{{0,{_NAME_LENGTH - 1}}}")
_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)")


def parse_share(value: Any) -> Any:
    """A hundredth of a percentage; raise ValueError that says what was expected."""
    if not isinstance(value, str):
        return value
    found = _SHARE.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is not a share, expected for example 20%")
    return float(found[1]) / 100


class WorkingHours(NamedTuple):
    """Minutes of the day, the end not among them."""

    start: int
    end: int


def parse_hours(text: str) -> WorkingHours:
    """Raise ValueError that says what was expected."""
    found = _HOURS.fullmatch(text)
    hours = WorkingHours(*(int(found[one]) * 60 + int(found[one + 1]) for one in (1, 3))) if found else None
    if hours is None or not hours.start < hours.end <= 1440:  # noqa: PLR2004  # a day
        raise ValueError(f"{text!r} are not hours of a day, expected for example 07:00-19:00")
    return hours


def known_name(text: str) -> str:
    """Of a baseline; raise ValueError that says what was expected."""
    if not _NAME.fullmatch(text):
        shown = text if len(text) <= _NAME_LENGTH else f"{text[:_NAME_LENGTH]}…"
        raise ValueError(
            f"{shown!r} is no name for a baseline, expected at most {_NAME_LENGTH} letters, digits, dots, dashes and "
            "underscores, for example before-release"
        )
    return text


def _hours(text: str) -> str:
    parse_hours(text)
    return text


def _timezone(name: str) -> str:
    if name != LOCAL:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone here, expected local or for example Europe/Berlin") from None
    return name


def _indicator(name: str) -> str:
    if name not in LABELS:
        raise ValueError(f"there are no baselines of {name!r}, expected some of {', '.join(LABELS)}")
    return name


Share = Annotated[float, BeforeValidator(parse_share), PlainSerializer(lambda share: f"{share * 100:.4g}%")]


class LevelSettings(Settings):
    """By how much something is slower, or fails more, than in the baseline."""

    low: Share = Field(0.1, gt=0)
    medium: Share = Field(0.2, gt=0)
    high: Share = Field(0.5, gt=0)

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if not self.low < self.medium < self.high:
            raise ValueError("levels must ascend: low, medium, high")
        return self

    @property
    def shares(self) -> tuple[float, ...]:
        return self.low, self.medium, self.high


class HoldSettings(Settings):
    """For how many windows on end, before somebody is told."""

    low: int = Field(12, ge=1)
    medium: int = Field(8, ge=1)
    high: int = Field(4, ge=1)

    @property
    def windows(self) -> tuple[int, ...]:
        return self.low, self.medium, self.high


class BaselineSettings(Settings):
    """`processors.baselines`; `active` is the name of the one that is judged live."""

    enabled: bool = True
    active: Annotated[str, AfterValidator(known_name)] = DEFAULT
    indicators: tuple[Annotated[str, AfterValidator(_indicator)], ...] = tuple(LABELS)
    levels: LevelSettings = LevelSettings()
    hold: HoldSettings = HoldSettings()
    floor: Seconds = 0.005
    alpha: float = Field(0.01, gt=0, lt=0.5)
    minimum_requests: int = Field(30, ge=10)
    minimum_windows: int = Field(20, ge=5)
    minimum_errors: int = Field(5, ge=1)
    working_hours: Annotated[str, AfterValidator(_hours)] = "07:00-19:00"
    timezone: Annotated[str, AfterValidator(_timezone)] = LOCAL
    max_keys: int = Field(200, ge=1)
