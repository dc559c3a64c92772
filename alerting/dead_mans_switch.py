"""The dead man's switch: silence is what alarms somebody elsewhere."""

from __future__ import annotations

from alerting.channels.http import call
from alerting.settings import DeadMansSwitchSettings

_NANO = 1_000_000_000
_AGAIN_NANO = 10 * _NANO
"""After a ping that failed; whoever waits for it allows no more than a little lateness."""


class DeadMansSwitch:
    """When to ping. Compatible with https://healthchecks.io/docs/http_api/: a GET of the address means "I live"."""

    def __init__(self, settings: DeadMansSwitchSettings) -> None:
        self._settings = settings
        self._due = 0

    @property
    def configured(self) -> bool:
        return bool(self._settings.url.get_secret_value())

    def due(self, now_unix_nano: int) -> bool:
        """Whether it is time; a clock that was set back makes it so."""
        interval = int(self._settings.interval * _NANO)
        return now_unix_nano >= self._due or self._due - now_unix_nano > interval

    def ping(self) -> None:
        """Raise ChannelError when nobody takes it."""
        call("GET", self._settings.url.get_secret_value(), timeout=self._settings.timeout).refuse()

    def pinged(self, now_unix_nano: int, *, well: bool) -> None:
        wait = int(self._settings.interval * _NANO)
        self._due = now_unix_nano + (wait if well else min(wait, _AGAIN_NANO))
