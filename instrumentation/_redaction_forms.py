"""Secrets that are known by their form, wherever in a text they stand."""

from __future__ import annotations

import re
from collections.abc import Callable

REDACTED = "[REDACTED]"

_STARTS = r"(?:(?<![\w-]{0})|(?<=%[0-9A-Fa-f][0-9A-Fa-f]{0})|(?<=\\[nrt]{0}))"
"""Not inside a word, where percent-encoded and escaped characters end one too; `{0}` is what was matched since."""

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"(?s:.*?)(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
)
_URL_CREDENTIALS = re.compile(
    # The last form is a password with a raw slash, which SQLAlchemy takes; `host:8080/@me` is none.
    r"://(?:[^\s/?#\"'<>]+@|[^\s/?#\"'<>@:\[]*+:(?!\d{0,5}[/?#])[^\s\"'<>@]{0,200}+@)",
)
_JSON_WEB_TOKEN = re.compile(rf"eyJ{_STARTS.format('eyJ')}[\w-]{{5,}}+\.[\w-]{{5,}}+(?:\.[\w-]*+){{0,3}}+")
_SCHEME = re.compile(
    r"(?P<scheme>(?i:bearer|basic)(?:(?:[ \t]|%20|\+)++|:[ \t]*+))"
    r"(?!(?:auth\w*|tokens?|scheme|realm|formats?|headers?|errors?|credentials?|missing|invalid|required|expired"
    r"|is|was|not|and|the|for|with|from|only)\b|\w+=[\"'\\]*+\w)(?P<token>[\w+/][\w+/=.~-]{2,}+)",
)
_PROSE = re.compile(r"[A-Z]?[a-z]+(?:[-/.][A-Za-z]+)*\.?\Z|[A-Z]+\Z|.{1,5}\Z")
_E_MAIL = re.compile(
    # `logo@2x.png` is a file.
    r"(?<![\w.+%-])(?:[\w.+-]|%(?!40))++(?:@|%40)(?!\dx\.)[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}",
)

_WITH_DASH = (
    ("sk-", re.compile(rf"sk-{_STARTS.format('sk-')}(?=[\w-]{{0,200}}[A-Z0-9])[\w-]{{20,}}")),
    ("glpat-", re.compile(r"glpat-[\w-]{16,}")),
    ("xox", re.compile(r"xox[abeoprs]-[\w-]{10,}")),
)
_WITH_UNDERSCORE = (
    ("gh", re.compile(r"gh[opsur]_\w{20,}")),
    ("github_pat_", re.compile(r"github_pat_\w{20,}")),
    ("k_live_", re.compile(r"[rs]k_live_\w{10,}")),
    ("k_test_", re.compile(r"[rs]k_test_\w{10,}")),
)
_WITH_CAPITAL_A = (
    ("AKIA", re.compile(r"AKIA[0-9A-Z]{16}")),
    ("ASIA", re.compile(r"ASIA[0-9A-Z]{16}")),
    ("AIza", re.compile(r"AIza[\w-]{30,}")),
)
"""What the tokens of well-known issuers begin with, where that is unmistakable, by a character that all hold."""

_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 13
_CARD = re.compile(
    r"[2-6](?:(?<![\w.-].)|(?<=%20.)|(?<=%3[Dd].)|(?<=\\[nrt].))(?:[0-9]{12,18}"
    r"|[0-9]{3}(?:(?P<gap>[ +-]|%20)[0-9]{4})(?:(?P=gap)[0-9]{4})(?P=gap)[0-9]{1,4}(?P<more>(?P=gap)[0-9]{1,3})?"
    r"|[0-9]{3}(?P<wide>[ +-]|%20)[0-9]{6}(?P=wide)[0-9]{4,5})(?![\w-]|\.[0-9])",
)
_GAPS = re.compile(r"%20|[ +-]")
_ISSUED = re.compile(
    r"(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|220[0-4]\d{12,15}"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11,16}|35(?:2[89]|[3-8]\d)\d{12,15}|6(?:011|5\d\d|4[4-9]\d)\d{12,15}"
    r"|62\d{14,17}|(?:50(?:18|20|38)|5893|6304|6759|676[1-3])\d{9,15})\Z",
)
"""Prefixes and lengths of the issuers (ISO/IEC 7812): a time in nanoseconds has none of them."""
_SPAN_ID_BEFORE = re.compile(r"(?i:span_?id)\W{0,4}\Z")


def hide_enclosing_forms(text: str) -> str:
    """What may hold or look like a key with its value, and so goes before these."""
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub(REDACTED, text)
    if "@" in text and "://" in text:
        text = _URL_CREDENTIALS.sub(f"://{REDACTED}@", text)
    return text


def hide_known_forms(text: str, lower: str, e_mail: Callable[[str], str] | None) -> str:
    """`lower` is the text in lower case, or what it was made from; `e_mail` gives what stands for an address."""
    # Each pattern is tried only on text that holds what all its matches hold.
    if "eyJ" in text:
        text = _JSON_WEB_TOKEN.sub(REDACTED, text)
    for character, tokens in (("-", _WITH_DASH), ("_", _WITH_UNDERSCORE), ("A", _WITH_CAPITAL_A)):
        if character in text:
            for beginning, pattern in tokens:
                if beginning in text:
                    text = pattern.sub(REDACTED, text)
    if "bearer" in lower or "basic" in lower:
        text = _SCHEME.sub(_hide_scheme, text)
    if "@" in text or "%40" in text:
        replacement = (lambda found: e_mail(found[0].replace("%40", "@"))) if e_mail else REDACTED
        text = _E_MAIL.sub(replacement, text)
    # Far quicker than to search with a pattern for a digit and what follows.
    if _LONG_NUMBER in text.encode("ascii", "replace").translate(_DIGITS_ALIKE, b" +-%"):
        return _hide_cards(text)
    return text


def _hide_scheme(found: re.Match[str]) -> str:
    basic = found["scheme"][1] in "aA"
    return found[0] if basic and _PROSE.match(found["token"]) else f"{found['scheme']}{REDACTED}"


def _hide_cards(text: str) -> str:
    parts, done, position = [], 0, 0
    while found := _CARD.search(text, position):
        start, end = found.span()
        position = start + 1
        if found["more"] and not _is_card(found[0]):
            end = found.start("more")  # a card, then a number of its own
        if _is_card(text[start:end]) and not _SPAN_ID_BEFORE.search(text, max(0, start - 12), start):
            parts += [text[done:start], REDACTED]
            done = position = end
    return "".join([*parts, text[done:]]) if parts else text


def _is_card(spelled: str) -> bool:
    digits = _GAPS.sub("", spelled)
    return bool(_ISSUED.match(digits)) and _luhn([int(digit) for digit in digits])


def _luhn(digits: list[int]) -> bool:
    """ISO/IEC 7812-1, annex B: the check digit of card numbers."""
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004  # cross sum of 2 x digit
    return (sum(doubled) + sum(digits[::-2])) % 10 == 0
