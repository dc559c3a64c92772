"""Classes of hours: what is usual at night is not what is usual at work."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from processors.baselines.settings import LOCAL, parse_hours

WORKING, NIGHT, WEEKEND = CLASSES = ("working hours", "night", "weekend")
_SATURDAY = 5
_NANO = 1_000_000_000


class Hours:
    """`timezone` is an IANA name, or that of the machine."""

    def __init__(self, working_hours: str, timezone: str) -> None:
        self.working_hours = working_hours
        self.timezone = timezone
        self._work = parse_hours(working_hours)
        self._zone = None if timezone == LOCAL else ZoneInfo(timezone)

    def of(self, time_unix_nano: int) -> str:
        """The class of the hour that this moment lies in."""
        there = self._there(time_unix_nano)
        if there.weekday() >= _SATURDAY:
            return WEEKEND
        return WORKING if self._work.start <= there.hour * 60 + there.minute < self._work.end else NIGHT

    def minute_of(self, time_unix_nano: int) -> int:
        """Of the day, 0 to 1439."""
        there = self._there(time_unix_nano)
        return there.hour * 60 + there.minute

    def _there(self, time_unix_nano: int) -> datetime:
        return datetime.fromtimestamp(time_unix_nano // _NANO, UTC).astimezone(self._zone)
