"""Which keys hide their values, by the words they are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
_SENSITIVE = re.compile(
    # Words may be run together (PGPASSWORD, accesstoken). Plain "tokens" are what language models count.
    r" (?:\w*(?:authorization|cookies?|credentials?|jwt|passphrases?|passwd|passwords?|pwd|secrets?|token"
    r"|(?:access|account|api|encryption|master|private|secret|session|shared|signing|ssh)keys?)"
    r"|(?:access|account|api|encryption|master|private|secret|session|shared|signing|ssh) keys?"
    r"|(?:access|api|auth|bearer|id|refresh|session) tokens|(?:admin|database|db|proxy|redis|root|smtp|user) pass"
    r"|cvc|cvv|otp) ",
)
_ABOUT_IT = re.compile(
    r"(?:age|algorithm|arn|at|attempts|bytes|counts?|decision|enabled|endpoint|expiration|expired|expires|expiry"
    r"|failures|in|issuer|length|limit|max|method|min|mode|name|outcome|policy|present|reason|required|result|scheme"
    r"|size|status|strength|total|ttl|type|uri|url|usage|valid|validity|version)\Z",
)
"""A key that ends in one of these tells of a secret and does not hold it: `token_count`, `password.length`."""
_ASKS = frozenset({"has", "is"})

TRIGGERS = (
    *("pass", "pwd", "secret", "token", "cookie", "credential", "key", "authorization"),
    *("jwt", "otp", "cvc", "cvv"),
)
"""Every sensitive key holds one of these in its lower-case spelling."""


def may_hold(lower: str) -> bool:
    """Whether one of TRIGGERS is in this lower-case text; the rarest letters are asked first, which is quickest."""
    return (
        "pass" in lower
        or "secret" in lower
        or ("k" in lower and ("key" in lower or "token" in lower or "cookie" in lower))
        or ("z" in lower and "authorization" in lower)
        or ("w" in lower and ("pwd" in lower or "jwt" in lower))
        or ("v" in lower and ("cvc" in lower or "cvv" in lower))
        or "credential" in lower
        or "otp" in lower
    )


def words(key: str) -> list[str]:
    """The words of a key, split at dots, dashes, underscores, spaces and inner capitals, in lower case."""
    return [word.lower() for word in _WORDS.findall(key)]


def is_sensitive(key: str, further: Sequence[str]) -> bool:
    """`further` are names as their words, with a space before, between and after them."""
    found = words(key)
    spelled = f" {' '.join(found)} "
    if any(name in spelled for name in further):
        return True
    if not found or _ABOUT_IT.match(found[-1]) or not _ASKS.isdisjoint(found):
        return False
    return _SENSITIVE.search(spelled) is not None


def signs_address(key: str) -> bool:
    """Parameters of signed addresses that the OpenTelemetry conventions of `url.full` tell to hide."""
    return words(key)[-1:] in (["sig"], ["signature"])
