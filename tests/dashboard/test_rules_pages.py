"""Every judge's rules against their bands, and what other bounds would have done, before anybody writes them down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.engine import Engine
from analysis.period import Period
from analysis.tuning import courses
from analysis.what_if import Firing, firings
from dashboard import shown as shown_module
from dashboard.site import Rebanding
from operations.configuration import load
from operations.page_site import site_of
from processors.conditions import parse_condition
from processors.judging_settings import JudgingSettings
from processors.rule_state import Band
from processors.rules import Rule, compile_rules
from processors.settings import ThresholdSettings
from tests.dashboard.opening import WEEK_END, Opening, Shown
from tests.dashboard.standing import NANO, judged, measure, publish
from tests.support.notifying import evaluation
from tests.support.week import END, SERVICE, SLOW, START, Week, iso

P95 = "http.server.p95"
OFTEN = {P95: {"minimum_count": 1}, "host.disk": {"minimum_count": 1}}
"""The recorded week has one request in 45 s."""
JUDGING = JudgingSettings.model_validate({"thresholds": {"rules": OFTEN}})
DAY = {"from_": "2026-11-19T00:00:00Z", "to": "2026-11-20T00:00:00Z"}
"""The day with the slow hour."""
DAY_PERIOD = Period((START + 3 * 86_400) * NANO, (START + 4 * 86_400) * NANO)
NOTHING = "Nothing was measured in this time. Choose another time above."


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole page waits for its content, and has its status."""
    monkeypatch.setattr(shown_module, "_AT_ONCE_SECONDS", 20.0)


def rule(name: str = P95) -> Rule:
    return next(one for one in compile_rules(JUDGING.thresholds)[0] if one.name == name)


def of_week(week: Week, path: str, **query: object) -> Shown:
    with Opening(week.logs, judging=JUDGING) as pages:
        return pages.shown(path, **query)


def listed(folder: Path, **query: object) -> dict[str, list[str]]:
    with Opening(folder) as pages:
        return {row[0]: row[1:] for row in pages.shown("/rules", **query).tables[0][1:]}


def test_all_rules_of_all_judges_are_listed(tmp_path: Path) -> None:
    """What is critical first; each with its worst key, its bounds and who judges it."""
    publish(
        tmp_path,
        WEEK_END,
        judged("host.disk", 0.5, of="/"),
        judged("host.disk", 0.95, "critical", of="/data", status="firing", severity="high"),
        judged(P95, 4.2, "warning", of="app", unit="s"),
        judged("anomaly.cpu", 0.1, of="host"),
        judged("baseline.response_time", None, "no data", detail="too little is known"),
    )
    rows = listed(tmp_path)
    assert rows["host.disk ■ fires"] == [
        "■ critical",
        "95 %",
        "/data and 1 more",
        "> 80% is medium; > 90% is high",
        "threshold",
    ]
    assert rows[P95] == ["▲ warning", "4.2 s", "app", "> 3s is low; > 10s is high", "threshold"]
    assert rows["anomaly.cpu"][:3] == ["● normal", "10 %", "host"]
    assert rows["baseline.response_time"][:3] == ["○ no data", "", "too little is known"]
    assert rows["security.guessing.user"] == ["● normal", "", "nobody", ">= 5 within 15min", "security"]
    assert rows["host.cpu"][:3] == ["○ no data", "", ""]
    assert list(rows)[:2] == ["host.disk ■ fires", P95]
    assert len(rows) == len(JudgingSettings().known_rules())


def test_a_rule_that_fires_for_many_keys_counts_them(tmp_path: Path) -> None:
    """The number of keys, not of alerts."""
    disks = [judged("host.disk", 0.95, "critical", of=f"/{n}", status="firing", severity="high") for n in range(3)]
    publish(tmp_path, WEEK_END, *disks)
    assert "host.disk ■ fires for 3 keys" in listed(tmp_path)


def test_rules_are_found_by_name_and_judge(tmp_path: Path) -> None:
    """In any case; what is not there is said with how many there are."""
    assert set(listed(tmp_path, find="HOST.d")) == {"host.disk"}
    assert {row[-1] for row in listed(tmp_path, find="anomaly").values()} == {"anomaly"}
    with Opening(tmp_path) as pages:
        shown = pages.shown("/rules", find="<nothing>" * 200)
    count = len(JudgingSettings().known_rules())
    assert f"No rule of {count} has this in its name." in shown.text
    assert len(shown.fields["find"]) <= 500


