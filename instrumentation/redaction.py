"""Secrets and personal data out of telemetry: by the name of a key, and by the form of a text.

It catches what stands under a telling key or has a known form; that some other free text is a secret it can't know.
Standard library only: the app imports it, and so does the collector's decoder. Every pattern takes linear time:
where one could run on, a possessive quantifier or a bound stops it.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from instrumentation import _redaction_keys as keys_by_words
from instrumentation._redaction_forms import REDACTED, hide_enclosing_forms, hide_known_forms
from instrumentation._redaction_values import hide_values

__all__ = ["REDACTED", "Redactor"]

_MEMO_ENTRIES = 8192
_MEMO_LENGTH = 256
_SHORTEST_SECRET = 5
"""Characters: `pwd=x`."""
_MOST_PASSES = 5
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


_Answer = TypeVar("_Answer")


class _Memo(dict[str, _Answer]):
    """Asks for what it does not know, and forgets all at its bound; one look into a dict for what it knows."""

    def __init__(self, ask: Callable[[str], _Answer]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, text: str) -> _Answer:
        known = self._ask(text)
        if len(text) <= _MEMO_LENGTH:
            if len(self) >= _MEMO_ENTRIES:
                self.clear()
            self[text] = known
        return known


class Redactor:
    """Safe for several threads; what it has seen it remembers in bounded memory."""

    is_sensitive: Callable[[str], bool]
    """Whether the value under this key is hidden whatever it is."""
    text: Callable[[str], str]
    """The text without what looks like a secret; the very same object if there is none."""

    def __init__(self, *, keys: Iterable[str] = (), e_mail: Callable[[str], str] | None = None) -> None:
        """`keys` are further names that hide their values, matched as words like the built-in ones.

        `e_mail` gives what stands for an address, where that should still tell two of them apart.
        """
        self._e_mail = e_mail
        further = [words for key in keys if (words := keys_by_words.words(key))]
        self._further = tuple(f" {' '.join(words)} " for words in further)
        self._triggers = [max(words, key=len) for words in further]
        self._keys = _Memo(lambda key: keys_by_words.is_sensitive(key, self._further))
        self._texts = _Memo(self.redact)
        # Called some fifteen times a span: the memo's own method is half as dear as one that calls it.
        self.is_sensitive = self._keys.__getitem__
        self.text = self._texts.__getitem__

    def value(self, key: str, value: Any) -> Any:
        """An attribute's value: hidden whole under a sensitive key (None stays), else searched to its depth."""
        if isinstance(value, str):
            return REDACTED if self.is_sensitive(key) else self.text(value)
        if value is None:
            return None
        return REDACTED if self.is_sensitive(key) else self._inside(key, value)

    def redact(self, text: str) -> str:
        """As `text`, for callers that remember the answer themselves."""
        redacted = self._redact_once(text)
        if redacted == text:
            return text
        for _ in range(_MOST_PASSES):  # hiding one secret can uncover the edge of another
            before, redacted = redacted, self._redact_once(redacted)
            if redacted == before:
                break
        return redacted

    def _redact_once(self, text: str) -> str:
        if len(text) < _SHORTEST_SECRET:
            return text
        text = hide_enclosing_forms(text)
        # Values under keys go before the known forms, which would leave the rest of a value behind.
        lower = _lower(text)
        return hide_known_forms(hide_values(text, lower, self._triggers, self.is_sensitive), lower, self._e_mail)

    def _inside(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.text(str(name)): self.value(str(name), held) for name, held in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(key, element) for element in value]
        if isinstance(value, bytes):
            text = value.decode("utf-8", "surrogateescape")
            redacted = self.text(text)
            return value if redacted is text else redacted.encode("utf-8", "surrogateescape")
        return value


def _lower(text: str) -> str:
    lower = text.lower()
    # A few letters of other alphabets grow, and places would no longer agree.
    return lower if len(lower) == len(text) else text.translate(_LOWER)


redact = Redactor().redact
"""With the built-in keys alone."""
