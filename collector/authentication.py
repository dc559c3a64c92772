"""Bearer tokens (RFC 6750), several at a time so that they can be rotated."""

from __future__ import annotations

import hmac
from collections.abc import Iterable


class BearerTokens:
    """Without tokens everybody may send; that is for loopback only, and the configuration sees to it."""

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._tokens = tuple(token.encode() for token in tokens)

    def admit(self, authorization: str | None) -> bool:
        """Whether the value of an Authorization header names one of the tokens."""
        if not self._tokens:
            return True
        scheme, _, token = (authorization or "").partition(" ")
        given = token.strip().encode()
        # All are compared, and each in constant time: how long it takes says nothing about any of them.
        matches = [hmac.compare_digest(given, token) for token in self._tokens]
        return scheme.lower() == "bearer" and any(matches)
