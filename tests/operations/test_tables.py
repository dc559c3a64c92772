"""Tables on terminals of any width: nothing is cut, numbers stay in one piece, and what is left out is said."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from operations import tables

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
COLUMNS = ("route", "requests", "p50", "p95", "trace")
ROWS = (
    ("GET /api/v1/work-orders/{number}/dispensers", "1,234,567", "12.3 ms", "45.6 ms", TRACE),
    ("GET /", "7", "1.2 s", "10 s", TRACE),
)


def shown(width: int, *, spare: tuple[str, ...] = (), rows: tuple[tuple[object, ...], ...] = ROWS) -> str:
    file = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "console", lambda: Console(file=file, width=width, highlight=False))
        tables.show_table(COLUMNS, rows, right=COLUMNS[1:4], spare=spare)
    return file.getvalue()


def test_a_wide_terminal_has_everything_in_its_line() -> None:
    assert shown(200, spare=("p50",)).splitlines() == [
        "route                                         requests      p50      p95  trace                           ",
        f"GET /api/v1/work-orders/{{number}}/dispensers  1,234,567  12.3 ms  45.6 ms  {TRACE}",
        f"GET /                                                7    1.2 s     10 s  {TRACE}",
    ]


def test_texts_fold_and_numbers_and_ids_do_not() -> None:
    text = shown(96)
    assert all(len(line) <= 96 for line in text.splitlines())
    assert text.count(TRACE) == 2
    for number in ("1,234,567", "12.3 ms", "45.6 ms", "1.2 s"):
        assert number in text
    assert "no room" not in text


def test_spare_columns_go_first_and_that_is_said() -> None:
    """As few as are needed."""
    text = shown(80, spare=("p50", "requests", "trace"))
    assert "12.3 ms" not in text
    assert text.count(TRACE) == 2
    assert text.splitlines()[-1] == "no room for p50: widen the terminal, or ask with --json"
    assert "no room for p50, requests, trace:" in shown(40, spare=("p50", "requests", "trace")).replace("\n", " ")


@given(st.integers(20, 120))
def test_nothing_is_ever_cut(width: int) -> None:
    """Be it folded wherever, every character is there."""
    rows = (("GET /api/v1/work-orders/{number}/dispensers", "1,234,567", "12.3 ms", "45.6 ms", TRACE),)
    text = Counter(shown(width, rows=rows))
    assert text >= Counter("".join(map(str, (*COLUMNS, *rows[0]))).replace(" ", ""))


def test_what_comes_from_outside_is_no_markup() -> None:
    assert "[red]GET /[/red]" in shown(200, rows=(("[red]GET /[/red]", "1", "2", "3", "x"),))


def test_sparklines_stay_in_one_piece() -> None:
    spark = "▁ ▂▃  ▅▆▇█ ▁▁▁▁▁▁▁▁▁▁▁▁▁█"
    assert spark in shown(60, rows=((spark, "1", "2", "3", "x"),))
