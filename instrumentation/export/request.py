from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope as ScopeMessage
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from instrumentation.export.attributes import AttributeEncoder
from instrumentation.export.wire import delimited

_MEMO_ENTRIES = 1024
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Scope = tuple[bytes, str]
"""The encoded InstrumentationScope, and its schema URL."""


class Scopes:
    """Encodes each scope once; there are few, and they live as long as the app."""

    def __init__(self, encoder: AttributeEncoder) -> None:
        self._encoder = encoder
        self._named: dict[str, Scope] = {}
        self._held: dict[int, tuple[InstrumentationScope | None, Scope]] = {}

    def named(self, name: str) -> Scope:
        known = self._named.get(name)
        if known is None:
            known = self._remember(
                self._named, name, (ScopeMessage(name=self._encoder.text(name)).SerializeToString(), "")
            )
        return known

    def of(self, scope: InstrumentationScope | None) -> Scope:
        known = self._held.get(id(scope))
        if known is not None and known[0] is scope:
            return known[1]
        return self._remember(self._held, id(scope), (scope, self._encoded(scope)))[1]

    def _encoded(self, scope: InstrumentationScope | None) -> Scope:
        if scope is None:
            return (b"", "")
        attributes = self._encoder.messages(scope.attributes or {})
        message = ScopeMessage(name=scope.name, version=scope.version or "", attributes=attributes)
        return (message.SerializeToString(), scope.schema_url or "")

    def _remember(self, memo: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
        if len(memo) >= _MEMO_ENTRIES:
            memo.clear()
        memo[key] = value
        return value


def resource_message(attributes: Mapping[str, Any], encoder: AttributeEncoder) -> Resource:
    return Resource(attributes=encoder.messages(attributes))


def request(resource: bytes, schema_url: str, scopes: Mapping[Scope, Iterable[bytes]]) -> bytes:
    """An export request of one resource: those of spans and of log records have the same numbers for their fields.

    `scopes` holds the records of each scope, encoded as fields.
    """
    groups = b"".join(delimited(b"\x12", _scope_group(scope, records)) for scope, records in scopes.items())
    end = delimited(b"\x1a", schema_url.encode()) if schema_url else b""
    return delimited(b"\x0a", delimited(b"\x0a", resource) + groups + end)


def _scope_group(scope: Scope, records: Iterable[bytes]) -> bytes:
    message, schema_url = scope
    end = delimited(b"\x1a", schema_url.encode()) if schema_url else b""
    return delimited(b"\x0a", message) + b"".join(records) + end
