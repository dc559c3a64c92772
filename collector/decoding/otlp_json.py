"""OTLP/JSON to the same protobuf messages, by tables made from their descriptors.

`google.protobuf.json_format` reads another dialect: there ids are base64, enums have names, keys may be snake_case,
unknown fields are errors. Here, as the protocol's specification has it ("JSON Protobuf Encoding"), ids are hex, enums
integers, keys lowerCamelCase, unknown fields ignored; of duplicate keys and of two members of a oneof the last wins.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, EncodeError

from collector.decoding.batch import MalformedBodyError
from collector.decoding.json_slices import cut
from collector.decoding.slices import SLICE_BYTES, Slice

_ID_BYTES = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
_PROFILES_ONLY = frozenset({"key_strindex", "string_value_strindex"})
_INTEGER = re.compile(r"-?\d{1,20}", re.ASCII)
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MAX_DEPTH = 100
"""Messages within messages, as protobuf's own parser bounds them."""
_SHOWN = 40


class _InvalidValueError(Exception):
    """Found on the way down, named on the way up."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.path: list[str] = []


class _Field(NamedTuple):
    name: str
    json_name: str
    repeated: bool
    table: Descriptor | None
    """Of a message field: the message's descriptor."""
    read: Callable[[Any], Any]


def parse_json(body: bytes, message: type[Any], *, slice_bytes: int = SLICE_BYTES) -> Iterator[Slice]:
    """Protobuf requests that together mean `body`, each made of about `slice_bytes` of it.

    Raise MalformedBodyError, which names the place; list all before you store any.
    """
    texts = cut(body, slice_bytes) if len(body) > slice_bytes else [Slice(body)]
    for text in texts:
        yield Slice(_protobuf(text.request, message), text.oversized)


def _protobuf(text: bytes, message: type[Any]) -> bytes:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedBodyError(f"not valid JSON: {str(error)[:120]}") from error
    if not isinstance(content, dict):
        raise MalformedBodyError(f"expected a JSON object, not {_shown(content)}")
    request = message()
    try:
        _fill(request, content, 1)
        encoded: bytes = request.SerializeToString()
        message.FromString(encoded)
    except _InvalidValueError as error:
        raise MalformedBodyError(f"{''.join(reversed(error.path)).lstrip('.')}: {error}") from error
    except (DecodeError, EncodeError) as error:
        raise MalformedBodyError("values are nested deeper than 31 levels") from error
    return encoded


@cache
def _table(descriptor: Descriptor) -> dict[str, _Field]:
    return {
        field.json_name: _Field(
            field.name,
            field.json_name,
            field.is_repeated,
            field.message_type,
            _reader(field),
        )
        for field in descriptor.fields
        if field.name not in _PROFILES_ONLY
    }


def _fill(message: Any, content: dict[str, Any], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _InvalidValueError("nested too deep, expected at most 31 levels of values")
    table = _table(message.DESCRIPTOR)
    for key, value in content.items():
        field = table.get(key)
        if field is None or value is None:
            continue
        try:
            if field.repeated:
                _fill_repeated(getattr(message, field.name), field, value, depth)
            elif field.table is not None:
                part = getattr(message, field.name)
                part.SetInParent()
                _fill(part, _object(value), depth + 1)
            else:
                setattr(message, field.name, field.read(value))
        except _InvalidValueError as error:
            error.path.append(f".{field.json_name}")
            raise
        except ValueError as error:
            # protobuf's own word on a number out of range or text that is no Unicode
            raise _at(_InvalidValueError(str(error)[:120]), field) from error


def _fill_repeated(target: Any, field: _Field, values: Any, depth: int) -> None:
    if not isinstance(values, list):
        raise _InvalidValueError(f"{_shown(values)} is not an array")
    for index, value in enumerate(values):
        try:
            if field.table is not None:
                _fill(target.add(), _object(value), depth + 1)
            else:
                target.append(field.read(value))
        except _InvalidValueError as error:
            error.path.append(f"[{index}]")
            raise


def _at(error: _InvalidValueError, field: _Field) -> _InvalidValueError:
    error.path.append(f".{field.json_name}")
    return error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _InvalidValueError(f"{_shown(value)} is not an object")
    return value


def _reader(field: FieldDescriptor) -> Callable[[Any], Any]:
    size = _ID_BYTES.get(field.name)
    if size is not None and field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: _identifier(value, size)
    return _READERS.get(field.type, _object)


def _identifier(value: Any, size: int) -> bytes:
    if isinstance(value, str):
        try:
            content = binascii.unhexlify(value)
        except ValueError:
            content = b"-"
        if len(content) in {0, size}:
            return content
    raise _InvalidValueError(f"{_shown(value)} is not a hex id of {size} bytes")


def _base64(value: Any) -> bytes:
    if isinstance(value, str):
        standard = value.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
        except ValueError:
            pass
    raise _InvalidValueError(f"{_shown(value)} is not base64")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _InvalidValueError(f"{_shown(value)} is not a string")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _InvalidValueError(f"{_shown(value)} is not true or false")
    return value


def _double(value: Any) -> float:
    if isinstance(value, str):
        try:
            return _SPECIAL[value] if value in _SPECIAL else _finite(value)
        except ValueError:
            pass
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise _InvalidValueError(f"{_shown(value)} is not a number")


def _finite(value: str) -> float:
    number = float(value)
    if not math.isfinite(number) or value != value.strip() or "_" in value:
        raise ValueError(value)
    return number


def _integer(value: Any) -> int:
    """A JSON number or a decimal string; protobuf checks the range when it is set."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return _enumerator(value)


def _enumerator(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _InvalidValueError(f"{_shown(value)} is not an integer")
    return value


_READERS: dict[int, Callable[[Any], Any]] = {
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BYTES: _base64,
    FieldDescriptor.TYPE_BOOL: _boolean,
    FieldDescriptor.TYPE_ENUM: _enumerator,
    FieldDescriptor.TYPE_DOUBLE: _double,
    FieldDescriptor.TYPE_INT32: _integer,
    FieldDescriptor.TYPE_UINT32: _integer,
    FieldDescriptor.TYPE_SINT32: _integer,
    FieldDescriptor.TYPE_INT64: _integer,
    FieldDescriptor.TYPE_UINT64: _integer,
    FieldDescriptor.TYPE_FIXED32: _integer,
    FieldDescriptor.TYPE_FIXED64: _integer,
    FieldDescriptor.TYPE_SFIXED64: _integer,
}


def _shown(value: Any) -> str:
    """A hostile value, short enough for a message."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = orjson.dumps(value[:_SHOWN] if isinstance(value, str) else value).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
