"""`forecourt baseline` on a recorded week: what is kept, what a comparison says, and what is refused."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from operations.baseline_command import DEFAULT_NAME
from operations.cli import main
from processors.baselines.settings import DEFAULT
from storage import State, StateError, baseline_rows
from storage.baseline_rows import BaselineRow
from storage.names import OWN_FOLDER
from tests.conftest import ROOT
from tests.operations.test_hostile_terminal import check_is_harmless, poisoned
from tests.support.json_shape import shape
from tests.support.week import DAY, END, HOUR, ROUTES, START, Week, iso

NANO = 1_000_000_000
WEEK = ("--from", iso(START), "--to", iso(END))
CONFIG = """
processors:
  baselines: {timezone: UTC, levels: {low: 10%, medium: 20%, high: 50%}}
"""


@pytest.fixture(scope="module")
def recorded(week: Week, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rollups of the week are all that baselines need."""
    folder = tmp_path_factory.mktemp("baselines")
    shutil.copytree(week.logs / "rollups", folder / "logs" / "rollups")
    (folder / "logs" / OWN_FOLDER).mkdir()
    shutil.copy(week.logs / OWN_FOLDER / "manifest.json", folder / "logs" / OWN_FOLDER)
    (folder / "otel-config.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def place(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(recorded, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture(scope="module")
def learnt_once(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learnt") / "place"
    shutil.copytree(recorded, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("create", *WEEK)
    return folder


@pytest.fixture
def learnt(learnt_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place in which `baseline create` has learnt the week."""
    shutil.copytree(learnt_once, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["baseline", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def asked(*arguments: str, code: int = 0) -> Any:
    return orjson.loads(run(*arguments, "--json", code=code).stdout)


def slow_down(logs: Path, begin: int, end: int, times: int, *, route: str = ROUTES[0]) -> None:
    """As many more buckets as doubling takes, of the requests of one route in that time."""
    octaves = {2: 32, 4: 64}[times]
    for path in (logs / "rollups").iterdir():
        lines = []
        for text in path.read_bytes().splitlines():
            line = orjson.loads(text)
            mine = line["key"].get("http.route") == route and begin * NANO <= line["time_unix_nano"] < end * NANO
            if mine:
                held = line["histogram"]
                held["buckets"] = [[bucket + octaves, count] for bucket, count in held["buckets"]]
                held |= {"min": held["min"] * times, "max": held["max"] * times}
            lines.append(orjson.dumps(line))
        path.write_bytes(b"\n".join(lines) + b"\n")


def test_a_baseline_is_made_of_every_route_and_query_of_the_week(place: Path) -> None:
    """Of all hours apart; the windows hold the requests that there were."""
    made = asked("create", *WEEK)
    assert (made["name"], made["active"], made["keys"], made["timezone"]) == ("default", True, 5, "UTC")
    assert (made["from"][:10], made["to"][:10], made["poor"]) == (iso(START)[:10], iso(END)[:10], [])
    shown = asked("show")
    assert shown["windows"] == made["windows"] == sum(one["windows"] for one in shown["classes"])
    hours = {one["hours"] for one in shown["classes"] if one["key"].get("http.route") == ROUTES[0]}
    assert hours == {"working hours", "night", "weekend"}
    (place / "unused").touch()


def test_its_numbers_are_those_of_the_week(learnt: Path, week: Week) -> None:
    """Medians of windows lie at the distribution's own; counts and errors are exact but for what fills no window."""
    (night,) = [
        one for one in asked("show")["classes"] if (one["key"].get("http.route"), one["hours"]) == (ROUTES[1], "night")
    ]
    mine = [one for one in week.requests if one.route == ROUTES[1] and _is_night(one.at)]
    assert len(mine) - 30 * 10 < night["samples"] <= len(mine)
    assert night["samples"] / night["windows"] == pytest.approx(30, abs=2)
    assert (night["p50"], night["p95"]) == pytest.approx((0.0498, 0.1133), rel=0.1)
    assert night["error_rate"] == pytest.approx(sum(one.status >= 500 for one in mine) / len(mine), rel=0.2)
    assert (night["p99"], night["enough"]) == (None, True)
    assert learnt.is_dir()


def _is_night(at: float) -> bool:
    day, hour = divmod((at - START) / HOUR, 24)
    return day < 5 and not 7 <= hour < 19


def test_what_was_made_is_listed_shown_and_deleted(place: Path) -> None:
    """In words, with the one that is judged live."""
    assert run("list").stdout == "there is no baseline; make one: forecourt baseline create\n"
    assert run("create", "default", *WEEK).stdout == _line() + "\n"
    assert run("create", "before-release", *WEEK).stdout.splitlines() == [
        _line("before-release"),
        'live judging goes by "default" (processors.baselines.active)',
    ]
    listed = run("list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["name", "before-release", "default"]
    assert (listed[1].rstrip().endswith("yes"), listed[2].rstrip().endswith("yes")) == (False, True)
    assert "GET /api/auth/login" in run("show", "before-release").stdout
    assert run("delete", "before-release").stdout == 'forgot the baseline "before-release"\n'
    assert [one["name"] for one in asked("list")] == ["default"]
    assert (place / "logs" / OWN_FOLDER / "state.db").is_file()


def _line(name: str = "default") -> str:
    return f'"{name}": 580 windows of 5 routes and queries, 2026-11-16 00:00:00 to 2026-11-23 00:00:00 UTC'


def test_one_that_there_is_is_not_written_over(learnt: Path) -> None:
    before = _row(learnt)
    again = run("create", *WEEK, code=1)
    assert 'there is a baseline "default" already' in again.stderr
    assert "forecourt baseline update default --confirm" in again.stderr
    assert _row(learnt) == before


def _row(place: Path) -> BaselineRow | None:
    state = State.open(place / "logs" / OWN_FOLDER / "state.db")
    try:
        return baseline_rows.find(state, "default")
    finally:
        state.close()


def test_a_comparison_finds_nothing_in_a_week_that_is_as_it_was(learnt: Path) -> None:
    told = run(
        "compare", "--from", iso(START + DAY), "--to", iso(START + DAY + 18 * HOUR), "--alert-on-deviation", "10%"
    )
    assert told.stdout.splitlines()[0].endswith('against the baseline "default"')
    assert told.stdout.count("as it was") == 5
    assert "slower" not in told.stdout
    assert learnt.is_dir()


def test_a_comparison_finds_the_route_that_got_twice_as_slow(learnt: Path) -> None:
    """And nothing else; cron hears of it by the exit code, and only if it asks."""
    period = ("--from", iso(END - 12 * HOUR), "--to", iso(END))
    slow_down(learnt / "logs", END - 12 * HOUR, END, 2)
    told = run("compare", *period).stdout.splitlines()
    worst = re.split(r"  +", told[2].strip())
    assert worst[:2] == [f"GET {ROUTES[0]}", "p50"] or worst[:2] == [f"GET {ROUTES[0]}", "p95"]
    assert worst[-1] == "slower: high"
    found = [one for one in asked("compare", *period)["findings"] if one["level"]]
    assert {one["key"]["http.route"] for one in found} == {ROUTES[0]}
    (median,) = [one for one in found if one["measure"] == "p50"]
    assert median["ratio"] == pytest.approx(2, rel=0.15)
    assert median["low"] < 2 < median["high"]
    assert (median["p"] < 0.01, median["verdict"], median["hours"]) == (True, "slower: high", ["weekend"])
    alarmed = run("compare", *period, "--alert-on-deviation=20%", code=1)
    assert f"{len(found)} measures are worse by more than 20 %" in alarmed.stdout
    assert run("compare", *period, "--alert-on-deviation=400%").exit_code == 0


def test_what_can_not_be_said_is_said(learnt: Path) -> None:
    """Fewer than thirty requests in an hour."""
    told = run("compare", "--from", iso(END - HOUR), "--to", iso(END), "--alert-on-deviation", "10%").stdout
    assert "5 routes and queries have no window of 30 in this time; a longer one may have: --last 24h" in told
    some = run("compare", "--from", iso(END - 4 * HOUR), "--to", iso(END)).stdout
    assert "insufficient data: 2 windows of at least 30 requests, 5 are needed" in some
    assert learnt.is_dir()


def test_classes_with_too_few_windows_are_warned_of(place: Path) -> None:
    told = run("create", "--from", iso(START), "--to", iso(START + DAY))
    assert "fewer than 20 windows, so nothing will be said of them: SELECT work_orders (working hours: " in told.stderr
    assert re.search(r"\): \d+\)| and \d more$", told.stderr.strip())
    assert asked("list")[0]["windows"] > 0
    assert place.is_dir()


@pytest.mark.untraced
def test_an_update_says_what_it_would_change_and_changes_it_when_that_is_confirmed(learnt: Path) -> None:
    """What got slower would be learnt as usual: that is said loudly."""
    before = _row(learnt)
    slow_down(learnt / "logs", START, END, 2)
    told = run("update", *WEEK)
    assert told.stdout.startswith('would become "default": 580 windows')
    assert "Nothing has been written. Write it with: forecourt baseline update default --confirm" in told.stdout
    assert re.search(rf"GET {ROUTES[0]} +working hours +p50 +\d+(\.\d)? ms +\d+(\.\d)? ms +[12]\.\d\d", told.stdout)
    assert "these are worse than before; once learnt they pass for usual" in told.stderr
    assert _row(learnt) == before
    written = asked("update", *WEEK, "--confirm")
    assert (written["written"], {one["key"]["http.route"] for one in written["worse"]}) == (True, {ROUTES[0]})
    assert _row(learnt) != before
    assert asked("update", *WEEK)["worse"] == []


def test_an_update_names_what_is_new_and_gone(learnt: Path) -> None:
    for path in (learnt / "logs" / "rollups").iterdir():
        path.write_bytes(path.read_bytes().replace(b'"/api/auth/login"', b'"/api/v2/login"'))
    told = run("update", *WEEK).stdout
    assert "\nnew: GET /api/v2/login\ngone: GET /api/auth/login\n" in told


def test_without_the_default_one_nothing_fails_and_nothing_is_written(place: Path) -> None:
    """The monthly maintenance and cron ask for it before somebody has made it."""
    for command in (("compare",), ("update", "--confirm"), ("show",)):
        told = run(*command)
        assert told.stderr == 'there is no baseline "default"; make one: forecourt baseline create\n'
        assert told.stdout == ""
    assert asked("compare") is None
    assert not (place / "logs" / OWN_FOLDER / "state.db").exists()


def test_one_that_is_asked_for_by_name_must_be_there(place: Path) -> None:
    for command in ("compare", "update", "show", "delete"):
        assert 'there is no baseline "other"; make one' in run(command, "other", code=1).stderr
    run("create", *WEEK)
    assert 'there is no baseline "other"; there are: default' in run("show", "other", code=1).stderr
    assert place.is_dir()


@pytest.mark.untraced
def test_nothing_is_made_of_nothing(place: Path) -> None:
    told = run("create", "--from", "2020-01-01", "--to", "2020-01-08", code=1)
    assert "there is nothing to learn from: no route or query has 30 requests in this time" in told.stderr
    run("create", *WEEK)
    before = _row(place)
    assert run("update", "--from", "2020-01-01", "--to", "2020-01-08", "--confirm", code=1).stdout == ""
    assert _row(place) == before


@pytest.mark.parametrize("name", ["../up", "a b", "", "x" * 65, "\x1b[31mred", "a/b", ".hidden", "\u202eabc", "x\n"])
@pytest.mark.parametrize("command", ["create", "compare", "update", "show", "delete"])
def test_names_that_are_none_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    """Clearly, and nothing of them reaches the terminal or the folder."""
    (tmp_path / "logs").mkdir()
    monkeypatch.chdir(tmp_path)
    told = run(command, name, code=2)
    assert "is no name for a baseline, expected at most 64 letters, digits" in " ".join(told.stderr.split())
    check_is_harmless(told.stderr)
    assert not list((tmp_path / "logs").iterdir())


def test_shares_that_are_none_are_refused() -> None:
    assert (
        "'much' is not a share, expected for example 20%"
        in run("compare", "--alert-on-deviation", "much", code=2).stderr
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is damaged"),
        ('{"format": 9, "name": "default"}', "has format 9, this Forecourt knows up to 1. Upgrade it"),
        ('{"format": 1, "name": "default", "keys": []}', "is damaged"),
    ],
)
@pytest.mark.untraced
def test_a_damaged_one_is_told_and_can_be_made_anew(learnt: Path, content: str, told: str) -> None:
    state = State.open(learnt / "logs" / OWN_FOLDER / "state.db")
    baseline_rows.put(state, BaselineRow("default", 1, content))
    state.close()
    for command in ("compare", "show"):
        assert told in " ".join(run(command, code=1).stderr.split())
    assert told in asked("list")[0]["problem"]
    assert told in " ".join(run("list").stdout.split())
    assert told in " ".join(run("update", *WEEK, "--confirm").stderr.split())
    assert asked("show")["windows"] == 580


@pytest.mark.untraced
def test_what_routes_are_called_is_harmless(place: Path) -> None:
    for path in (place / "logs" / "rollups").iterdir():
        lines = [poisoned(orjson.loads(line)) for line in path.read_bytes().splitlines()]
        path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    for command in (("create",), ("show",), ("compare",), ("update",), ("update", "--confirm")):
        told = run(*command, *(() if command == ("show",) else WEEK))
        check_is_harmless(told.output)
    assert "owned" in run("show").stdout


def test_a_folder_without_records_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("create", "compare", "list", "show"):
        assert "no such folder" in run(command, code=2).stderr


def test_every_command_has_an_example_that_can_be_typed() -> None:
    for command in ("create", "compare", "update", "list", "show", "delete"):
        assert f"Example: forecourt baseline {command}" in " ".join(run(command, "--help").stdout.split())
    assert DEFAULT_NAME == DEFAULT


@pytest.mark.untraced
def test_json_has_the_keys_that_are_documented(place: Path) -> None:
    told = (ROOT / "docs" / "baselines.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `baseline (\w+)` \| `(.+)` \|$", told, re.MULTILINE))
    slow = ("--from", iso(END - 12 * HOUR), "--to", iso(END))
    answers = {"create": asked("create", "poor", "--from", iso(START), "--to", iso(START + DAY))}
    run("create", *WEEK)
    slow_down(place / "logs", START + DAY, END, 4)
    answers["update"] = asked("update", *WEEK)
    answers["compare"] = asked("compare", *slow)
    answers["show"] = asked("show")
    listed = asked("list")
    answers["delete"] = asked("delete", "default")
    found = {name: shape(answer) for name, answer in answers.items()} | {"list": f"[{shape(listed[0])}]"}
    assert documented == found


def test_rows_are_added_replaced_and_removed_and_a_reader_notices(tmp_path: Path) -> None:
    """By their versions, in another process too; the content is as it was."""
    state, other = State.open(tmp_path / "state.db"), State.open(tmp_path / "state.db")
    row = BaselineRow("a", 1, '{"x": "ü"}')
    assert (baseline_rows.add(state, row), baseline_rows.add(state, row._replace(content="other"))) == (True, False)
    assert (baseline_rows.find(other, "a"), baseline_rows.find(other, "b")) == (row, None)
    seen = [baseline_rows.versions(other)]
    baseline_rows.put(state, BaselineRow("a", 2, "{}"))
    baseline_rows.put(state, BaselineRow("0", 3, "{}"))
    seen.append(baseline_rows.versions(other))
    assert [one.name for one in baseline_rows.all_of(other)] == ["0", "a"]
    assert (baseline_rows.remove(state, "a"), baseline_rows.remove(state, "a")) == (True, False)
    seen.append(baseline_rows.versions(other))
    assert seen == [{"a": 1}, {"a": 2, "0": 3}, {"0": 3}]
    state.close()
    other.close()


def test_a_database_that_refuses_is_told_as_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    State.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE baselines")
    connection.commit()
    connection.close()
    state = State.open(path)
    for step in (
        lambda: baseline_rows.put(state, BaselineRow("a", 1, "{}")),
        lambda: baseline_rows.all_of(state),
        lambda: baseline_rows.versions(state),
    ):
        with pytest.raises(StateError, match=r"state\.db: no such table: baselines"):
            step()
    state.close()
