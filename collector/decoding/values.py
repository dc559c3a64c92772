"""OTLP values as JSON has them, redacted and within limits.

What JSON can't carry has a one-key form, named as in OTLP/JSON: bytes are `{"bytesValue": "<base64>"}`, NaN and the
infinities `{"doubleValue": "NaN"}`. A kvlist that looks like such a form stands in `{"kvlistValue": {…}}`. Integers are
written without a point and doubles with one, so that each comes back as it was.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

from google.protobuf.message import DecodeError

from collector.decoding.batch import DecodingLimits, MalformedBodyError
from collector.decoding.messages import KeyValue, SerializedKeyValue
from instrumentation.redaction import REDACTED, Redactor

ONE_KEY_FORMS = frozenset({"bytesValue", "doubleValue", "kvlistValue"})

_LOOKAHEAD = 8192
"""Characters beyond the limit of a huge text that are redacted too: what is hidden may let others move up."""
_SEAM = 1024
"""Characters dropped where a huge text was cut before redaction: half a secret there has no form to know it by."""
_MEMO_BYTES = 1_500_000
_MEMO_PAIR_BYTES = 1024
_KNOWN_KEYS = 10_000
_MAX_NESTING = 31
"""Levels of arrays and kvlists in one value: as many kvlists as protobuf's own parser takes in a span."""


class _Attributes(dict[SerializedKeyValue, tuple[str, Any]]):
    """Serialised attribute to key and finished value; what it does not know it reads, in bounded memory."""

    def __init__(self, read: Callable[[SerializedKeyValue], tuple[str, Any]]) -> None:
        super().__init__()
        self._read = read
        self._bytes = 0

    def __missing__(self, pair: SerializedKeyValue) -> tuple[str, Any]:
        known = self._read(pair)
        if len(pair) <= _MEMO_PAIR_BYTES:
            self._bytes += len(pair)
            if self._bytes > _MEMO_BYTES:
                self.clear()
                self._bytes = len(pair)
            self[pair] = known
        return known


class Values:
    """Reads attributes and values for the records of one signal; safe for several threads.

    Its methods raise MalformedBodyError for what only looks like an attribute.
    """

    def __init__(self, redactor: Redactor | None, limits: DecodingLimits) -> None:
        self._redactor = redactor
        self._redacted = redactor.text if redactor else _unchanged
        # What the memo of attributes holds need not be remembered twice.
        self._newly_redacted = redactor.redact if redactor else _unchanged
        self._count = limits.attribute_count
        self._length = limits.attribute_value_length
        self._body_length = limits.body_length
        self._known = _Attributes(self._read).__getitem__
        self._keys: dict[str, tuple[str, bool]] = {}

    def attributes(self, pairs: Sequence[SerializedKeyValue]) -> tuple[dict[str, Any], int]:
        """The attributes, the last of equal keys, and how many were dropped beyond the limit."""
        found = dict(map(self._known, pairs))
        dropped = len(found) - self._count
        if dropped <= 0:
            return found, 0
        return dict(list(found.items())[: self._count]), dropped

    def body(self, value: Any) -> Any:
        """A log record's body."""
        return self._value(value, self._body_length, 0)

    def text(self, text: str) -> str:
        """Any text of a record but its body."""
        return self._cut(text, self._length) if len(text) > self._length else self._redacted(text)

    def _read(self, pair: SerializedKeyValue, nesting: int = 0) -> tuple[str, Any]:
        try:
            message = KeyValue.FromString(pair)
        except DecodeError as error:
            raise MalformedBodyError(f"an attribute is cut off or has text that is not UTF-8: {error}") from error
        name = message.key
        key, sensitive = self._keys.get(name) or self._learn(name)
        sent = message.value
        value: Any = sent.string_value
        if not value or len(value) > self._length:
            value = self._value(sent, self._length, nesting)
        elif not sensitive:
            value = self._newly_redacted(value)
        return key, (REDACTED if sensitive and value is not None else value)

    def _learn(self, name: str) -> tuple[str, bool]:
        """Keys are few: each is looked at once."""
        if len(self._keys) >= _KNOWN_KEYS:
            self._keys.clear()
        sensitive = self._redactor is not None and self._redactor.is_sensitive(name)
        known = self._keys[name] = (self.text(name), sensitive)
        return known

    def _value(self, value: Any, length: int, nesting: int) -> Any:
        kind = value.WhichOneof("value")
        if kind == "int_value":
            return value.int_value
        if kind == "string_value":
            text = value.string_value
            return self._cut(text, length) if len(text) > length else self._redacted(text)
        if kind in {"kvlist_value", "array_value"}:
            return self._nested(kind, getattr(value, kind).values, length, nesting + 1)
        if kind == "bytes_value":
            return self._bytes(value.bytes_value[:length])
        if kind == "double_value":
            return number(value.double_value)
        # What only the profiles signal uses stands for no value here.
        return value.bool_value if kind == "bool_value" else None

    def _nested(self, kind: str, values: Sequence[Any], length: int, nesting: int) -> Any:
        if nesting > _MAX_NESTING:
            raise MalformedBodyError(f"a value is nested deeper than {_MAX_NESTING} levels")
        if kind == "array_value":
            return [self._value(element, length, nesting) for element in values[: self._length]]
        found = dict(self._read(pair, nesting) for pair in values[: self._length])
        if len(found) == 1 and not ONE_KEY_FORMS.isdisjoint(found):
            return {"kvlistValue": found}
        return found

    def _bytes(self, content: bytes) -> dict[str, str]:
        text = content.decode("utf-8", "surrogateescape")
        redacted = self._redacted(text)
        if redacted is not text:
            content = redacted.encode("utf-8", "surrogateescape")
        return {"bytesValue": base64.b64encode(content).decode("ascii")}

    def _cut(self, text: str, length: int) -> str:
        if len(text) <= length + _LOOKAHEAD:
            return self._redacted(text)[:length]
        redacted = self._redacted(text[: length + _LOOKAHEAD])
        return redacted[: min(length, max(0, len(redacted) - _SEAM))]


def number(value: float) -> Any:
    """A double, in its one-key form where JSON has none."""
    if isfinite(value):
        return value
    return {"doubleValue": "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"}  # noqa: PLR0124  # NaN is unlike itself


def numbers(values: Iterable[float]) -> list[Any]:
    return [number(value) for value in values]


def _unchanged(text: str) -> str:
    return text
