"""`forecourt sql`: the user's own questions, in each form, and nothing but questions."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import duckdb
import orjson
import pytest
from click.testing import CliRunner, Result

from operations.answers import sql
from operations.cli import main
from tests.support.week import START, Week, iso

HOUR = ("--from", iso(START), "--to", iso(START + 3600))
BY_ROUTE = "SELECT route, count(*) AS requests, max(response_time) FROM performance GROUP BY route ORDER BY route"


def run(week: Week, text: str, *given: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["sql", text, "--logs", str(week.logs), *given], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def truth(week: Week) -> list[tuple[str, int, float]]:
    asked = [one for one in week.requests if START <= one.at < START + 3600]
    routes = sorted({one.route for one in asked})
    seconds = {route: [one.seconds for one in asked if one.route == route] for route in routes}
    return [(route, len(taken), pytest.approx(max(taken))) for route, taken in seconds.items()]


def test_a_bar_in_a_cell_ends_no_cell_of_markdown(week: Week) -> None:
    """It is escaped, as GitHub's tables have it."""
    assert run(week, "SELECT 'a|b' AS cell", "--format", "markdown").stdout == "| cell |\n| --- |\n| a\\|b |\n"


def test_a_number_that_json_readers_have_no_room_for_is_text(week: Week) -> None:
    """Up to 64 bits it is a number."""
    text = "SELECT 18446744073709551615::HUGEINT AS last, 18446744073709551616::HUGEINT AS beyond"
    assert orjson.loads(run(week, text, "--format", "json").stdout) == [
        {"last": 18446744073709551615, "beyond": "18446744073709551616"}
    ]


def test_rows_as_json_csv_markdown_and_a_table(week: Week, tmp_path: Path) -> None:
    """The same rows in each; numbers stay numbers."""
    expected = truth(week)
    found = orjson.loads(run(week, BY_ROUTE, "--format", "json", *HOUR).stdout)
    assert [tuple(row.values()) for row in found] == expected
    assert list(found[0]) == ["route", "requests", "max(response_time)"]
    assert orjson.loads(run(week, BY_ROUTE, "--json", *HOUR).stdout) == found
    path = tmp_path / "rows.csv"
    run(week, BY_ROUTE, "--format", "csv", "--output", str(path), *HOUR)
    header, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
    assert header == list(found[0])
    assert [(route, int(count), float(slowest)) for route, count, slowest in rows] == expected
    lines = run(week, BY_ROUTE, "--format", "markdown", *HOUR).stdout.splitlines()
    assert lines[:2] == ["| route | requests | max(response_time) |", "| --- | --- | --- |"]
    assert len(lines) == len(expected) + 2
    shown = run(week, BY_ROUTE, *HOUR)
    assert shown.stderr == f"{len(expected)} rows\n"
    assert expected[0][0] in shown.stdout


def test_parquet_is_written_whole(week: Week, tmp_path: Path) -> None:
    path = tmp_path / "it's rows.parquet"
    run(week, BY_ROUTE, "--format", "parquet", "--output", str(path), *HOUR)
    rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    assert rows == truth(week)
    missing = run(week, BY_ROUTE, "--format", "parquet", *HOUR, code=2)
    assert "needs --output FILE" in missing.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("DROP VIEW traces", "expected one SELECT"),
        ("SELECT 1; SELECT 2", "expected one SELECT"),
        ("SELECT nothing FROM traces", "nothing"),
        ("SELECT * FROM read_text('/etc/passwd')", "read_text"),
        ("SELECT * FROM '/etc/passwd'", "passwd"),
        ("SELEKT 1", "syntax error"),
        ("", "expected one SELECT"),
    ],
)
def test_nothing_else_can_be_asked(week: Week, text: str, told: str) -> None:
    """One clear error, never a traceback, never a file that is none of ours."""
    refused = run(week, text, code=1)
    assert told in refused.stderr
    assert "root:" not in refused.output


def test_no_rows_are_an_answer_and_control_characters_stay_out_of_the_terminal(week: Week) -> None:
    assert run(week, "SELECT name FROM traces WHERE false", "--format", "json").stdout == "[]\n"
    assert "\x1b" not in run(week, "SELECT chr(27) || '[31mred' AS colour").stdout
    found = orjson.loads(run(week, "SELECT [1, 2] AS list, {'a': 1} AS inner, NULL AS none", "--json").stdout)
    assert found == [{"list": [1, 2], "inner": {"a": 1}, "none": None}]


def test_times_with_a_zone_and_large_numbers_have_a_form(week: Week) -> None:
    text = "SELECT to_timestamp(0) AS t, 2::HUGEINT ** 70 AS n, 18446744073709551615::UBIGINT AS u"
    found = CliRunner().invoke(main, ["sql", text, "--json", "--logs", str(week.logs)])
    assert orjson.loads(found.stdout)[0]["t"] == "1970-01-01T00:00:00+00:00"
    assert orjson.loads(found.stdout)[0]["u"] == 18446744073709551615


@pytest.mark.parametrize("command", [["sql", "SELECT 1 AS a"], ["report", "weekly"]])
def test_output_is_a_file_for_json_too_and_one_that_can_not_be_made_is_told(
    week: Week, tmp_path: Path, command: list[str]
) -> None:
    file = tmp_path / "out.json"
    given = [*command, "--json", "--logs", str(week.logs), "--output"]
    assert CliRunner().invoke(main, [*given, str(file)]).exit_code == 0
    assert orjson.loads(file.read_bytes())
    refused = CliRunner().invoke(main, [*given, str(tmp_path / "no" / "folder")])
    assert (refused.exit_code, refused.stderr.startswith("Error: [Errno 2]")) == (1, True)


@pytest.mark.parametrize(("count", "told"), [(10, ""), (11, "cut after 10 rows; --format parquet has no end\n")])
def test_what_is_too_long_to_read_is_cut_and_that_is_said(
    week: Week, monkeypatch: pytest.MonkeyPatch, count: int, told: str
) -> None:
    monkeypatch.setattr(sql, "_MOST_ROWS", 10)
    result = CliRunner().invoke(main, ["sql", f"SELECT * FROM range({count})", "--json", "--logs", str(week.logs)])  # noqa: S608  # a number
    assert (len(orjson.loads(result.stdout)), result.stderr) == (10, told)
