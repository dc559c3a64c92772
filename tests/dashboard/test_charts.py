"""Charts hold what the browser draws, whatever telemetry says; the libraries that draw are those described."""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts import BandRange, Line, Mark, TimelineItem, bars, heatmap, lines, local, timeline

STATIC = Path(__file__).parents[2] / "dashboard" / "static"
VENDOR = STATIC / "vendor"
NOON = 1_795_435_200_000
"""2026-11-23T12:00:00Z in milliseconds."""
MINUTE = 60_000
TIMES = [NOON, NOON + MINUTE]
HOSTILE = "<img src=x onerror=alert(1)>\x00\x1b[31m\u202e" + "x" * 10_000
OBEYED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Categories of characters that change how others are shown."""
EVALUATING = re.compile(r"\beval\(|\bFunction\(")


def test_lines_with_bands_and_marks() -> None:
    """Each line comes with its values and looks, each band with both ends, each mark with its moment."""
    assert lines(
        TIMES,
        [Line("p95", [0.2, None], area=True), Line("yesterday", [0.1, 0.3], dashed=True, tone="muted")],
        unit="s",
        bands=[BandRange("warning", 0.2, 0.5, "warning > 200 ms"), BandRange("critical", 0.5, None)],
        marks=[Mark(NOON, "backend 1.4.2")],
        logarithmic=True,
        opens="/requests?from={from}&to={to}",
    ) == {
        "kind": "lines",
        "times": [NOON, NOON + MINUTE],
        "unit": "s",
        "series": [
            {"name": "p95", "values": [0.2, None], "dashed": False, "area": True, "tone": ""},
            {"name": "yesterday", "values": [0.1, 0.3], "dashed": True, "area": False, "tone": "muted"},
        ],
        "left_out": 0,
        "marks": [{"time": NOON, "text": "backend 1.4.2"}],
        "opens": "/requests?from={from}&to={to}",
        "bands": [
            {"level": "warning", "low": 0.2, "high": 0.5, "label": "warning > 200 ms"},
            {"level": "critical", "low": 0.5, "high": None, "label": ""},
        ],
        "stacked": False,
        "logarithmic": True,
    }


def test_bars() -> None:
    """Bars are what lines are, without bands."""
    assert bars(TIMES, [Line("ERROR", [3, 0], tone="critical")], unit="1") == {
        "kind": "bars",
        "times": [NOON, NOON + MINUTE],
        "unit": "1",
        "series": [{"name": "ERROR", "values": [3, 0], "dashed": False, "area": False, "tone": "critical"}],
        "left_out": 0,
        "marks": [],
        "opens": "",
    }


def test_heatmap_of_ranges() -> None:
    """Cells are column, row and count; empty ones cost nothing."""
    counts = ((0, 4), (1, 0))
    assert heatmap(TIMES, (), counts, bounds_seconds=(0.1, 0.2, 0.5), opens="/requests?from={from}&low={low}") == {
        "kind": "heatmap",
        "times": [NOON, NOON + MINUTE],
        "rows": [],
        "bounds": [0.1, 0.2, 0.5],
        "cells": [(0, 1, 4), (1, 0, 1)],
        "opens": "/requests?from={from}&low={low}",
    }


def test_heatmap_of_names() -> None:
    """Rows may have names instead of ranges."""
    drawn = heatmap(TIMES, ["monday", HOSTILE], [[1, 2], [0, 0]])
    found = (drawn["rows"][0], len(drawn["rows"][1]), drawn["bounds"], drawn["cells"])
    assert found == ("monday", 80, [], [(0, 0, 1), (0, 1, 2)])


def test_heatmap_without_requests() -> None:
    """A map of nothing, as analysis gives it, is drawn as nothing."""
    assert heatmap(TIMES, (), ((), ()))["cells"] == []


@pytest.mark.parametrize("cells", [[[1, 2]], [[1], [2]], [[1, 2, 3], [1, 2, 3]]])
def test_cells_that_do_not_match(cells: list[list[int]]) -> None:
    """Cells for other times or rows are refused with what was expected."""
    with pytest.raises(ValueError, match=r"expected 2 times of 2 rows"):
        heatmap(TIMES, (), cells, bounds_seconds=(0.1, 0.2, 0.5))


def test_timeline() -> None:
    """Spans are cut to the time shown; what lies beside it, or in no row, is left out."""
    drawn = timeline(
        ["host.disk"],
        [
            TimelineItem(0, NOON - MINUTE, NOON + MINUTE, "critical", "disk is full", "/alerts/1"),
            TimelineItem(0, NOON - 9 * MINUTE, NOON - 5 * MINUTE, "low", "before"),
            TimelineItem(1, NOON, NOON + MINUTE, "low", "no such row"),
            TimelineItem(0, NOON + MINUTE, NOON, "low", "ends before it begins"),
        ],
        start_ms=NOON,
        end_ms=NOON + 5 * MINUTE,
    )
    assert drawn == {
        "kind": "timeline",
        "rows": ["host.disk"],
        "items": [
            {
                "row": 0,
                "start": NOON,
                "end": NOON + MINUTE,
                "level": "critical",
                "label": "disk is full",
                "link": "/alerts/1",
            }
        ],
        "start": NOON,
        "end": NOON + 5 * MINUTE,
    }


def test_values_for_other_times() -> None:
    """A line that has not one value for each time is refused by its name."""
    with pytest.raises(ValueError, match="p95: 1 values for 2 times"):
        lines(TIMES, [Line("p95", [1.0])], unit="s")


@pytest.mark.parametrize(
    "address", ["https://example.org/", "//example.org/", "/\\example.org", "requests", "javascript:alert(1)", "/a\nb"]
)
def test_addresses_elsewhere(address: str) -> None:
    """No click on a chart leaves this site."""
    with pytest.raises(ValueError, match="expected a path of these pages"):
        lines(TIMES, [], unit="s", opens=address)
    with pytest.raises(ValueError, match="expected a path of these pages"):
        heatmap([], [], [], opens=address)
    with pytest.raises(ValueError, match="expected a path of these pages"):
        timeline(["a"], [TimelineItem(0, 0, 1, "low", "", address)], start_ms=0, end_ms=1)


def test_local_addresses() -> None:
    """Paths of this site stay as they are, and so does none at all."""
    assert [local(one) for one in ("", "/", "/requests?from={from}")] == ["", "/", "/requests?from={from}"]


def texts(drawn: Any) -> list[str]:
    if isinstance(drawn, dict):
        return [text for one in drawn.values() for text in texts(one)]
    if isinstance(drawn, list | tuple):
        return [text for one in drawn for text in texts(one)]
    return [drawn] if isinstance(drawn, str) else []


@given(st.text(max_size=400) | st.just(HOSTILE))
def test_texts_of_others(text: str) -> None:
    """Whatever a name holds, the chart gets at most 80 characters of it, none a control."""
    series = [Line(text, [1.0, 2.0])]
    drawn = [
        lines(TIMES, series, unit=text, bands=[BandRange("warning", 1, None, text)], marks=[Mark(NOON, text)]),
        bars(TIMES, series, unit=text),
        heatmap(TIMES, [text], [[1], [1]]),
        timeline([text], [TimelineItem(0, 0, 1, text, text)], start_ms=0, end_ms=1),
    ]
    assert [one for one in texts(drawn) if len(one) > 80 or any(category(letter) in OBEYED for letter in one)] == []


@given(st.lists(st.floats() | st.none(), max_size=5))
def test_numbers_of_others(values: list[float | None]) -> None:
    """A chart is valid JSON whatever was measured: what is not finite has no value, all else stays."""
    bands = [BandRange("critical", math.nan, math.inf)]
    drawn = lines(range(len(values)), [Line("a", values)], unit="s", bands=bands)
    read = json.loads(json.dumps(drawn, allow_nan=False))
    assert read["series"][0]["values"] == [one if one is not None and math.isfinite(one) else None for one in values]
    assert (read["bands"][0]["low"], read["bands"][0]["high"]) == (None, None)


def test_more_than_can_be_drawn() -> None:
    """Series, marks, rows and items without end are cut, and how many series is told."""
    drawn = lines(TIMES, [Line(str(number), [1, 2]) for number in range(1000)], unit="1", marks=[Mark(0, "x")] * 1000)
    spans = timeline(["a"] * 1000, [TimelineItem(0, 0, 1, "low", "")] * 5000, start_ms=0, end_ms=1)
    found = (len(drawn["series"]), drawn["left_out"], len(drawn["marks"]), len(spans["rows"]), len(spans["items"]))
    assert found == (40, 960, 50, 100, 2000)


def test_libraries_are_those_described() -> None:
    """The table of the README names every library with the hash of the file that is served."""
    rows = re.compile(r"^\| `(\S+)` .* `([0-9a-f]{64})` \|$", re.MULTILINE)
    described = dict(rows.findall((VENDOR / "README.md").read_text()))
    assert described == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")}


def test_entry_file_is_the_one_described() -> None:
    """The README shows the very entry file that ECharts was built from."""
    assert (VENDOR / "echarts.entry.mjs").read_text() in (VENDOR / "README.md").read_text()


def test_libraries_evaluate_no_text() -> None:
    """The pages' policy allows no eval: no script has one, but for htmx, which has each behind `allowEval`."""
    scripts = {path: path.read_text() for path in STATIC.rglob("*.js")}
    assert [path.name for path, text in scripts.items() if EVALUATING.search(text)] == ["htmx.min.js"]
    htmx = scripts[VENDOR / "htmx.min.js"]
    guard = re.search(r"function (\w+)\(e,t,n\)\{if\(\w+\.config\.allowEval\)\{return t\(\)\}", htmx)
    assert guard is not None
    near = [htmx[max(0, found.start() - 110) : found.start()] for found in EVALUATING.finditer(htmx)]
    assert [f"{guard[1]}(" in before for before in near] == [True] * 5


def test_charts_write_no_markup() -> None:
    """The scripts that draw charts build no HTML from text."""
    ways = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setAttribute\(.style")
    own = [STATIC / "charts.js", *(STATIC / "charts").glob("*.js")]
    assert [path.name for path in own if ways.search(path.read_text())] == []
