"""Changing single values of a YAML text: everything else stays as it is, comments and blank lines included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

_INDENT = 2
Change = tuple[Sequence[str], Any]
"""The keys (or the numbers in a list) that lead to a value, and the value."""


class UneditableError(Exception):
    """The text is not laid out so that the value could be put there; the message says where."""


def edited(text: str, changes: Iterable[Change]) -> str:
    """With each value at its place; keys that are missing are added. Raise UneditableError."""
    for way, value in changes:
        text = _edited(text, tuple(way), value)
    return text


def _edited(text: str, way: tuple[str, ...], value: Any) -> str:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UneditableError(f"not valid YAML: {str(error).splitlines()[0]}") from error
    end = "\r\n" if "\r\n" in text else "\n"
    if node is None:
        return text + ("" if not text or text.endswith("\n") else end) + _block(_nested(way, value), 0, end)
    shared = _shared(node)
    left = list(way)
    while left:
        inner = _child(node, left[0])
        if id(node) in shared or id(inner) in shared:
            raise UneditableError(
                f"line {node.start_mark.line + 1}: {'.'.join(way)} is shared by an alias; change it there"
            )
        if inner is None:
            return _added(text, node, left[0], _nested(tuple(left[1:]), value), way)
        if _is_empty(inner) and len(left) > 1:
            return _put(text, inner, " " + _flow(_nested(tuple(left[1:]), value)))
        node = inner
        left.pop(0)
    return _put(text, node, _flow(value), way)


def _shared(root: yaml.Node) -> set[int]:
    """The nodes that stand in several places, by an anchor and its aliases."""
    seen: set[int] = set()
    shared: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            shared.add(id(node))
            continue
        seen.add(id(node))
        if isinstance(node, yaml.CollectionNode):
            waiting += [one for inner in node.value for one in (inner if isinstance(inner, tuple) else (inner,))]
    return shared


def _child(node: yaml.Node, key: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((inner for name, inner in node.value if str(name.value) == key), None)
    if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
        found: yaml.Node = node.value[int(key)]
        return found
    return None


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == ""


def _put(text: str, node: yaml.Node, value: str, way: Sequence[str] = ()) -> str:
    """In place of a scalar or of what stands in brackets."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        raise UneditableError(f"line {node.start_mark.line + 1}: {'.'.join(way)} spans several lines; change it there")
    return text[: node.start_mark.index] + value + text[node.end_mark.index :]


def _added(text: str, node: yaml.Node, key: str, value: Any, way: Sequence[str]) -> str:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise UneditableError(f"line {line}: {'.'.join(way)} would stand in something that is no mapping")
    pair = f"{_flow(key)}: {_flow(value)}"
    if node.flow_style:
        if not node.value:
            return text[: node.start_mark.index + 1] + pair + text[node.start_mark.index + 1 :]
        end = node.value[-1][1].end_mark.index
        return f"{text[:end]}, {pair}{text[end:]}"
    first = node.value[0][0].start_mark
    start = first.index - first.column
    if text[start : first.index].strip():
        raise UneditableError(f"line {line}: {'.'.join(way)} would stand in a list; change it there")
    return text[:start] + _block({key: value}, first.column, "\r\n" if "\r\n" in text else "\n") + text[start:]


def _nested(way: tuple[str, ...], value: Any) -> Any:
    for key in reversed(way):
        value = {key: value}
    return value


def _flow(value: Any) -> str:
    """On one line."""
    written = yaml.safe_dump(value, default_flow_style=True, width=100_000, allow_unicode=True, sort_keys=False)
    return written.removesuffix("\n").removesuffix("\n...")


def _block(value: dict[str, Any], column: int, end: str) -> str:
    """Lines, one for each key that leads to a single further one, and what is below on one line."""
    lines = []
    while True:
        ((key, inner),) = value.items()
        if not (isinstance(inner, dict) and len(inner) == 1 and isinstance(next(iter(inner.values())), dict)):
            lines.append(f"{' ' * column}{_flow(key)}: {_flow(inner)}{end}")
            return "".join(lines)
        lines.append(f"{' ' * column}{_flow(key)}:{end}")
        value, column = inner, column + _INDENT
