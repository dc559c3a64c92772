"""A baseline: for each key and class of hours what many windows were like, never one number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from processors.baselines.hours import CLASSES, Hours
from processors.baselines.settings import LABELS, BaselineSettings
from processors.baselines.windows import QUANTILES, Window

FORMAT = 1
MOST_WINDOWS = 200
"""Of a key and class that are kept: more say hardly more of a median."""
_NANO = 1_000_000_000
_END = 2**63 // _NANO
_DIGITS = 5


class BaselineError(Exception):
    """What is stored is no baseline of ours; the message says what to do."""


class Subject(NamedTuple):
    """An indicator and the values of its labels, in the order of `LABELS`."""

    indicator: str
    values: tuple[str, ...]

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        return tuple(zip(LABELS[self.indicator], self.values, strict=True))


Known = Mapping[str, Sequence[Window]]
"""By class of hours."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Times are nanoseconds since 1970; the windows of a class are in order of time."""

    name: str
    created_unix_nano: int
    start_unix_nano: int
    end_unix_nano: int
    working_hours: str
    timezone: str
    keys: Mapping[Subject, Known]

    @property
    def hours(self) -> Hours:
        return Hours(self.working_hours, self.timezone)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "created_unix_nano": self.created_unix_nano,
            "start_unix_nano": self.start_unix_nano,
            "end_unix_nano": self.end_unix_nano,
            "working_hours": self.working_hours,
            "timezone": self.timezone,
            "keys": [
                [*subject, {hours: [_row(window) for window in windows] for hours, windows in known.items()}]
                for subject, known in self.keys.items()
            ],
        }

    @classmethod
    def from_json(cls, content: Any) -> Baseline:
        """Raise BaselineError."""
        name = content.get("name", "") if isinstance(content, Mapping) else ""
        if not isinstance(content, Mapping) or content.get("format") != FORMAT:
            raise BaselineError(_refusal(name, content))
        try:
            found = cls(
                name=str(name),
                created_unix_nano=int(content["created_unix_nano"]),
                start_unix_nano=int(content["start_unix_nano"]),
                end_unix_nano=int(content["end_unix_nano"]),
                working_hours=content["working_hours"],
                timezone=content["timezone"],
                keys={
                    _subject(indicator, values): {
                        hours: [_window(hours, row) for row in rows] for hours, rows in known.items()
                    }
                    for indicator, values, known in content["keys"]
                },
            )
            found.hours  # noqa: B018  # raises for hours or zones that are none
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
            raise BaselineError(f"the baseline {name!r} is damaged ({error!r}); {_REMAKE}") from error
        return found


_REMAKE = "make it anew: forecourt baseline update --confirm"


def _refusal(name: str, content: Any) -> str:
    found = content.get("format") if isinstance(content, Mapping) else None
    if isinstance(found, int) and found > FORMAT:
        return (
            f"the baseline {name!r} has format {found}, this Forecourt knows up to {FORMAT}. "
            f"Upgrade it (pip install --upgrade forecourt), or {_REMAKE}"
        )
    return f"the baseline {name!r} is damaged (no format that is known); {_REMAKE}"


def _row(window: Window) -> list[Any]:
    told = [None if math.isnan(value) else float(f"{value:.{_DIGITS}g}") for value in window.quantiles]
    return [window.start_unix_nano // _NANO, round(window.seconds), window.samples, window.errors, *told]


def _window(hours: str, row: Sequence[Any]) -> Window:
    start, seconds, count, errors, *told = row
    counts = len(told) == len(QUANTILES) and 0 <= errors <= count
    if hours not in CLASSES or not counts or seconds <= 0 or not 0 <= start < _END:
        raise ValueError(f"{row!r} of {hours!r} is no window")
    quantiles = tuple(math.nan if value is None else float(value) for value in told)
    return Window(start * _NANO, (start + seconds) * _NANO, hours, count, errors, quantiles)


def _subject(indicator: str, values: Sequence[str]) -> Subject:
    if len(values) != len(LABELS[indicator]):
        raise ValueError(f"{values!r} are no labels of {indicator}")
    return Subject(indicator, tuple(map(str, values)))


def learn(
    name: str,
    windows: Mapping[Subject, Iterable[Window]],
    settings: BaselineSettings,
    *,
    start_unix_nano: int,
    end_unix_nano: int,
    created_unix_nano: int,
) -> Baseline:
    """From all windows of a time: the keys with the most requests, and of many windows each so and so manieth."""
    found: list[tuple[int, Subject, dict[str, list[Window]]]] = []
    for subject, all_of_it in windows.items():
        known: dict[str, list[Window]] = {}
        for window in all_of_it:
            known.setdefault(window.hours, []).append(window)
        if known:
            samples = sum(window.samples for of_class in known.values() for window in of_class)
            found.append((samples, subject, {hours: _thinned(of_class) for hours, of_class in known.items()}))
    found.sort(key=lambda one: (-one[0], one[1]))
    return Baseline(
        name=name,
        created_unix_nano=created_unix_nano,
        start_unix_nano=start_unix_nano,
        end_unix_nano=end_unix_nano,
        working_hours=settings.working_hours,
        timezone=settings.timezone,
        keys={subject: known for _, subject, known in found[: settings.max_keys]},
    )


def _thinned(windows: Sequence[Window]) -> list[Window]:
    """At most `MOST_WINDOWS`, spread over the whole time."""
    count = len(windows)
    if count <= MOST_WINDOWS:
        return list(windows)
    return [windows[index * count // MOST_WINDOWS] for index in range(MOST_WINDOWS)]