def test_without_a_sidecar_rules_have_no_values(tmp_path: Path) -> None:
    """Nor does any look well; what is switched off says so."""
    judging = JudgingSettings.model_validate({"security": {"enabled": False}})
    with Opening(tmp_path, judging=judging) as pages:
        shown = pages.shown("/rules")
    assert "no sidecar has run on" in shown.text
    bands = {row[1] for row in shown.tables[0][1:]}
    assert bands == {"○ no data", "switched off"}
    assert shown.tables[0][-1][1] == "switched off"


@pytest.mark.parametrize(
    ("name", "judge", "bounds"),
    [
        (P95, "threshold", "> 3s is low; > 10s is high"),
        ("anomaly.cpu", "anomaly", "score >= 0.8"),
        ("security.guessing.user", "security", ">= 5 within 15min"),
        ("baseline.error_rate", "baseline", None),
    ],
)
def test_each_judges_rule_has_a_page(tmp_path: Path, name: str, judge: str, bounds: str | None) -> None:
    """With its bounds, its values now, the worst first, and what to do when it fires."""
    keys = [("b", 0.2, "normal"), ("a", 0.9, "critical"), ("c", None, "no data")]
    publish(tmp_path, WEEK_END, *(judged(name, value, band, of=of, unit="1") for of, value, band in keys))
    with Opening(tmp_path) as pages:
        shown = pages.shown(f"/rules/{name}")
    known = JudgingSettings().known_rules()[name].description
    assert f"judge {judge} bounds {bounds or '; '.join(known.bounds)}" in shown.text
    values = shown.tables[0]
    assert [row[0] for row in values[1:]] == [f"service.name={of}" for of in ("a", "b", "c")]
    assert values[1][1:4] == ["■ critical", "0.9", "100"]
    assert f"What to do when it fires {known.next_steps[0]} Copy" in shown.text
    assert NOTHING in shown.text
    assert ("What would other bounds have done?" in shown.text) == (judge == "threshold")


def test_a_rule_that_is_off_says_so(tmp_path: Path) -> None:
    """On its page too, and it can't be tried."""
    judging = JudgingSettings.model_validate({"thresholds": {"rules": {P95: {"enabled": False}}}})
    with Opening(tmp_path, judging=judging) as pages:
        shown = pages.shown(f"/rules/{P95}")
    assert "judge threshold, switched off" in shown.text
    assert "What would other bounds have done?" not in shown.text


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("name", ["nobody", "a/b/c", "%3Cscript%3E", "x" * 3000])
def test_a_rule_that_is_none(tmp_path: Path, name: str) -> None:
    """A sentence, and where the others are."""
    with Opening(tmp_path) as pages:
        answer = pages.whole(f"/rules/{name}")
    assert answer.status_code == 404
    assert "is configured; the page Rules has those that are" in answer.text
    assert "<script>n" not in answer.text


@pytest.mark.parametrize("minutes", [15, 60, 360])
def test_values_of_a_short_time_are_a_line(week: Week, minutes: int) -> None:
    """There is one a minute: a finer step would draw dots with nothing between them."""
    asked = {"from_": iso(SLOW[0] + 60), "to": iso(SLOW[0] + 60 + 60 * minutes)}
    chart = of_week(week, f"/rules/{P95}", **asked).charts["rule-course"]
    (line,) = chart["series"]
    assert (len(line["values"]), None in line["values"][1:-1]) == (minutes, False)


def test_the_value_over_time_comes_from_rollups(week: Week) -> None:
    """Of each step the value furthest out, beside the bands."""
    shown = of_week(week, f"/rules/{P95}", **DAY)
    chart = shown.charts["rule-course"]
    ((course,),) = [courses(Engine(week.logs, None), rule(), DAY_PERIOD)]
    measured = [one.value for one in course.values if one.value is not None]
    (line,) = chart["series"]
    assert line["name"] == SERVICE
    assert max(one for one in line["values"] if one is not None) == pytest.approx(max(measured))
    slow = [
        value
        for time, value in zip(chart["times"], line["values"], strict=True)
        if SLOW[0] * 1000 + 600_000 <= time < SLOW[1] * 1000 and value is not None
    ]
    assert min(slow) > 1
    assert [(one["level"], one["low"], one["high"]) for one in chart["bands"]] == [
        ("warning", 3.0, None),
        ("critical", 10.0, None),
    ]
    assert "Value against its bands minute by minute, from rollups" in shown.text


