"""Those who may log in, each by a token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from dashboard.access.identity import Identity
from dashboard.settings import UserSettings


class Users:
    """Compared in constant time, all of them: how long it takes says nothing about any token."""

    def __init__(self, settings: Mapping[str, UserSettings]) -> None:
        self._settings = settings
        self._digests = {name: digest(user.token.get_secret_value()) for name, user in settings.items()}

    def __bool__(self) -> bool:
        """Whether anybody has to log in."""
        return bool(self._settings)

    def named_by(self, token: str) -> str | None:
        """Whose token it is."""
        given = digest(token)
        matches = [name for name, known in self._digests.items() if hmac.compare_digest(given, known)]
        return matches[0] if matches else None

    def token_digest(self, name: str) -> bytes | None:
        """Of the token that the user has now; None for nobody of this name."""
        return self._digests.get(name)

    def identity(self, name: str, csrf: str = "") -> Identity:
        """Of a user, in the role of now."""
        return Identity(name, self._settings[name].role, csrf, logged_in=True)


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
