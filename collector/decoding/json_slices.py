"""Cutting a large OTLP/JSON request into small ones, so that no parser holds all of it at once.

The way from the request to its records is walked over the text; what lies beside it is skipped by regular expressions
and copied into the slices. A JSON parser reads every slice, so what was only skipped here is checked there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson

from collector.decoding.batch import MalformedBodyError
from collector.decoding.slices import MAX_ENVELOPE_BYTES, MAX_ENVELOPES, MAX_RECORD_BYTES, Slice

_PATHS = {
    "resourceSpans": ("scopeSpans", "spans"),
    "resourceMetrics": ("scopeMetrics", "metrics"),
    "resourceLogs": ("scopeLogs", "logRecords"),
}

_BLANK = re.compile(rb"[ \t\n\r]*+")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb'[^\s,:"{}\[\]]++')


@dataclass(slots=True)
class _Node:
    """An object on the way: the text of its other members, and its children."""

    envelope: list[bytes] = field(default_factory=list)
    key: str = ""
    children: list[_Node] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)
    """Start and end of records that stand side by side: of millions no list is made."""

    def around(self, inner: bytes) -> bytes:
        members = [*self.envelope, *([b'"%s":[%s]' % (self.key.encode(), inner)] if self.key else [])]
        return b"{" + b",".join(members) + b"}"


def cut(body: bytes, slice_bytes: int) -> Iterator[Slice]:
    """Requests whose records are those of `body`, in its order; raise MalformedBodyError."""
    yield from _Cutter(body, slice_bytes).slices()


class _Cutter:
    def __init__(self, body: bytes, slice_bytes: int) -> None:
        self._body = body
        self._slice_bytes = slice_bytes
        self._nodes = 0

    def slices(self) -> Iterator[Slice]:
        request = _Node()
        end = self._object(self._blank(0), request, lambda key: key in _PATHS)
        if self._blank(end) != len(self._body):
            raise self._unexpected(end, "the end of the body")
        if not request.children:
            yield Slice(request.around(b""))
        for resource in request.children:
            if not resource.children:
                yield Slice(request.around(resource.around(b"")))
            for scope in resource.children:
                for records, oversized in self._runs(scope, request, resource):
                    yield Slice(request.around(resource.around(scope.around(records))), oversized)

    def _runs(self, scope: _Node, request: _Node, resource: _Node) -> Iterator[tuple[bytes, bool]]:
        around = sum(len(part) for node in (scope, request, resource) for part in node.envelope)
        if around > MAX_ENVELOPE_BYTES:
            raise MalformedBodyError(
                f"{around} bytes around the records of a scope, expected at most {MAX_ENVELOPE_BYTES}. "
                "Send fewer or shorter resource attributes.",
            )
        room = max(self._slice_bytes, around)
        gathered: list[bytes] = []
        size = 0
        for start, end in scope.runs:
            if gathered and size + end - start > room:
                yield b",".join(gathered), False
                gathered, size = [], 0
            if end - start > MAX_RECORD_BYTES:
                yield self._oversized(start, end, scope), True
            else:
                gathered.append(self._body[start:end])
                size += end - start
        if gathered or not scope.runs:
            yield b",".join(gathered), False

    def _oversized(self, start: int, end: int, scope: _Node) -> bytes:
        if scope.key == "metrics":
            raise MalformedBodyError(
                f"byte {start}: a metric of {end - start} bytes, expected at most {MAX_RECORD_BYTES} in JSON. "
                "Send its data points in several requests, or as protobuf.",
            )
        return b"{}"

    def _object(self, position: int, node: _Node, on_the_way: Callable[[str], bool]) -> int:
        """Read the object at `position` into `node`; the position behind it."""
        position = self._expect(position, b"{")
        if self._body[position : position + 1] == b"}":
            return position + 1
        while True:
            member = position
            key, position = self._key(position)
            if on_the_way(key):
                node.key, node.children, node.runs = key, [], []
                position = self._children(position, node)
            else:
                position = self._skip(position)
                node.envelope.append(self._body[member:position])
            position = self._blank(position)
            separator = self._body[position : position + 1]
            if separator == b"}":
                return position + 1
            position = self._expect(position, b",")

    def _children(self, position: int, node: _Node) -> int:
        if self._body.startswith(b"null", position):
            node.key = ""
            return position + 4
        position = self._expect(position, b"[")
        if self._body[position : position + 1] == b"]":
            return position + 1
        while True:
            position = self._blank(self._child(position, node))
            if self._body[position : position + 1] == b"]":
                return position + 1
            position = self._expect(position, b",")

    def _child(self, position: int, node: _Node) -> int:
        if node.key in _PATHS:
            return self._inner(position, node, _PATHS[node.key][0])
        if node.key.startswith("scope"):
            wanted = next(record for scope, record in _PATHS.values() if scope == node.key)
            return self._inner(position, node, wanted)
        end = self._skip(position)
        start = node.runs[-1][0] if node.runs else position
        if node.runs and end - start <= self._slice_bytes:
            node.runs[-1] = (start, end)
        else:
            node.runs.append((position, end))
        return end

    def _inner(self, position: int, node: _Node, wanted: str) -> int:
        self._nodes += 1
        if self._nodes > MAX_ENVELOPES:
            raise MalformedBodyError(f"more than {MAX_ENVELOPES} resources and scopes. Send smaller requests.")
        child = _Node()
        node.children.append(child)
        return self._object(position, child, lambda key: key == wanted)

    def _key(self, position: int) -> tuple[str, int]:
        found = _STRING.match(self._body, position)
        if found is None:
            raise self._unexpected(position, "a key")
        try:
            key: str = orjson.loads(found[0])
        except orjson.JSONDecodeError as error:
            raise MalformedBodyError(f"byte {position}: not valid JSON: {str(error)[:80]}") from error
        return key, self._expect(self._blank(found.end()), b":")

    def _skip(self, position: int) -> int:
        """The position behind the value at `position`."""
        first = self._body[position : position + 1]
        if first not in {b"{", b"["}:
            found = (_STRING if first == b'"' else _SCALAR).match(self._body, position)
            if found is None:
                raise self._unexpected(position, "a value")
            return found.end()
        depth = 0
        for token in _TOKEN.finditer(self._body, position):
            character = token[0]
            if character in {b"{", b"["}:
                depth += 1
            elif character in {b"}", b"]"}:
                depth -= 1
                if depth == 0:
                    return token.end()
        raise self._unexpected(len(self._body), "the end of a value")

    def _blank(self, position: int) -> int:
        found = _BLANK.match(self._body, position)
        return found.end() if found else position

    def _expect(self, position: int, character: bytes) -> int:
        """Behind `character` and the blanks that follow it."""
        if self._body[position : position + 1] != character:
            raise self._unexpected(position, f"'{character.decode()}'")
        return self._blank(position + 1)

    def _unexpected(self, position: int, expected: str) -> MalformedBodyError:
        return MalformedBodyError(f"not valid JSON: byte {position}: expected {expected}")