def test_what_no_rollup_tells_comes_from_the_sidecar(tmp_path: Path) -> None:
    """The last day, each key a line, with gaps where nothing was measured."""
    publish(tmp_path, WEEK_END)
    name, slot = "form_automation.success_rate", 300
    at = END - 3600
    values = [("a", 0.5, at), ("a", 0.75, at + slot), ("a", 0.25, at + 4 * slot), ("b", 1.0, at + slot)]
    measure(
        tmp_path, [evaluation(name, of=of, value=value, time_unix_nano=(time + 1) * NANO) for of, value, time in values]
    )
    with Opening(tmp_path) as pages:
        shown = pages.shown(f"/rules/{name}", last="2h")
    series = {
        line["name"]: [one for one in line["values"] if one is not None]
        for line in shown.charts["rule-course"]["series"]
    }
    assert series == {"a": [0.5, 0.75, 0.25], "b": [1.0]}
    assert "the worst of each 5 minutes of the last 24 h, as judged" in shown.text
    assert shown.charts["rule-course"]["unit"] == "ratio"
    with Opening(tmp_path) as pages:
        assert NOTHING in pages.shown(f"/rules/{name}", last="15min").text


def _bands(*conditions: str, clear: str | None = "< 2s") -> tuple[Band, ...]:
    made = []
    for band, text in zip(rule().bands, conditions, strict=True):
        cleared = parse_condition(clear) if band.clear is not None and clear else None
        made.append(Band(band.level, parse_condition(text), cleared, band.severity))
    return tuple(made)


def _told(week: Week, bands: tuple[Band, ...]) -> list[Firing]:
    return firings(courses(Engine(week.logs, None), rule(), DAY_PERIOD), rule(), bands)


@pytest.mark.parametrize(
    ("query", "bands"),
    [
        ({"when0": "> 1s", "when1": "> 2s", "clear0": "< 500ms"}, _bands("> 1s", "> 2s", clear="< 500ms")),
        ({"when0": "> 1s"}, _bands("> 1s", "> 10s")),
        ({"when0": "> 20s", "when1": "> 30s"}, _bands("> 20s", "> 30s")),
        ({"when0": "> 3s"}, _bands("> 3s", "> 10s")),
    ],
)
def test_other_bounds_are_tried_on_what_was_measured(
    week: Week, query: dict[str, str], bands: tuple[Band, ...]
) -> None:
    """What would have fired, when and how bad: the same as the analysis tells, beside what did."""
    before, after = _told(week, rule().bands), _told(week, bands)
    shown = of_week(week, f"/rules/{P95}", **DAY, **query)
    word = "alert" if len(after) == 1 else "alerts"
    assert f"{len(after)} {word} instead of {len(before)}" in shown.text
    chart = shown.charts["tried-timeline"]
    assert chart["rows"] == ["as configured", "with your bounds"]
    expected = [
        (row, one.start_unix_nano // 10**6, one.severity) for row, found in ((0, before), (1, after)) for one in found
    ]
    assert [(one["row"], one["start"], one["level"]) for one in chart["items"]] == expected
    rows = shown.tables[-1][1:]
    assert [row[2] for row in rows if len(row) > 1] == [one.severity for one in after]
    assert (rows == [["nothing would have fired"]]) == (after == [])
    assert shown.fields["when0"] == query["when0"]


def test_the_slow_hour_would_have_fired(week: Week) -> None:
    """The tries above are about something: as configured and with stricter bounds the numbers differ."""
    assert len(_told(week, rule().bands)) >= 1
    assert len(_told(week, _bands("> 1s", "> 2s"))) >= 1
    assert _told(week, _bands("> 20s", "> 30s")) == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"when0": "fast"}, "'fast' is not a condition, expected for example"),
        ({"when0": ""}, "'' is not a condition, expected for example"),
        ({"when0": "< 3s"}, "< 3s: a bound of this rule begins with >"),
        ({"when1": "> 3 parsecs"}, "'> 3 parsecs' has the unknown unit 'parsecs'"),
        ({"when0": "> 3s", "clear0": "soon"}, "'soon' is not a condition"),
        ({"when0": "<script>alert(1)</script>"}, "'<script>alert(1)</script>' is not a condition"),
        ({"when0": "x" * 30_000}, "'" + "x" * 200),
    ],
)
def test_a_bound_that_is_none_is_told(tmp_path: Path, query: dict[str, str], told: str) -> None:
    """What was typed stays in its field."""
    with Opening(tmp_path) as pages:
        shown = pages.shown(f"/rules/{P95}", **query)
    (alert,) = shown.alerts
    assert alert.startswith(f"▲ not a bound {told}")
    assert "instead of" not in shown.text
    assert "<script>alert" not in shown.html
    assert len(shown.html) < 50_000
    for name, value in query.items():
        assert shown.fields[name] == value[:500]


