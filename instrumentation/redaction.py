"""Secrets and personal data out of telemetry: by the name of a key, and by the form of a text.

It catches what stands under a telling key or has a known form; that some other free text is a secret it can't know.
Standard library only: the app imports it, and so does the collector's decoder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

REDACTED = "[REDACTED]"

_MEMO_CHARACTERS = 2_000_000
_MEMO_LENGTH = 8192
_MEMO_KEYS = 10_000

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SENSITIVE = (
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "cvv",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pwd",
    "secret",
    "secrets",
    "token",
    "apikey",
    "api key",
    "access key",
    "account key",
    "encryption key",
    "private key",
    "secret key",
    "session key",
    "signing key",
)
_ABOUT_IT = frozenset(
    {
        "bytes",
        "count",
        "counts",
        "expiry",
        "expires",
        "length",
        "limit",
        "size",
        "total",
        "ttl",
        "type",
        "usage",
    },
)
"""A key that ends in one of these measures a secret and does not hold it: `token_count`, `password.length`."""


_KEY = (
    # The first letter stands apart: the search then skips to it without trying all the words at each place.
    r"(?P<key>[ACEJPSTacejpst](?:(?i:asswords?|asswd|assphrase|wd|ecrets?|oken|uthorization|(?P<cookie>ookies?)"
    r"|redentials?|wt|pi[_-]?key|ccess[_-]?key|ccount[_-]?key|ncryption[_-]?key|rivate[_-]?key|e(?:cret|ssion)[_-]?key"
    r"|igning[_-]?key)))(?P<between>\\*[\"']?\s*(?::|=>|==?)\s*)"
)
_VALUE = (
    r"(?!\s|\[REDACTED\]|[?]|%s|%\(|\$\d|:\w)"  # what is redacted already, and SQL's placeholders, stay
    r"(?:(?P<quote>\\*[\"'])(?P<quoted>(?:(?!(?P=quote)).)*)(?P=quote)?"
    r"|(?P<line>(?(cookie)[^\r\n\"']+|(?!)))"
    r"|(?P<plain>(?i:(?:Bearer|Basic|Digest|Negotiate|Token)\s+)?[^\s,;&\"'<>(){}\[\]\\]+))"
)


def _hide_value(found: re.Match[str]) -> str:
    quote = found["quote"] or ""
    return f"{found['key']}{found['between']}{quote}{REDACTED}{quote}"


def _hide_card(found: re.Match[str]) -> str:
    digits = [int(digit) for digit in found[0] if digit.isdigit()]
    return REDACTED if _CARD_NUMBER.match("".join(map(str, digits))) and _luhn(digits) else found[0]


def _luhn(digits: list[int]) -> bool:
    """ISO/IEC 7812-1, annex B: the check digit of card numbers."""
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004  # cross sum of 2 x digit
    return (sum(doubled) + sum(digits[::-2])) % 10 == 0


_CARD_NUMBER = re.compile(
    r"(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|6(?:011|5\d\d|4[4-9]\d)\d{12})\Z",
)
"""Prefixes and lengths of the large issuers."""

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_URL_CREDENTIALS = re.compile(r"://[^\s/?#\"'@:]*:[^\s/?#\"']*@")
_E_MAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
_KEY_WITH_VALUE = re.compile(_KEY + _VALUE, re.DOTALL)
_KEY_TRIGGERS = ("pass", "pwd", "secret", "token", "authorization", "cookie", "credential", "jwt", "key")
_SCHEME_WITH_TOKEN = re.compile(r"\b(Bearer|Basic)(\s+)(?!auth|credential|realm)[\w+/=.~-]{6,}", re.IGNORECASE)
_JSON_WEB_TOKEN = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?")
_KNOWN_TOKEN = re.compile(
    r"\b(?:A(?:KIA|SIA)[0-9A-Z]{16}|AIza[\w-]{30,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|sk-[\w-]{20,}|[sr]k_(?:live|test)_\w{10,}|xox[abeoprs]-[\w-]{10,})",
)
_KNOWN_PREFIXES = ("AKIA", "ASIA", "AIza", "gh", "glpat-", "sk-", "k_live_", "k_test_", "xox")
_DIGITS = re.compile(r"[2-6](?<![\w.-].)(?:[ -]?\d){12,18}(?![\w-])")
_SHORTEST_TOKEN = 12
"""Characters: below it there is no room for a bearer, a known token or a card number."""


class Redactor:
    """Safe for several threads; what it has seen it remembers in bounded memory."""

    def __init__(self, *, keys: Iterable[str] = ()) -> None:
        """`keys` are further names that hide their values, matched as words like the built-in ones."""
        self._sensitive = tuple(f" {' '.join(_words(key))} " for key in (*_SENSITIVE, *keys))
        self._keys: dict[str, bool] = {}
        self._texts: dict[str, str] = {}
        self._characters = 0

    def is_sensitive(self, key: str) -> bool:
        """Whether the value under this key is hidden whatever it is."""
        known = self._keys.get(key)
        if known is None:
            known = self._judge(key)
            if len(self._keys) >= _MEMO_KEYS:
                self._keys.clear()
            self._keys[key] = known
        return known

    def text(self, text: str) -> str:
        """As `redact`, and quicker for a text that was seen before."""
        known = self._texts.get(text)
        if known is None:
            known = redact(text)
            if len(text) <= _MEMO_LENGTH:
                self._remember(text, known)
        return known

    def _remember(self, text: str, known: str) -> None:
        self._characters += len(text)
        if self._characters > _MEMO_CHARACTERS:
            self._texts.clear()
            self._characters = len(text)
        self._texts[text] = known

    def _judge(self, key: str) -> bool:
        words = _words(key)
        if not words or words[-1] in _ABOUT_IT:
            return False
        spelled = f" {' '.join(words)} "
        return any(name in spelled for name in self._sensitive)


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(key)]


def redact(text: str) -> str:
    """The text without what looks like a secret; the very same object if there is none."""
    # Each pattern is tried only on text that holds what all its matches hold.
    redacted = text
    if "@" in text:
        if "://" in text:
            redacted = _URL_CREDENTIALS.sub(f"://{REDACTED}@", redacted)
        redacted = _E_MAIL.sub(REDACTED, redacted)
    if "=" in text or ":" in text:
        lower = redacted.lower()
        for trigger in _KEY_TRIGGERS:
            if trigger in lower:
                redacted = _KEY_WITH_VALUE.sub(_hide_value, redacted)
                break
    if len(text) >= _SHORTEST_TOKEN:
        redacted = _redact_tokens(redacted)
    return text if redacted == text else redacted


def _redact_tokens(text: str) -> str:
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub(REDACTED, text)
    if "eyJ" in text:
        text = _JSON_WEB_TOKEN.sub(REDACTED, text)
    if ("_" in text or "-" in text or "A" in text) and any(prefix in text for prefix in _KNOWN_PREFIXES):
        text = _KNOWN_TOKEN.sub(REDACTED, text)
    if " " in text and ("earer" in text or "asic" in text or "BEARER" in text or "BASIC" in text):
        text = _SCHEME_WITH_TOKEN.sub(rf"\1\2{REDACTED}", text)
    if "4" in text or "5" in text or "3" in text or "6" in text or "2" in text:
        text = _DIGITS.sub(_hide_card, text)
    return text
