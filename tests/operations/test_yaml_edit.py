"""A changed value is the only thing that changes in a YAML text."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from operations.yaml_edit import UneditableError, edited

WRITTEN = """\
# The head of the file.
processors:   # told
  thresholds:
    lateness: 2min   # seldom

    rules:
      # slow answers
      "http.server.p95":
        window: 5min
        bands:
          - {level: warning, when: "> 3s", severity: low}   # noisy
          - level: critical
            when: "> 10s"
            severity: high
      db.query.p95: {enabled: false}
      empty:
alerting: {routes: {}, smtp: {host: here}}
# The end.
"""


@pytest.mark.parametrize(
    ("way", "value", "line"),
    [
        (("processors", "thresholds", "lateness"), "5min", "    lateness: 5min   # seldom\n"),
        (
            ("processors", "thresholds", "rules", "http.server.p95", "bands", "0", "when"),
            "> 4s",
            "          - {level: warning, when: '> 4s', severity: low}   # noisy\n",
        ),
        (
            ("processors", "thresholds", "rules", "http.server.p95", "bands", "1", "when"),
            "> 20s",
            "            when: '> 20s'\n",
        ),
        (("processors", "thresholds", "rules", "http.server.p95", "enabled"), False, "        enabled: false\n"),
        (
            ("processors", "thresholds", "rules", "db.query.p95", "enabled"),
            True,
            "      db.query.p95: {enabled: true}\n",
        ),
        (("processors", "thresholds", "rules", "empty", "enabled"), False, "      empty: {enabled: false}\n"),
        (
            ("alerting", "routes", "high"),
            {"receivers": []},
            "alerting: {routes: {high: {receivers: []}}, smtp: {host: here}}\n",
        ),
    ],
)
def test_a_value_changes_where_it_stands(way: tuple[str, ...], value: Any, line: str) -> None:
    """One line is another, or is there besides; every comment stays."""
    after = edited(WRITTEN, [(way, value)])
    old, new = WRITTEN.splitlines(keepends=True), after.splitlines(keepends=True)
    assert [one for one in new if one not in old] == [line]
    assert len(new) - len(old) in {0, 1}
    assert _at(yaml.safe_load(after), way) == value


def _at(content: Any, way: tuple[str, ...]) -> Any:
    for key in way:
        content = content[int(key)] if isinstance(content, list) else content[key]
    return content


def test_into_an_empty_file_the_whole_way_is_written() -> None:
    way = ("processors", "thresholds", "rules", "http.server.p95", "enabled")
    assert edited("", [(way, False)]) == (
        "processors:\n  thresholds:\n    rules:\n      http.server.p95: {enabled: false}\n"
    )
    assert yaml.safe_load(edited("# only words", [(way, False)])) == yaml.safe_load(edited("", [(way, False)]))


@pytest.mark.parametrize(
    ("text", "way", "told"),
    [
        ("a:\n  b: 1\n", ("a",), "line 2: a spans several lines"),
        ("a: 1\n", ("a", "b"), "line 1: a.b would stand in something that is no mapping"),
        ("a: [1\n", ("a",), "not valid YAML"),
        ("- a: 1\n", ("b",), "would stand in something that is no mapping"),
    ],
)
def test_what_can_not_be_edited_says_where(text: str, way: tuple[str, ...], told: str) -> None:
    with pytest.raises(UneditableError) as refused:
        edited(text, [(way, 2)])
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("{a: 1,}\n", "{a: 1, b: 2,}\n"),
        ("{a: 1  # one\n}\n", "{a: 1, b: 2  # one\n}\n"),
        ("{\n  a: [1, 2],  # one\n}\n", "{\n  a: [1, 2], b: 2,  # one\n}\n"),
        ("{ }\n", "{b: 2 }\n"),
        ("a: 1\r\n", "b: 2\r\na: 1\r\n"),
    ],
)
def test_a_key_goes_where_the_text_stays_valid(text: str, after: str) -> None:
    """Beside comments, commas at the end and whatever ends lines."""
    assert edited(text, [(("b",), 2)]) == after


_KEYS = st.sampled_from(["a", "b.c", "d e", "http", "1", "true"])
_SCALARS = st.one_of(
    st.integers(-5, 5), st.sampled_from(["", "> 3s", "#no", "x: y", "ä", "no", "'", '"', "a\nb"]), st.booleans()
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.dictionaries(_KEYS, inner, max_size=3), st.lists(inner, max_size=2)),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(_KEYS, _VALUES, max_size=4)


@given(document=_DOCUMENTS, way=st.lists(_KEYS, min_size=1, max_size=4), value=_SCALARS, flow=st.booleans())
def test_any_document_means_the_same_but_for_that_value(
    document: dict[str, Any], way: list[str], value: Any, *, flow: bool
) -> None:
    """Or it is refused; whatever its layout, and with a comment after each line that can have one."""
    written = yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    text = "# head\n" + re.sub(r"(: \d)\n", r"\1  # told\n", written)
    expected = copy.deepcopy(document)
    try:
        after = edited(text, [(way, value)])
    except UneditableError:
        return
    _set(expected, way, value)
    assert yaml.safe_load(after) == expected
    assert re.findall(r"# (?:head|told)", after).count("# head") == 1
    assert after.count("# told") >= text.count("# told") - (1 if flow else 0)


def _set(content: Any, way: list[str], value: Any) -> None:
    *outer, last = way
    for key in outer:
        index = int(key) if isinstance(content, list) else key
        if isinstance(content, dict) and (key not in content or content[key] == ""):
            content[key] = {}
        content = content[index]
    content[int(last) if isinstance(content, list) else last] = value
