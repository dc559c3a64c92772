"""What rules measured is read from the rows as the collector wrote them, each value at its time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.value_history import ValueHistory
from storage import State
from storage.value_rows import MINUTE_NANO, MINUTES, SLOT_NANO, SLOTS, RecordedValues, recorded_values
from tests.storage.records import NOON
from tests.support.notifying import evaluation

NANO = 1_000_000_000
RULE, KEY = "slow", (("service.name", 'a "b" <c>\n'),)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(State.open(tmp_path / "state.db")) as opened:
        yield opened


def _write(state: State, rule: str, key: str, content: Any) -> None:
    with state.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO value_history VALUES (?, ?, ?)", (rule, key, content))


def _kept(measured: list[tuple[int, float]], nano: int, slots: int) -> tuple[tuple[int, float], ...]:
    """The last value of each slot, of so many slots up to that of the last value."""
    by_slot = {(time - 1) // nano: value for time, value in measured}
    last = max(by_slot, default=0)
    return tuple((slot * nano, value) for slot, value in sorted(by_slot.items()) if slot > last - slots)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(1, 3 * 86_400) | st.integers(1, 200), st.floats(width=32) | st.none()),
        max_size=40,
    )
)
def test_what_was_kept_is_read_back_at_its_time(state: State, steps: list[tuple[int, float | None]]) -> None:
    """The last value of every minute of an hour and of every five minutes of a day; nothing where none was measured."""
    history, now = ValueHistory(), NOON
    measured: list[tuple[int, float]] = []
    for seconds, value in steps:
        now += seconds * NANO
        history.take([evaluation(RULE, of="x", key=KEY, value=value, time_unix_nano=now)])
        if value is not None and math.isfinite(value):
            measured.append((now, value))
    with state.transaction() as connection:
        connection.execute("DELETE FROM value_history")
    history.save(state)
    minutes, slots = _kept(measured, MINUTE_NANO, MINUTES), _kept(measured, SLOT_NANO, SLOTS)
    assert recorded_values(state) == ([RecordedValues(RULE, KEY, minutes, slots)] if measured else [])


def test_one_rule_is_read_without_the_others(state: State) -> None:
    """By its name alone, whatever that holds."""
    history = ValueHistory()
    for rule in ("slow", "slow' OR ''='", "down"):
        history.take([evaluation(rule, of=of, time_unix_nano=NOON, value=0.5) for of in ("a", "b")])
    history.save(state)
    for rule in ("slow", "slow' OR ''='"):
        found = recorded_values(state, rule)
        assert [(one.rule, dict(one.key)["service.name"]) for one in found] == [(rule, "a"), (rule, "b")]
    assert recorded_values(state, "nobody") == []
    assert len(recorded_values(state)) == 6


GOOD = [[10, [1.5, None]], [3, [2.5]]]


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("[]", b"not JSON"),
        ("[]", b""),
        ("[]", b"[]"),
        ("[]", b"null"),
        ("[]", b"[1, 2]"),
        ("[]", b"[[10], [3]]"),
        ("[]", b'[["x", [1]], [3, [1]]]'),
        ("[]", b"[[null, [1]], [3, [1]]]"),
        ("[]", b"[[10, 1], [3, [1]]]"),
        ("not JSON", orjson.dumps(GOOD)),
        ("[1]", orjson.dumps(GOOD)),
        ('[["a", "b", "c"]]', orjson.dumps(GOOD)),
        ("null", orjson.dumps(GOOD)),
    ],
)
def test_a_damaged_row_is_left_out(state: State, key: str, content: bytes) -> None:
    """The others are read all the same."""
    _write(state, "slow", '[["a", "b"]]', orjson.dumps(GOOD))
    _write(state, "damaged", key, content)
    slot = ((3 * SLOT_NANO, 2.5),)
    assert recorded_values(state) == [RecordedValues("slow", (("a", "b"),), ((10 * MINUTE_NANO, 1.5),), slot)]


def test_values_that_are_none_are_left_out(state: State) -> None:
    """A text, a list or nothing in the place of a number is no value; the numbers beside it are."""
    _write(state, "slow", "[]", orjson.dumps([[3, ["high", 2, [], 4.5]], [-1, [1]]]))
    assert recorded_values(state) == [RecordedValues("slow", (), ((1 * MINUTE_NANO, 2.0), (3 * MINUTE_NANO, 4.5)), ())]
