"""The members of a group of errors are those that the group counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.engine import Engine
from analysis.error_examples import ErrorExample, errors_like
from analysis.errors import error_groups
from analysis.period import HOUR_NANO, Period
from tests.support.stored import HOUR, store

PERIOD = Period(HOUR, HOUR + HOUR_NANO)


def failed(kind: Any, message: Any, **more: Any) -> dict[str, Any]:
    return {"error_type": kind, "message": message, "trace_id": "", **more}


def test_an_example_has_all_that_is_known_of_an_error(tmp_path: Path) -> None:
    told = {"route": "/pumps", "source": "app.pumps", "trace_id": "t" * 32, "span_id": "s" * 16, "stacktrace": "at 1"}
    store(tmp_path, "errors", failed("ValueError", "no such pump 7", **told))
    assert errors_like(Engine(tmp_path), PERIOD, "ValueError", "no such pump <n>", "app") == [
        ErrorExample(HOUR, "app", "/pumps", "no such pump 7", "app.pumps", "t" * 32, "s" * 16, "at 1")
    ]


def test_each_group_has_as_many_members_as_it_counts(tmp_path: Path) -> None:
    """Of one type, normalised message and service; what a trace tells elsewhere is no member here either."""
    store(
        tmp_path,
        "errors",
        failed("ValueError", "no such pump 7"),
        failed("ValueError", "no such pump 8"),
        failed("ValueError", "no such pump 8", service="web"),
        failed("ValueError", "no such tank 8"),
        failed("KeyError", "no such pump 8"),
        failed("KeyError", ""),
        failed("KeyError", "", trace_id="told"),
        failed("500", "raised", trace_id="told"),
        failed("KeyError", None),
        failed(None, None, trace_id=None),
        failed("", "x" * 500 + "different 7"),
        failed("error", "x" * 500 + "ends"),
    )
    engine = Engine(tmp_path)
    groups = error_groups(engine, PERIOD)
    members = [errors_like(engine, PERIOD, one.error_type, one.message, one.service) for one in groups]
    assert [len(found) for found in members] == [one.count for one in groups]
    assert sorted(one.time_unix_nano - HOUR for found in members for one in found) == [
        0,
        1,
        2,
        3,
        4,
        5,
        7,
        8,
        9,
        10,
        11,
    ]
    assert [found[0].time_unix_nano for found in members] == [one.last_unix_nano for one in groups]


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_the_newest_are_told_first_however_few_are_wanted(tmp_path: Path, limit: int) -> None:
    store(tmp_path, "errors", *(failed("ValueError", f"no such pump {number % 7}") for number in range(40)))
    found = errors_like(Engine(tmp_path), PERIOD, "ValueError", "no such pump <n>", "app", limit=limit)
    assert [one.time_unix_nano - HOUR for one in found] == list(range(39, max(-1, 39 - limit), -1))


def test_megabytes_are_cut_and_the_end_of_a_stack_trace_is_kept(tmp_path: Path) -> None:
    told = {"stacktrace": "Traceback\n" + "x" * 10**6 + "\nValueError", "route": "r" * 5000, "source": None}
    store(tmp_path, "errors", failed("ValueError", "m" * 10**6, **told))
    (one,) = errors_like(Engine(tmp_path), PERIOD, "ValueError", "m" * 500, "app")
    assert (len(one.message), len(one.route), one.source) == (16_384, 4096, "")
    assert (len(one.stacktrace), one.stacktrace[:10], one.stacktrace[-11:]) == (65_536, "Traceback\n", "\nValueError")


def test_a_group_that_is_not_there_has_no_members(tmp_path: Path) -> None:
    assert errors_like(Engine(tmp_path), PERIOD, "ValueError", "'; DROP TABLE errors --", "app") == []
