"""What a search would find is counted, by what it can be narrowed down with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.engine import Engine
from analysis.log_facets import LEVELS, Facets, facets, log_course
from analysis.log_search import LogFilter
from analysis.period import HOUR_NANO, MINUTE_NANO, Period
from tests.support.stored import HOUR, store

PERIOD = Period(HOUR, HOUR + HOUR_NANO)
NONE = dict.fromkeys(LEVELS, 0)


def recorded(folder: Path) -> Engine:
    """By minute: what was logged, how bad, by whom."""
    told: list[tuple[int, Any, dict[str, Any]]] = [
        (0, 9, {"scope": {"name": "app.pumps"}}),
        (1, 10, {"scope": {"name": "app.pumps"}, "event_name": "pump.opened"}),
        (29, 17, {"scope": {"name": "app.jobs"}, "body": "no such pump"}),
        (30, 24, {"service": "web", "body": "no such page"}),
        (31, 0, {"service": "web"}),
        (59, None, {"service": None, "scope": None}),
        (59, 99, {"service": "", "event_name": "pump.opened"}),
    ]
    records = [
        {"time_unix_nano": HOUR + minute * MINUTE_NANO, "severity_number": number, **more}
        for minute, number, more in told
    ]
    return Engine(store(folder, "logs", *records))


def test_values_are_counted_most_frequent_first_and_levels_the_worst_first(tmp_path: Path) -> None:
    """What a record does not tell is no value, but each has a level."""
    assert facets(recorded(tmp_path), PERIOD, LogFilter()) == Facets(
        severities=[("FATAL", 1), ("ERROR", 1), ("INFO", 2), ("UNSPECIFIED", 3)],
        services=[("app", 3), ("web", 2)],
        loggers=[("app.pumps", 2), ("app.jobs", 1)],
        events=[("pump.opened", 2)],
    )


def test_only_what_the_filter_leaves_is_counted(tmp_path: Path) -> None:
    assert facets(recorded(tmp_path), PERIOD, LogFilter(text="NO SUCH"), most=1) == Facets(
        severities=[("FATAL", 1), ("ERROR", 1)], services=[("app", 1)], loggers=[("app.jobs", 1)], events=[]
    )


def test_of_many_values_the_most_frequent_are_told(tmp_path: Path) -> None:
    """An identity a record, or a name of a megabyte, is no list of choices."""
    loggers = ["x" * 1_000_000, *(f"l{number}" for number in range(100)), "often", "often"]
    engine = Engine(store(tmp_path, "logs", *({"scope": {"name": logger}} for logger in loggers)))
    assert facets(engine, PERIOD, LogFilter(), most=3).loggers == [("often", 2), ("l0", 1), ("l1", 1)]
    assert ("x" * 256, 1) in facets(engine, PERIOD, LogFilter(), most=200).loggers


def test_levels_are_counted_in_equal_parts(tmp_path: Path) -> None:
    assert log_course(recorded(tmp_path), PERIOD, LogFilter(), 2) == [
        {**NONE, "INFO": 2, "ERROR": 1},
        {**NONE, "FATAL": 1, "UNSPECIFIED": 3},
    ]
    assert log_course(recorded(tmp_path), PERIOD, LogFilter(at_least=17), 2) == [
        {**NONE, "ERROR": 1},
        {**NONE, "FATAL": 1, "UNSPECIFIED": 1},
    ]


def test_any_number_of_parts_holds_the_whole_period(tmp_path: Path) -> None:
    """Also where it can't be divided: the last nanosecond is in the last part."""
    times = (0, 1, 5, 6)
    engine = Engine(store(tmp_path, "logs", *({"time_unix_nano": HOUR + time} for time in times)))
    counts = [part["UNSPECIFIED"] for part in log_course(engine, Period(HOUR, HOUR + 7), LogFilter(), 3)]
    assert counts == [2, 1, 1]
    assert [part["UNSPECIFIED"] for part in log_course(engine, Period(HOUR, HOUR + 2), LogFilter(), 3)] == [1, 1, 0]


def test_where_nothing_was_logged_nothing_is_counted(tmp_path: Path) -> None:
    assert facets(Engine(tmp_path), PERIOD, LogFilter()) == Facets([], [], [], [])
    assert log_course(Engine(tmp_path), PERIOD, LogFilter(), 2) == [NONE, NONE]
