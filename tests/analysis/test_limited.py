"""What spans carry may be megabytes: a person gets as much as can be looked at, and is told what is missing."""

from __future__ import annotations

from typing import Any

from analysis.limited import limited_attributes, limited_events, limited_links, limited_text, parsed


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_values_keep_their_types_and_huge_ones_are_cut() -> None:
    """Of what is no text the JSON counts."""
    cut: list[str] = []
    given = {
        "text": "x" * 4096,
        "long": "ä" * 5000,
        "number": 1.5,
        "yes": True,
        "none": None,
        "list": ["a", 1],
        "many": list(range(2000)),
        "deep": nested(300),
    }
    found = limited_attributes(given, "attributes", cut)
    many = str(list(range(2000))).replace(" ", "")
    assert found == {**given, "long": "ä" * 4096, "many": many[:4096], "deep": ""}
    assert cut == [
        "attributes, long: 4,096 of 5,000 characters are shown",
        f"attributes, many: 4,096 of {len(many):,} characters are shown",
        "attributes, deep: it is nested too deep to be shown",
    ]


def test_of_many_attributes_the_first_are_there_and_huge_keys_are_cut() -> None:
    """A hundred and twenty-eight."""
    cut: list[str] = []
    found = limited_attributes({"k" * 9000: "v" * 9000, **{str(number): number for number in range(200)}}, "link", cut)
    assert found == {"k" * 256: "v" * 4096, **{str(number): number for number in range(127)}}
    assert cut == [
        "link: 128 of 201 attributes are shown",
        f"link, {'k' * 256}: 4,096 of 9,000 characters are shown",
    ]


def test_events_and_links_have_one_form_and_are_limited_too() -> None:
    """Their number, their names and their attributes."""
    cut: list[str] = []
    event = {"time_unix_nano": 5, "name": "e" * 5000, "attributes": {"a": "b" * 5000}}
    found = limited_events([event, *({"name": "n"} for _ in range(200))], cut)
    assert found == [
        {"time_unix_nano": 5, "name": "e" * 4096, "attributes": {"a": "b" * 4096}},
        *({"time_unix_nano": 0, "name": "n", "attributes": {}} for _ in range(127)),
    ]
    assert cut == [
        "events: 128 of 201 are shown",
        "event: 4,096 of 5,000 characters are shown",
        f"event {'e' * 256}, a: 4,096 of 5,000 characters are shown",
    ]
    cut.clear()
    links = limited_links([{"trace_id": "t" * 500, "span_id": 4, "attributes": None}] * 129, cut)
    assert links == [{"trace_id": "t" * 256, "span_id": "", "attributes": {}}] * 128
    assert cut == ["links: 128 of 129 are shown"]


def test_what_is_not_there_or_of_another_type_is_empty() -> None:
    """Without a note: nothing was cut."""
    cut: list[str] = []
    for odd in (None, 3, "x", [1], [None, "y"]):
        assert limited_attributes(odd, "attributes", cut) == {}
        assert limited_events(odd, cut) == limited_links(odd, cut) == []
    assert (limited_text("", "body", cut), cut) == ("", [])
    assert [parsed(text) for text in (None, "", "{", "\x00", '{"a":1}')] == [None, None, None, None, {"a": 1}]
