"""Matchers on labels, as Prometheus and Alertmanager write them: `http.route =~ "/api/.*"`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

_MATCHER = re.compile(
    r"""\s*(?P<label>[\w.\-/]+)\s*(?P<operator>=~|!~|!=|=)\s*(?P<quote>["']?)(?P<value>.*)(?P=quote)\s*"""
)

Matcher = Callable[[Mapping[str, Any]], bool]


def parse_matcher(text: str) -> tuple[str, Matcher]:
    """The label and the test; a label that is missing is an empty text. Raise ValueError with what was expected."""
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not a matcher, expected for example http.route =~ "/api/.*" (=, !=, =~, !~)')
    label, operator, value = found["label"], found["operator"], found["value"]
    if operator in {"=", "!="}:
        equal = operator == "="
        return label, lambda labels: (_text(labels.get(label)) == value) is equal
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise ValueError(f"{text!r} has no valid regular expression: {error}") from error
    matches = operator == "=~"
    return label, lambda labels: (pattern.fullmatch(_text(labels.get(label))) is not None) is matches


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_matchers(texts: Iterable[str]) -> tuple[frozenset[str], Matcher | None]:
    """The labels they look at, and whether all match; None when there is nothing to match."""
    parsed = [parse_matcher(text) for text in texts]
    if not parsed:
        return frozenset(), None
    tests = [test for _, test in parsed]
    return frozenset(label for label, _ in parsed), lambda labels: all(test(labels) for test in tests)


def _checked(text: str) -> str:
    parse_matcher(text)
    return text


MatcherText = Annotated[str, AfterValidator(_checked)]
