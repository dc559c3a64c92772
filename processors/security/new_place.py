"""A user who is well known, in a network and with a browser that nobody has seen them with."""

from __future__ import annotations

from collections.abc import Iterator

from processors.security.alarm import Alarm, Told
from processors.security.settings import NewPlaceSettings
from processors.security.sighting import ADDRESS, USER
from processors.security.users import Login


class NewPlaceRule:
    """Either alone is nothing: people travel, and browsers are replaced."""

    def __init__(self, name: str, settings: NewPlaceSettings) -> None:
        self.name = name
        self.settings = settings

    @property
    def told(self) -> Told:
        return Told(self.settings.summary or f"{self.name}: {{{USER}}}", "1", "count", self.settings.within)

    def take(self, login: Login) -> Iterator[Alarm]:
        settings = self.settings
        known = login.known_nano >= settings.known_for * 1e9 and login.logins >= settings.logins
        if not (known and login.new_network and login.new_family):
            return
        key = ((USER, login.user), (ADDRESS, login.address))
        within = int(settings.within * 1e9)
        alarm = Alarm(self.name, key, within, login.time_unix_nano, login.time_unix_nano, settings.severity, 1)
        alarm.note = f"{login.network}, {login.family}"
        if not login.usual:
            alarm.note += f", at an hour at which {login.user} hardly ever logs in"
        alarm.seen(login.trace_id)
        yield alarm
