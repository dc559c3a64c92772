"""Sessions as signed cookies: the server keeps none, only those that were ended before their time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict

from dashboard.access.audit import ended_sessions
from dashboard.access.identity import Identity, own_name
from dashboard.access.key import session_key
from dashboard.access.users import Users
from dashboard.site import Site

COOKIE = "forecourt_session"
"""What the names of all of them begin with."""
SESSION_SECONDS = 12 * 3600
_NANO = 1_000_000_000
_AHEAD_NANO = 60 * _NANO
"""A clock may have been set back a little since."""
_MOST_CHARACTERS = 2000
_MOST_ENDED = 10_000
_FORM = re.compile(r"(1\.([A-Za-z0-9_-]*)\.([0-9]{1,19})\.([A-Za-z0-9_-]{22}))\.([A-Za-z0-9_-]{43})")
"""Version, name, nanoseconds since 1970 at which it was issued, random id; and the MAC over these."""


class Sessions:
    """Of those who logged in, and of those who need not, whose forms carry a token all the same.

    A session ends when the token of its user is changed or taken away.
    """

    def __init__(self, site: Site) -> None:
        self._users = Users(site.settings.users)
        self._key = session_key(site.own_folder)
        self.cookie = f"{COOKIE}_{self._digest(b'cookie').hex()[:8]}"
        """Its name: cookies know no ports, and two instances on one machine would take each other's."""
        self._own_name = own_name()
        self._ended: OrderedDict[str, int] = OrderedDict(ended_sessions(site, _MOST_ENDED))

    def issue(self, name: str | None, now_unix_nano: int) -> str:
        """The value of a cookie for a user, or for nobody."""
        text = f"1.{_encoded((name or '').encode())}.{now_unix_nano}.{secrets.token_urlsafe(16)}"
        return f"{text}.{self._mac(text, self._bound_to(name or '') or b'')}"

    def identity_of(self, cookie: str, now_unix_nano: int) -> Identity | None:
        """None for what was not issued here, is over, or names somebody who is no user now."""
        found = _FORM.fullmatch(cookie[: _MOST_CHARACTERS + 1])
        if found is None:
            return None
        text, encoded, issued, session, mac = found.groups()
        name = _decoded(encoded)
        bound = None if name is None else self._bound_to(name)
        if name is None or bound is None or not hmac.compare_digest(mac, self._mac(text, bound)):
            return None
        if not -_AHEAD_NANO <= now_unix_nano - int(issued) < SESSION_SECONDS * _NANO or session in self._ended:
            return None
        csrf = _encoded(self._digest(b"csrf", session.encode()))
        if name:
            return self._users.identity(name, csrf)
        return self.nobody(csrf)

    def nobody(self, csrf: str = "") -> Identity:
        """Whoever has not logged in: where nobody has to, that is the user whose process this is."""
        if self._users:
            return Identity("", "view", csrf, logged_in=False)
        return Identity(self._own_name, "operate", csrf, logged_in=False)

    def end(self, cookie: str) -> str:
        """The id of the session; no copy of its cookie is good any more, after a restart if the audit says so too."""
        found = _FORM.fullmatch(cookie[: _MOST_CHARACTERS + 1])
        if found is None:
            return ""
        self._ended[found[4]] = int(found[3])
        while len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)
        return found[4]

    def _bound_to(self, name: str) -> bytes | None:
        return self._users.token_digest(name) if name else b""

    def _mac(self, text: str, bound_to: bytes) -> str:
        return _encoded(self._digest(b"session", text.encode(), bound_to))

    def _digest(self, *parts: bytes) -> bytes:
        return hmac.digest(self._key, b"\0".join(parts), hashlib.sha256)


def set_cookie(name: str, value: str, *, secure: bool) -> str:
    """A Set-Cookie header; an empty value takes the cookie away."""
    seconds = SESSION_SECONDS if value else 0
    return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