WRITTEN = """\
# Mine.
processors:
  thresholds:
    rules:
      http.server.p95:   # the slow ones
        bands:
          - {level: warning, when: "> 3s", severity: low}   # what users bear
"""


def test_bounds_that_please_are_shown_as_they_would_stand_in_the_file(tmp_path: Path) -> None:
    """As a difference to the operator's own file, which stays as it is."""
    config = tmp_path / "otel-config.yaml"
    config.write_text(WRITTEN, encoding="utf-8")
    site = site_of(load(config), config, tmp_path)
    with Opening(tmp_path, judging=site.judging, reband=site.reband) as pages:
        shown = pages.shown(f"/rules/{P95}", when0="> 4s")
        same = pages.shown(f"/rules/{P95}", when0="> 3s")
    assert f"To keep them Change {config} so, then forecourt collector reload:" in shown.text
    assert '- - {level: warning, when: "> 3s", severity: low} # what users bear' in shown.text
    assert "+ - {level: warning, when: '> 4s', severity: low} # what users bear" in shown.text
    assert "To keep them" not in same.text
    assert config.read_text(encoding="utf-8") == WRITTEN


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (Rebanding("", "", "<b>the file</b> can't be read"), "<b>the file</b> can't be read"),
        (Rebanding("mine.yaml", ""), "The file says so already."),
    ],
)
def test_a_file_that_cannot_have_them_says_why(tmp_path: Path, made: Rebanding, told: str) -> None:
    """In the place of the difference."""

    def reband(_rule: str, _bands: Any) -> Rebanding:
        return made

    with Opening(tmp_path, reband=reband) as pages:
        shown = pages.shown(f"/rules/{P95}", when0="> 4s")
    assert f"To keep them {told}" in shown.text
    assert "<b>" not in shown.html


def test_the_file_is_asked_for_the_bounds_that_were_typed(tmp_path: Path) -> None:
    """All bands of the rule, those that stay as they are too."""
    asked: list[tuple[str, list[str], list[str]]] = []

    def reband(name: str, bands: Any) -> Rebanding:
        asked.append((name, [str(one.when) for one in bands], [str(one.clear) for one in bands]))
        return Rebanding("", "")

    with Opening(tmp_path, reband=reband) as pages:
        pages.shown(f"/rules/{P95}", when1=" > 12s ", clear0="< 1s")
        pages.shown(f"/rules/{P95}", when1="> 10s")
    assert asked == [(P95, ["> 3s", "> 12s"], ["< 1s", "None"])]


def test_a_view_of_many_days_reads_no_minutes(tmp_path: Path) -> None:
    """What to choose instead is said."""
    with Opening(tmp_path) as pages:
        shown = pages.shown(f"/rules/{P95}", last="60days")
    assert "Nothing was measured in this time. Choose at most 31 days." in shown.text


def test_a_rule_of_ones_own_with_a_hostile_name(tmp_path: Path) -> None:
    """The file may call it anything."""
    name = "a/<b>\"'& c"
    own = {
        "indicator": "spans",
        "statistic": "count",
        "bands": [{"level": "warning", "when": "> 1", "severity": "low"}],
    }
    judging = JudgingSettings(thresholds=ThresholdSettings.model_validate({"rules": {name: own}}))
    publish(tmp_path, WEEK_END, judged(name, 3.0, "warning", of="<i>x</i>" * 1000))
    with Opening(tmp_path, judging=judging) as pages:
        shown = pages.shown("/rules", find="a/<b>")
        one = pages.shown(shown.links[name])
    assert name in one.text
    assert "1" in one.fields["when0"]
    for page in (shown, one):
        assert "<b>" not in page.html
        assert "<i>" not in page.html
        assert len(page.html) < 20_000
