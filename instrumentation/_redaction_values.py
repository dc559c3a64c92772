"""Values under sensitive keys inside a text: `password=…`, `'authorization': '…'`, `?token=…`, `Cookie: …`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from instrumentation._redaction_forms import REDACTED
from instrumentation._redaction_keys import TRIGGERS, may_hold, signs_address

_LONGEST_KEY = 64

_KEY_END = re.compile(r"(?P<key>[\w.%$-]{1,64}+)(?P<between>\]?\\*+[\"']?[ \t]*+(?::=|=>|={1,3}+|:(?!:|//))[ \t]*+)?")
_KEY_START_REVERSED = re.compile(r"[\w.%$-]*+")
_SPACES = re.compile(r"[ \t]++(?![-\s])")
_KEY_OF_TWO_WORDS = frozenset({"key", "keys", "pass", "tokens"})

_QUOTED = re.compile(
    r"[bBfFrRuU]{0,2}(?:\"(?P<double>(?:[^\"\\\r\n]++|\\[^\r\n]|\"\")*+)|'(?P<single>(?:[^'\\\r\n]++|\\[^\r\n]|'')*+)"
    r"|(?P<quote>\\++[\"'])(?P<escaped>(?:[^\"'\\\r\n]++|(?!(?<!\\)(?P=quote))[^\r\n])*+))",
)
_PAIR = re.compile(
    r"(?P<start>[(\[]\s*+b?(?P<mark>\\{0,7}+[\"'])(?P<key>[\w.%$-]++)(?P=mark)\s*+,\s*+b?(?P<quote>\\{0,7}+[\"']))"
    r"(?:(?!(?<!\\)(?P=quote))[^\r\n])++(?P<end>(?P=quote)\s*+[)\]])",
)
"""`(b'cookie', b'a=b')`, as headers are printed."""
_BRACKETS = re.compile(r"\\++[\"']?|\"(?:[^\"\\\r\n]|\\.)*+\"|'(?:[^'\\\r\n]|\\.)*+'|[\[\]{}]")
_QUERY = re.compile(r"[^&#\s\"'<>\\]++")
_PLAIN = re.compile(
    # A comma, bracket or quote belongs to the value unless what follows shows that the value ends there.
    r"(?:(?i:bearer|basic|digest|negotiate|token|apikey)[ \t]+)?"
    r"(?:[^\s&,;\"'()\[\]{}\\]++|[,;](?!\s|\Z|[\w.$%-]*+[\"']?[=:])|[\"')\]}](?![\s,;.:)\]}\"'&\\]|\Z)|[(\[{]"
    r"|\\++(?![\"']))+",
)
_PAIRS_TO_END_OF_LINE = re.compile(r"(?:[^\r\n\"'\\]|\\(?![rn\"'\\])|[\"'](?![ \t]*+(?:[,)\]}\r\n]|\Z)))+")
_AUTHORIZATION = re.compile(
    # Schemes of many parts take the line; else a scheme and its credentials, or these alone.
    rf"(?i:aws4-|digest|hawk|oauth|signature)[^\r\n]*|{_PLAIN.pattern}(?:[ \t]+{_PLAIN.pattern})?",
)
_NO_SECRET = re.compile(
    # Placeholders of SQL, constants, and type annotations in the source lines of a stack trace.
    r"(?:\?|%s|%\(\w+\)s|\$\d+|:[a-zA-Z_]\w*|None|null|nil|undefined|[Tt]rue|[Ff]alse|str|bytes|bool|int)"
    r"(?=[\s,;&)\]}\"'\\]|\Z)",
)


def hide_values(text: str, lower: str, further: Sequence[str], is_sensitive: Callable[[str], bool]) -> str:
    """`lower` is the text in lower case, character by character; `further` are triggers beside the built-in ones."""
    if "=" not in text and ":" not in text and "," not in text and "--" not in text:
        return text
    present = [trigger for trigger in further if trigger in lower]
    if may_hold(lower):
        present += [trigger for trigger in TRIGGERS if trigger in lower]
    if ("?" in text or "&" in text) and "sig" in lower:
        present.append("sig")
    if not present:
        return text
    text = _hide_after_keys(text, _places(lower, present), is_sensitive)
    if "(" not in text and "[" not in text:
        return text
    return _PAIR.sub(lambda found: _hide_pair(found, is_sensitive), text)


def _places(lower: str, triggers: Sequence[str]) -> list[int]:
    places = []
    for trigger in triggers:
        place = lower.find(trigger)
        while place >= 0:
            places.append(place)
            place = lower.find(trigger, place + 1)
    return sorted(places)


def _hide_after_keys(text: str, places: Sequence[int], is_sensitive: Callable[[str], bool]) -> str:
    parts, done, looked = [], 0, 0
    for place in places:
        if place < looked or not (found := _KEY_END.match(text, place)):
            continue
        looked = found.end()
        hidden = _hidden(text, found, is_sensitive)
        if hidden:
            start, end, replacement = hidden
            parts += [text[done:start], replacement]
            done = looked = end
    return "".join([*parts, text[done:]]) if parts else text


def _hidden(text: str, found: re.Match[str], is_sensitive: Callable[[str], bool]) -> tuple[int, int, str] | None:
    start = _start_of_key(text, found.start())
    key, before = text[start : found.end("key")], text[start - 1 : start] if start else ""
    if found["between"] is None:
        # `--password hunter2`; without the dashes it would be prose.
        spaces = _SPACES.match(text, found.end()) if key.startswith("--") else None
        return _hidden_value(text, spaces.end(), key) if spaces and is_sensitive(key) else None
    in_query = before in {"?", "&"}
    if not is_sensitive(_with_word_before(text, start, key)):
        if not (in_query or start == 0) or not signs_address(key):
            return None
    elif before == "/" and ":" in found["between"]:
        return None  # `POST /oauth/token: 401`
    if in_query:
        value = _QUERY.match(text, found.end())
        return (value.start(), value.end(), REDACTED) if value else None
    return _hidden_value(text, found.end(), key)


def _start_of_key(text: str, place: int) -> int:
    before = _KEY_START_REVERSED.match(text[max(0, place - _LONGEST_KEY) : place][::-1])
    return place - (before.end() if before else 0)


def _with_word_before(text: str, start: int, key: str) -> str:
    """`API key: …` has a space in its key."""
    if key.lower() not in _KEY_OF_TWO_WORDS or text[start - 1 : start] != " ":
        return key
    word = text[max(0, start - 16) : start - 1].rpartition(" ")[2]
    return f"{word} {key}" if word.isalpha() else key


def _hidden_value(text: str, start: int, key: str) -> tuple[int, int, str] | None:
    """From where to where the value is that starts here, and what stands in its place."""
    if _NO_SECRET.match(text, start):
        return None
    if quoted := _QUOTED.match(text, start):
        inside = quoted.span(str(quoted.lastgroup))
        return (*inside, REDACTED) if inside[1] > inside[0] else None
    bracket = text[start : start + 1] in {"[", "{"}
    end = _end_of_bracket(text, start) if bracket else _end_of_bare(text, start, key.lower())
    return (start, end, REDACTED) if end > start else None


def _end_of_bracket(text: str, start: int) -> int:
    depth = 0
    for token in _BRACKETS.finditer(text, start):
        depth += (token[0] in {"[", "{"}) - (token[0] in {"]", "}"})
        if depth == 0:
            return token.end() if token.end() > start + len("[]") else start
    return len(text)


def _end_of_bare(text: str, start: int, key: str) -> int:
    if key.endswith(("cookie", "cookies")):
        found = _PAIRS_TO_END_OF_LINE.match(text, start)
    elif key.endswith("authorization"):
        found = _AUTHORIZATION.match(text, start)
    else:
        found = _PLAIN.match(text, start)
    return found.end() if found else start


def _hide_pair(found: re.Match[str], is_sensitive: Callable[[str], bool]) -> str:
    hidden = is_sensitive(found["key"][-_LONGEST_KEY:])
    return f"{found['start']}{REDACTED}{found['end']}" if hidden else found[0]
