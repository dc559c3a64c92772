"""Attributes and values of stored records as OTLP has them: the other direction of `collector.decoding.values`."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from collector.decoding.messages import AnyValue as LeanAnyValue

_MEMO_BYTES = 4_000_000
_MEMO_TEXT_BYTES = 512
_SHORT = 127

MOST_LEVELS = 31
"""Lists and objects within each other, as our own receivers take them. What is nested deeper is sent on as JSON text.

An object is three messages within each other, of which protobuf's parsers take 100.
"""

_SCALARS: dict[type, str] = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}

Pair = tuple[str, Any]


class _Pairs(dict[Pair, bytes]):
    """Key and value to the bytes of their KeyValue, in bounded memory; for values of one type."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = 0

    def __missing__(self, pair: Pair) -> bytes:
        encoded = _short_text(*pair) or _key_value(*pair)
        if len(encoded) <= _MEMO_TEXT_BYTES:
            self._bytes += 2 * len(encoded)
            if self._bytes > _MEMO_BYTES:
                self.clear()
                self._bytes = 2 * len(encoded)
            self[pair] = encoded
        return encoded


class Attributes:
    """Objects of attributes as serialised KeyValues; equal ones are built once."""

    def __init__(self) -> None:
        # True is 1 to a dict: each type has its own.
        self._texts, self._integers, self._flags = _Pairs(), _Pairs(), _Pairs()

    def __call__(self, content: Mapping[str, Any], levels: int = MOST_LEVELS) -> list[bytes]:
        """Raise KeyError, TypeError or ValueError for what no record of ours holds."""
        texts = self._texts
        return [
            texts[key, value] if value.__class__ is str else self._other(key, value, levels)
            for key, value in content.items()
        ]

    def _other(self, key: str, value: Any, levels: int) -> bytes:
        if value.__class__ is int:
            return self._integers[key, value]
        if value.__class__ is bool:
            return self._flags[key, value]
        return _key_value(key, value, levels)


def _short_text(key: str, value: Any) -> bytes | None:
    """What ids and addresses are, written without a message for each; None for all else.

    https://protobuf.dev/programming-guides/encoding/: key is field 1, value field 2, its string_value field 1; a length
    below 128 is one byte.
    """
    if value.__class__ is not str:
        return None
    name, text = key.encode(), value.encode()
    if len(name) > _SHORT or len(text) > _SHORT - 2:
        return None
    return b"\x0a%c%b\x12%c\x0a%c%b" % (len(name), name, len(text) + 2, len(text), text)


def _key_value(key: str, value: Any, levels: int = MOST_LEVELS) -> bytes:
    return KeyValue(key=key, value=any_value(value, levels)).SerializeToString()


def any_value(content: Any, levels: int = MOST_LEVELS) -> AnyValue:
    """Raise KeyError, TypeError or ValueError for what no record of ours holds."""
    if content is None:
        return AnyValue()
    if isinstance(content, list):
        if not levels:
            return _as_text(content)
        return AnyValue(array_value=ArrayValue(values=[any_value(one, levels - 1) for one in content]))
    if isinstance(content, Mapping):
        return _of_object(content, levels)
    return AnyValue(**{_SCALARS[content.__class__]: content})


def _of_object(content: Mapping[str, Any], levels: int) -> AnyValue:
    if len(content) == 1:
        ((form, inner),) = content.items()
        if form == "bytesValue":
            return AnyValue(bytes_value=base64.b64decode(inner))
        if form == "doubleValue":
            return AnyValue(double_value=float(inner))
        if form == "kvlistValue":
            content = inner
    if not levels:
        return _as_text(content)
    pairs = [KeyValue(key=key, value=any_value(one, levels - 1)) for key, one in content.items()]
    return AnyValue(kvlist_value=KeyValueList(values=pairs))


def _as_text(content: Any) -> AnyValue:
    return AnyValue(string_value=orjson.dumps(content).decode())


def body(content: Any) -> Any:
    """A log record's, as the lean LogRecord takes it."""
    if content.__class__ is str:
        return {"string_value": content}
    return LeanAnyValue.FromString(any_value(content).SerializeToString())


def number(content: Any) -> float:
    """A double, of its one-key form too."""
    return float(content["doubleValue"]) if isinstance(content, dict) else float(content)


def numbers(contents: Iterable[Any]) -> list[float]:
    return [number(content) for content in contents]


def identifier(record: Mapping[str, Any], field: str) -> bytes:
    """A trace's or span's; empty where the record has none."""
    return bytes.fromhex(record.get(field, ""))
