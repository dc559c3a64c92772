"""Log records are found by what they say, each once, and the live tail judges as the search does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.engine import Engine
from analysis.log_search import LogFilter, LogLine, around, line_of, matches, search_logs, shortened
from analysis.period import DAY_NANO, HOUR_NANO, NANO, Period
from tests.support.stored import HOUR, store, stored

PERIOD = Period(HOUR, HOUR + HOUR_NANO)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def bodies(lines: list[LogLine]) -> list[str]:
    return [line.body for line in lines]


def said(body: Any, at: int = 0, **more: Any) -> dict[str, Any]:
    return {"body": body, "time_unix_nano": HOUR + at, **more}


def found(folder: Path, **wanted: Any) -> list[str]:
    return bodies(search_logs(Engine(folder), PERIOD, LogFilter(**wanted)))


def test_a_line_has_all_that_its_record_tells(tmp_path: Path) -> None:
    told = {
        "severity": "ERROR",
        "severity_number": 17,
        "event_name": "pump.failed",
        "trace_id": TRACE,
        "span_id": "a" * 16,
        "scope": {"name": "app.pumps"},
        "attributes": {"pump": 7, "exception.type": "ValueError", "exception.message": "no such pump"},
    }
    store(tmp_path, "logs", said("no such pump 7", 5, **told))
    assert search_logs(Engine(tmp_path), PERIOD, LogFilter()) == [
        LogLine(
            time_unix_nano=HOUR + 5,
            service="app",
            severity="ERROR",
            severity_number=17,
            logger="app.pumps",
            body="no such pump 7",
            event_name="pump.failed",
            trace_id=TRACE,
            span_id="a" * 16,
            attributes=told["attributes"],  # type: ignore[arg-type]  # as above
            exception="ValueError: no such pump",
            batch_id="b",
            batch_index=0,
        )
    ]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["slow", "Größe ÄNDERT sich", "no such pump", "ΣΑΣ İ"]),
        ({"service": "web"}, ["slow"]),
        ({"at_least": 13}, ["slow", "no such pump"]),
        ({"at_least": 9}, ["slow", "Größe ÄNDERT sich", "no such pump", "ΣΑΣ İ"]),
        ({"at_least": 10}, ["slow", "no such pump"]),
        ({"text": "GRÖSSE"}, []),
        ({"text": "σας i"}, []),
        ({"text": "ΣΑΣ İ"}, ["ΣΑΣ İ"]),
        ({"text": "grÖße ändert"}, ["Größe ÄNDERT sich"]),
        ({"text": "%"}, []),
        ({"trace_id": TRACE.upper()}, ["no such pump"]),
        ({"logger": "app.pumps"}, ["no such pump"]),
        ({"event_name": "size"}, ["Größe ÄNDERT sich"]),
        ({"attributes": (("pump", "7"), ("open", "true"))}, ["no such pump"]),
        ({"attributes": (("pump", "8"),)}, []),
        ({"service": "app", "at_least": 9, "text": "p"}, ["no such pump"]),
    ],
)
def test_each_part_of_the_filter_leaves_only_what_fulfils_it(
    tmp_path: Path, wanted: dict[str, Any], expected: list[str]
) -> None:
    """In the search and in the live tail; a record without a severity counts as INFO."""
    pump = {"trace_id": TRACE, "scope": {"name": "app.pumps"}, "attributes": {"pump": 7, "open": True}}
    records = [
        said("ΣΑΣ İ", 0, severity_number=0),
        said("no such pump", 1, severity_number=17, **pump),
        said("Größe ÄNDERT sich", 2, severity_number=9, event_name="size"),
        said("slow", 3, severity_number=13, service="web"),
    ]
    store(tmp_path, "logs", *records)
    assert found(tmp_path, **wanted) == expected
    tail = [stored(number, one) for number, one in enumerate(records)]
    assert [one["body"] for one in tail[::-1] if matches(one, LogFilter(**wanted))] == expected


def test_a_record_that_was_sent_again_is_there_once(tmp_path: Path) -> None:
    """However often: also where its copies alone would fill the page."""
    again = said("again", 7, batch_id="c", batch_index=1)
    store(tmp_path, "logs", said("first", 6), *[again] * 100, said("last", 8))
    assert bodies(search_logs(Engine(tmp_path), PERIOD, LogFilter(), limit=3)) == ["last", "again", "first"]


def test_older_lines_begin_behind_the_last_one(tmp_path: Path) -> None:
    """Page for page all lines are seen once, also where many are of one nanosecond."""
    store(tmp_path, "logs", *(said(str(number), number // 5) for number in range(23)))
    engine, seen, cursor = Engine(tmp_path), [], None
    while page := search_logs(engine, PERIOD, LogFilter(), limit=4, before=cursor):
        seen += bodies(page)
        cursor = page[-1].cursor
    assert seen == [str(number) for number in reversed(range(23))]


def test_what_is_old_is_found_after_what_is_new(tmp_path: Path) -> None:
    """A long period is looked through from its end in steps, and no line falls between two of them."""
    hours = (0, 1, 5, 6, 7, 24, 25, 160, 170)
    end = HOUR + HOUR_NANO
    told = [said(f"{hours} h", 0, time_unix_nano=end - hours * HOUR_NANO - 1) for hours in hours]
    store(tmp_path, "logs", *told)
    lines = search_logs(Engine(tmp_path), Period(end - 8 * DAY_NANO, end), LogFilter())
    assert bodies(lines) == [f"{hours} h" for hours in hours]


def test_what_is_around_a_record_is_of_its_service_and_hour(tmp_path: Path) -> None:
    store(
        tmp_path,
        "logs",
        said("long before", 0, time_unix_nano=HOUR - 2 * HOUR_NANO),
        *(said(f"before {number}", number * NANO) for number in range(4)),
        said("this", 10 * NANO),
        said("beside", 10 * NANO),
        said("another's", 10 * NANO, service="web"),
        *(said(f"after {number}", (20 + number) * NANO) for number in range(4)),
    )
    earlier, line, later = around(Engine(tmp_path), HOUR + 10 * NANO, "b", 5, count=3)
    assert (bodies(earlier), line and line.body, bodies(later)) == (
        ["before 1", "before 2", "before 3"],
        "this",
        ["beside", "after 0", "after 1"],
    )
    (everything, _, _) = around(Engine(tmp_path), HOUR + 10 * NANO, "b", 5)
    assert bodies(everything) == [f"before {number}" for number in range(4)]
    assert around(Engine(tmp_path), HOUR + 10 * NANO, "b", 4) == ([], None, [])


def test_megabytes_are_cut_and_say_so(tmp_path: Path) -> None:
    trace = "Traceback\n" + "x" * 50_000 + "\nValueError: no such pump"
    attributes = {"exception.stacktrace": trace, "text": "y" * 5000, "list": ["z" * 5000], "few": [1, {"a": None}]}
    wide = {**attributes, **{f"k{number}": number for number in range(500)}, "n" * 5000: 1}
    store(tmp_path, "logs", said("b" * 1_000_000, 1, attributes=wide), said("", 0, attributes={"n" * 5000: 1}))
    line, named = search_logs(Engine(tmp_path), PERIOD, LogFilter())
    assert (len(line.body), line.body[-2:]) == (16_384, "b…")
    assert len(line.exception) == 16_384
    assert line.exception.startswith("Traceback\nx")
    assert line.exception.endswith("x\nValueError: no such pump")
    assert len(line.attributes) == 128
    assert [len(str(line.attributes[key])) for key in ("text", "list")] == [4096, 4096]
    assert line.attributes["few"] == [1, {"a": None}]
    assert [len(key) for key in named.attributes] == [4096]


def test_what_is_of_the_wrong_type_is_shown_as_it_is(tmp_path: Path) -> None:
    """Nothing that a segment may hold ends a search."""
    odd = [
        said({"a": [1, None, {"doubleValue": "NaN"}]}, 1, attributes=None, scope=None),
        said(None, 2, severity=None, severity_number=None, trace_id=None, attributes="x", scope={"name": None}),
        said("\x00\x1b[2J<script>", 3, attributes=[1], scope="s", event_name=None),
        said(7, 4, severity_number="loud", attributes={"": None, "\x00": "\x00"}),
    ]
    store(tmp_path, "logs", *odd)
    lines = search_logs(Engine(tmp_path), PERIOD, LogFilter())
    assert [(line.body, line.severity_number, line.attributes) for line in lines] == [
        ("7", 0, {"": None, "\x00": "\x00"}),
        ("\x00\x1b[2J<script>", 0, {}),
        ("", 0, {}),
        ('{"a":[1,null,{"doubleValue":"NaN"}]}', 0, {}),
    ]
    assert found(tmp_path, text="\x1b[2j<SCRIPT") == ["\x00\x1b[2J<script>"]


def test_what_is_nested_too_deep_is_told_as_such(tmp_path: Path) -> None:
    """No sender can send that, but somebody may write it."""
    store(tmp_path, "logs", said("x", attributes={"deep": "DEEP"}))
    path = tmp_path / "logs" / "2026-11-23T12.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"DEEP"', b"[" * 400 + b"]" * 400))
    (found_line,) = search_logs(Engine(tmp_path), PERIOD, LogFilter())
    assert found_line.attributes == {"deep": "(nested too deep to be shown)"}


def test_a_text_is_cut_in_its_middle_where_its_end_counts() -> None:
    assert shortened("0123456789", 10) == "0123456789"
    assert shortened("0123456789x", 10) == "012345678…"
    assert shortened("0123456789x", 10, 4) == "01234…789x"


WORDS = st.sampled_from(["app", "App", "pump", "Größe", "İ", "ΣΑΣ", "a\x00b", "/a~b", '"', "'", "7", "true"])
TEXTS = WORDS | st.text(max_size=5)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(-(10**9), 10**9).map(lambda number: number / 64)
)
PLAIN = st.text(st.characters(exclude_categories=["C"]), max_size=5)
NESTED = VALUES | TEXTS | st.lists(VALUES | PLAIN, max_size=2) | st.dictionaries(PLAIN, VALUES | PLAIN, max_size=2)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "time_unix_nano": st.sampled_from([0, HOUR + 1, HOUR + 2, 2**63 + 5, None]),
        "observed_time_unix_nano": st.sampled_from([0, HOUR + 1, HOUR + 3, None]),
        "service": TEXTS | st.none(),
        "severity": TEXTS | st.none(),
        "severity_number": st.integers(0, 24) | st.none(),
        "body": NESTED,
        "event_name": TEXTS | st.none(),
        "trace_id": st.sampled_from(["a" * 32, "", None]),
        "span_id": TEXTS,
        "attributes": st.dictionaries(TEXTS, NESTED, max_size=3) | st.none() | TEXTS,
        "scope": st.fixed_dictionaries({}, optional={"name": NESTED}) | st.none(),
    },
)
FILTERS = st.builds(
    LogFilter,
    service=TEXTS,
    at_least=st.integers(-1, 24),
    text=TEXTS,
    trace_id=st.sampled_from(["", "A" * 32, "b" * 32]),
    logger=TEXTS,
    event_name=TEXTS,
    attributes=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
)


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[dict[str, Any]], LogFilter]:
    """Records, and a filter that is about one of them, or about none."""
    records = [stored(number, one) for number, one in enumerate(draw(st.lists(RECORDS, min_size=1, max_size=8)))]
    if draw(st.booleans()):
        return records, draw(FILTERS)
    line = line_of(draw(st.sampled_from(records)))
    about = {
        "service": line.service,
        "at_least": line.severity_number,
        "text": line.body[:3].upper(),
        "trace_id": line.trace_id,
        "logger": line.logger,
        "event_name": line.event_name,
        "attributes": tuple((key, value) for key, value in line.attributes.items() if isinstance(value, str)),
    }
    some = draw(st.sets(st.sampled_from(sorted(about))))
    return records, LogFilter(**{name: value for name, value in about.items() if name in some})  # type: ignore[arg-type]  # as above


@given(asked())
def test_the_live_tail_judges_as_the_search_does(given: tuple[list[dict[str, Any]], LogFilter]) -> None:
    """SQL over segments and Python over their lines find the same records, and show them alike."""
    records, wanted = given
    expected = [line_of(record) for record in records if matches(record, wanted)]
    with tempfile.TemporaryDirectory() as folder:
        lines = search_logs(Engine(store(Path(folder), "logs", *records)), PERIOD, wanted)
    assert lines == sorted(expected, key=lambda line: line.cursor, reverse=True)
