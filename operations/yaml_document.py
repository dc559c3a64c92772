"""YAML with places: where each value stands, `${env:NAME}` filled in, duplicate keys refused."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$(?:\$|\{env:(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}|(?P<other>\{[^}]*\}))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same language, ten times faster, where PyYAML was built with libyaml."""
_MAX_NODES = 100_000

Way = tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong, where; lines and columns count from 1."""

    line: int
    column: int
    text: str


@dataclass(slots=True)
class Document:
    """The values of a YAML text, where they stand, and what is wrong with it so far."""

    values: Any = None
    places: dict[Way, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Way, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, way: Way, *, of_key: bool = False) -> tuple[int, int]:
        """The value's place (or its key's), or that of the nearest thing around it."""
        known = self.keys if of_key else self.places
        while way and way not in known:
            way, known = way[:-1], self.places
        return known.get(way, (1, 1))

    def move_below(self, *way: str) -> None:
        """As if the whole text stood at that place."""
        for key in reversed(way):
            self.values = {key: self.values}
        self.places = {(*way, *place): where for place, where in self.places.items()}
        self.keys = {(*way, *place): where for place, where in self.keys.items()}


def read_document(text: str, environment: Mapping[str, str] = os.environ) -> Document:
    """Read one YAML document; what is wrong is in its `problems`."""
    document = Document()
    try:
        node = _composed(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        document.problems.append(Problem(line, column, f"not valid YAML: {error.problem or error.context}"))
        return document
    except yaml.YAMLError as error:
        document.problems.append(Problem(1, 1, f"not valid YAML: {str(error).splitlines()[0]}"))
        return document
    if node is not None:
        document.values = _Reading(document, environment).value(node, ())
    return document


def _composed(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=yaml.SafeLoader)  # which says more, and the same on every machine


class _Reading:
    def __init__(self, document: Document, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment
        self._nodes = 0
        self._loader: Any = yaml.SafeLoader("")

    def value(self, node: yaml.Node, way: Way) -> Any:
        self._nodes += 1
        self._document.places.setdefault(way, _place(node))
        if self._nodes > _MAX_NODES:
            if self._nodes == _MAX_NODES + 1:
                self._complain(node, f"more than {_MAX_NODES} values, aliases counted each time they are used")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, way)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*way, str(index))) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, way: Way) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in found:
                self._complain(key_node, f"{'.'.join((*way, key))}: stands here a second time")
            self._document.keys[*way, key] = _place(key_node)
            found[key] = self.value(value_node, (*way, key))
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        loader = self._loader
        text = _VARIABLE.sub(lambda found: self._variable(found, node), node.value)
        tag = node.tag
        if text != node.value and getattr(node, "style", None) is None:
            # What was filled in is typed as if it had stood there.
            tag = loader.resolve(yaml.ScalarNode, text, (True, False))
        try:
            return loader.construct_object(yaml.ScalarNode(tag, text), deep=True)
        except (yaml.YAMLError, ValueError) as error:
            self._complain(node, f"not a valid value: {str(error).splitlines()[0]}")
            return None

    def _variable(self, found: re.Match[str], node: yaml.Node) -> str:
        if found[0] == "$$":
            return "$"
        name, default = found["name"], found["default"]
        if found["other"] or not _NAME.fullmatch(name or ""):
            self._complain(node, f"{found[0]}: expected ${{env:NAME}} or ${{env:NAME:-default}}; a plain $ is $$")
            return ""
        if name in self._environment:
            return self._environment[name]
        if default is None:
            self._complain(node, f"the environment has no {name}. Set it, or give a default: ${{env:{name}:-default}}")
        return default or ""

    def _complain(self, node: yaml.Node, text: str) -> None:
        line, column = _place(node)
        self._document.problems.append(Problem(line, column, text))


def _place(node: yaml.Node) -> tuple[int, int]:
    mark = node.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
