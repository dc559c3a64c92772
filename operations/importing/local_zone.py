"""This machine's time zone as it was on each day, summer time included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo


class LocalZone(tzinfo):
    """Asks the system about each time; of years that it does not know it is UTC."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        try:
            naive = datetime.now() if moment is None else moment.replace(tzinfo=None)  # noqa: DTZ005  # the system's own
            return naive.astimezone().utcoffset() or timedelta(0)
        except (OverflowError, OSError, ValueError):
            return timedelta(0)

    def dst(self, _moment: datetime | None) -> timedelta | None:
        return None

    def tzname(self, _moment: datetime | None) -> str:
        return "local"

    def fromutc(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)
