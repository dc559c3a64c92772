"""Matchers on labels, as Prometheus and Alertmanager write them: `http.route =~ "/api/.*"`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

_MATCHER = re.compile(
    r"""\s*(?P<label>[\w.\-/]+)\s*(?P<operator>=~|!~|!=|=)\s*(?P<quote>["']?)(?P<value>.*)(?P=quote)\s*"""
)

_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_REPETITION = re.compile(r"[*+{]")
_MOST_REPETITIONS = 3

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
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} has no valid regular expression: {error}") from error
    matches = operator == "=~"
    return label, lambda labels: (pattern.fullmatch(_text(labels.get(label))) is not None) is matches


def refuse_dear(text: str) -> None:
    """Raise ValueError for a matcher whose pattern may take for ever: a repeated group, or more than three repetitions.

    Backtracking over nested repetitions is exponential, over k of them in a row a power of k.
    """
    found = _MATCHER.fullmatch(text)
    if found is None or found["operator"] in {"=", "!="}:
        return
    pattern = _CLASS.sub("x", found["value"])
    if _REPEATED_GROUP.search(pattern) or len(_REPETITION.findall(pattern)) > _MOST_REPETITIONS:
        raise ValueError(
            f"{text!r} may take for ever to match: expected no repeated group as (…)+, and at most "
            f'{_MOST_REPETITIONS} of * + {{}}, for example http.route =~ "/api/.*"'
        )


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
