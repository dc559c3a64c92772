"""What people do on the pages, written down: in the state database, or in the log where there is none to write."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Any

import orjson

from alerting.plain_text import plain
from dashboard.access.identity import Identity
from dashboard.site import Site
from storage import audit as rows
from storage.audit import AuditEntry, entries
from storage.state import State, StateError

__all__ = ["LOG_OUT", "AuditEntry", "Refusals", "ended_sessions", "entries", "record"]

LOG_OUT = "log out"

_log = logging.getLogger(__name__)

_NANO = 1_000_000_000
_HOUR_NANO = 3600 * _NANO
_ANEW_NANO = 300 * _NANO
_MOST_REFUSED = 100
_MOST_TEXT = 500
_MOST_PARTS = 20
_LARGEST = 2**53


def record(  # noqa: PLR0917  # one sentence: who, from where, what, how it ended
    site: Site, identity: Identity | None, address: str, action: str, detail: Mapping[str, Any], outcome: str
) -> None:
    """By whom, from where, what, and how it ended; raise nothing. It waits for the disk."""
    entry = AuditEntry(
        site.clock(),
        plain(identity.name, _MOST_TEXT) if identity else "",
        identity.role if identity else "",
        plain(address, 100),
        plain(action, 100),
        _limited(detail, 0),
        plain(outcome, _MOST_TEXT),
    )
    path = site.own_folder / "state.db"
    try:
        if not path.is_file():
            raise StateError(f"there is no {path}")  # noqa: TRY301  # opening it would make one
        state = State.open(path)
        try:
            rows.record(state, entry)
        finally:
            state.close()
    except (StateError, OSError) as error:
        _log.warning("audit: %s (not in the state database: %s)", orjson.dumps(entry).decode(), error)


def ended_sessions(site: Site, most: int) -> dict[str, int]:
    """Those that somebody logged out of, by id, with when; none where nobody can tell."""
    path = site.own_folder / "state.db"
    if not path.is_file():
        return {}
    try:
        state = State.reading(path)
        try:
            found = entries(state, most)
        finally:
            state.close()
    except StateError as error:
        _log.warning("who has logged out before is not known: %s", error)
        return {}
    return {str(row.detail.get("session")): row.time_unix_nano for row in reversed(found) if row.action == LOG_OUT}


class Refusals:
    """At most 100 rows an hour of what was not let through; those left out are counted in the next row."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._written: deque[int] = deque(maxlen=_MOST_REFUSED)
        self._limited_at = 0
        self._left_out = 0

    async def failed(self, address: str, action: str) -> None:
        """A token that is nobody's."""
        await self._tell(address, action, "refused: no user has this token")

    async def forbidden(self, identity: Identity, address: str, action: str) -> None:
        """What somebody asked for who may only look."""
        await self._tell(address, action, "refused: that needs the role operate", identity)

    async def limited(self, address: str, action: str) -> None:
        """An attempt that was not looked at; one in five minutes has a row."""
        now = self._site.clock()
        if 0 <= now - self._limited_at < _ANEW_NANO:
            self._left_out += 1
            return
        self._limited_at = now
        await self._tell(address, action, "refused: too many attempts")

    def take_left_out(self) -> dict[str, int]:
        """How many had no row since the last one; for the row that is written now."""
        left_out, self._left_out = self._left_out, 0
        return {"refused_before": left_out} if left_out else {}

    async def _tell(self, address: str, action: str, outcome: str, identity: Identity | None = None) -> None:
        now = self._site.clock()
        if len(self._written) == _MOST_REFUSED and 0 <= now - self._written[0] < _HOUR_NANO:
            self._left_out += 1
            return
        self._written.append(now)
        await asyncio.to_thread(record, self._site, identity, address, action, self.take_left_out(), outcome)


def _limited(content: Any, depth: int) -> Any:
    """As JSON, and short, whatever it is."""
    if content is None or isinstance(content, bool | float) or (isinstance(content, int) and abs(content) < _LARGEST):
        return content
    if depth <= 1 and isinstance(content, Mapping):
        return {plain(name, 80): _limited(value, depth + 1) for name, value in list(content.items())[:_MOST_PARTS]}
    if depth <= 1 and isinstance(content, list | tuple):
        return [_limited(value, depth + 1) for value in content[:_MOST_PARTS]]
    return plain(content, _MOST_TEXT)
