from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from instrumentation.export.wire import delimited
from instrumentation.redaction import Redactor

_MEMO_ENTRIES = 4096
_MEMO_LENGTH = 256
_DEEPEST = 16
"""Levels of maps and lists; the sidecar refuses more than 31."""


class AttributeEncoder:
    """Redacts and encodes attributes; most of them are the same from record to record, so their bytes are remembered.

    For the one thread that encodes: nothing is locked.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._memo: dict[tuple[bytes, str, type, Any], bytes] = {}
        self._keys: dict[str, bytes] = {}

    def fields(self, tag: bytes, attributes: Mapping[str, Any]) -> list[bytes]:
        """Each attribute as a field with this tag, to be joined into its message."""
        memo, encoded = self._memo, []
        for key, value in attributes.items():
            kind = value.__class__
            if kind is str or kind is int or kind is bool:
                name = (tag, key, kind, value)
                field = memo.get(name)
                if field is None:
                    field = self._field(tag, key, value)
                    if kind is not str or len(value) <= _MEMO_LENGTH:
                        self._remember(name, field)
                encoded.append(field)
            elif value is not None:
                encoded.append(self._field(tag, key, value))
        return encoded

    def _remember(self, name: tuple[bytes, str, type, Any], field: bytes) -> None:
        if len(self._memo) >= _MEMO_ENTRIES:
            self._memo.clear()
        self._memo[name] = field

    def _field(self, tag: bytes, key: str, value: Any) -> bytes:
        if value.__class__ is str and key.__class__ is str:  # nearly all, and not worth message objects
            redacted = utf8(self._redactor.value(key, value))
            return delimited(tag, self._key(key) + delimited(b"\x12", delimited(b"\x0a", redacted)))
        encoded = KeyValue(value=any_value(self.value(value, key))).SerializeToString()
        return delimited(tag, self._key(key) + encoded)

    def _key(self, key: str) -> bytes:
        known = self._keys.get(key)
        if known is None:
            known = delimited(b"\x0a", self.utf8(str(key)))
            if len(self._keys) >= _MEMO_ENTRIES:
                self._keys.clear()
            self._keys[key] = known
        return known

    def messages(self, attributes: Mapping[str, Any]) -> list[KeyValue]:
        """As the generated classes, for messages that are rare."""
        return [
            KeyValue(key=self.text(key), value=any_value(self.value(held, key))) for key, held in attributes.items()
        ]

    def text(self, text: str) -> str:
        return _encodable(self._redactor.text(text))

    def utf8(self, text: str) -> bytes:
        return utf8(self._redactor.text(text))

    def value(self, value: Any, key: str = "") -> Any:
        """What may leave of a value: turned into plain types first, since an object's text may hold anything."""
        return self._redactor.value(key, plain(value))


def plain(value: Any, depth: int = _DEEPEST) -> Any:
    """The value of what OTLP has types for; the rest becomes text: other objects, huge integers, what lies too deep."""
    if value is None or isinstance(value, str | bool | float | bytes):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if depth and isinstance(value, Mapping):
        return {_shown(key): plain(held, depth - 1) for key, held in value.items()}
    if depth and isinstance(value, Sequence | AbstractSet):
        return [plain(element, depth - 1) for element in value]
    return _shown(value)


def _shown(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # an object that can't be shown costs nobody the record
        return f"<{type(value).__qualname__}>"


def any_value(value: Any) -> AnyValue:
    """Of what `plain` returns."""
    match value:
        case str():
            return AnyValue(string_value=_encodable(value))
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
    return _nested(value)


def _nested(value: Any) -> AnyValue:
    if isinstance(value, dict):
        pairs = [KeyValue(key=_encodable(key), value=any_value(held)) for key, held in value.items()]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(element) for element in value]))
    return AnyValue()


def _encodable(text: str) -> str:
    return utf8(text).decode()


def utf8(text: str) -> bytes:
    """Lone surrogates, as from file names, have none and are escaped."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")
