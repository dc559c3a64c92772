"""OpenSSH's lines in a syslog file: `Dec 10 06:55:46 host sshd[24200]: …`, or with a date as RFC 3339 has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, tzinfo

from operations.importing.entry import Entry, NotUnderstoodError, parse_time

_LINE = re.compile(
    r"(?:(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) (?P<time>\d{2}:\d{2}:\d{2})|(?P<dated>\d{4}-\d{2}-\d{2}T\S+)) "
    r"(?P<host>\S+) "
    r"(?P<program>[\w./-]+)(?:\[(?P<pid>\d+)\])?: (?P<message>.*)"
)
_REPEATED = re.compile(r"message repeated (?P<count>\d{1,6}) times: \[ (?P<message>.*)\]")
# A user name is whatever the client sent, ` from ` included: the last one is the server's own word.
_FAILED = re.compile(r"Failed (?P<method>\S+) for (?:invalid user )?(?P<user>.*) from (?P<address>\S+) port \d+.*")
_ACCEPTED = re.compile(r"Accepted (?P<method>\S+) for (?P<user>.*) from (?P<address>\S+) port \d+.*")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BACKWARDS = timedelta(days=31)
"""Lines may be a little out of order; only a jump back by more than a month is a new year."""
_LEAP_YEAR = 2000
_COUNTED = frozenset({"password", "publickey", "keyboard-interactive/pam"})


class Sshd:
    """Years are not written: the last line's is the latest in which it is not in the future, or the one given."""

    def __init__(self, now: datetime, zone: tzinfo, year: int | None) -> None:
        self._now = now.astimezone(zone)
        self._zone = zone
        self._year = year
        self._last: datetime | None = None
        self._years = 0

    def begin(self, lines: Iterable[str]) -> None:
        """Look through all that will come, so that its first line has the right year."""
        last: datetime | None = None
        crossings = 0
        for line in lines:
            found = _LINE.fullmatch(line)
            if found is None or found["dated"]:
                continue
            try:
                time = _dated(found, _LEAP_YEAR, self._zone)
            except NotUnderstoodError:
                continue
            crossings += last is not None and last - time > _BACKWARDS
            last = time
        self._years = crossings
        if last is not None and self._year is None:
            now = self._now
            self._years += (last.month, last.day, last.time()) > (now.month, now.day, now.time())

    def entries(self, line: str) -> Iterator[Entry]:
        """One for each time that the line stands for; raise NotUnderstoodError."""
        found = _LINE.fullmatch(line)
        if found is None:
            raise NotUnderstoodError("expected `Dec 10 06:55:46 host sshd[24200]: message`")
        time = parse_time(found["dated"], self._zone) if found["dated"] else self._nano(found)
        message = found["message"]
        repeated = _REPEATED.fullmatch(message)
        count = 1
        if repeated is not None:
            count, message = int(repeated["count"]), repeated["message"]
        for _ in range(count):
            yield self._entry(time, message, found)

    def _entry(self, nano: int, message: str, found: re.Match[str]) -> Entry:
        failed, accepted = _FAILED.fullmatch(message), _ACCEPTED.fullmatch(message)
        told = failed or accepted
        more = {"process.pid": int(found["pid"])} if found["pid"] else {}
        if told is None or told["method"] not in _COUNTED:
            return Entry(nano, message, "INFO", found["program"], host=found["host"], attributes=more)
        attributes = {
            "event.outcome": "failure" if failed else "success",
            "user.name": told["user"],
            "client.address": told["address"],
            "auth.method": told["method"],
            **more,
        }
        severity = "WARN" if failed else "INFO"
        return Entry(nano, message, severity, found["program"], "auth.login", attributes, found["host"])

    def _nano(self, found: re.Match[str]) -> int:
        time = _dated(found, self._first_year() if self._last is None else self._last.year, self._zone)
        if self._last is not None and self._last - time > _BACKWARDS:
            time = _dated(found, self._last.year + 1, self._zone)
        self._last = time
        return int(time.timestamp()) * 1_000_000_000

    def _first_year(self) -> int:
        return (self._year if self._year is not None else self._now.year) - self._years


def _dated(found: re.Match[str], year: int, zone: tzinfo) -> datetime:
    """Raise NotUnderstoodError for a day that there is not; of 29 February the leap year before."""
    if found["month"] not in _MONTHS:
        raise NotUnderstoodError(f"{found['month']!r} is no month")
    for candidate in (year, *range(year - 1, year - 4, -1)) if found["day"] == "29" else (year,):
        try:
            moment = datetime.fromisoformat(
                f"{candidate:04d}-{_MONTHS.index(found['month']) + 1:02d}-{int(found['day']):02d}T{found['time']}"
            )
        except ValueError:
            continue
        return moment.replace(tzinfo=zone)
    raise NotUnderstoodError(f"{found['month']} {found['day']} {found['time']} is no time")
