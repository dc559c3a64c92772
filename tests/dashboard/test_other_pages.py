"""Business, database, reports and the monitoring itself: the numbers of the recorded week, as a page tells them."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import prometheus_client
import pytest

from analysis.json_values import as_json
from dashboard.page import Asked
from dashboard.pages import reports
from dashboard.records import Records
from dashboard.site import Site
from dashboard.view import view_of
from processors.histogram import RELATIVE_ERROR
from storage import audit
from storage.audit import AuditEntry
from storage.web_process import WebProcessRow, record_start
from tests.dashboard.opening import WEEK_END, Opening, Shown
from tests.dashboard.standing import publish, state_of, tell
from tests.operations.test_reading_commands import ask
from tests.support.incident import Incident, nano
from tests.support.notifications import answering
from tests.support.stored import HOUR, store
from tests.support.week import DAY, END, NANO, START, Week, iso

NOW = HOUR + 1800 * NANO
HOSTILE = "<script>alert(1)</script>\"'\x00\u202e" + "x" * 100_000
TEXT = "<script>alert(1)</script>\"' x"
"""What is left of it on a line, at the beginning."""


def opened(week: Week, path: str, **query: object) -> Shown:
    with Opening(week.logs) as pages:
        return pages.shown(path, **query)


def rows(shown: Shown, *heads: str) -> list[list[str]]:
    (found,) = [one[1:] for one in shown.tables if one[0][: len(heads)] == list(heads)]
    return found


def share(part: int, whole: int) -> str:
    return f"{part / whole * 100:.3g} %"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Form automation", "fossa.form_automation.job"),
        ("Work order sync", "fossa.work_order.sync"),
        ("Logins", "fossa.auth.login"),
    ],
)
@pytest.mark.parametrize("days", [7, 1])
def test_how_much_of_the_work_succeeds(week: Week, title: str, name: str, days: int) -> None:
    """By kind of work, of the time that is looked at."""
    shown = opened(week, "/business", last=f"{days}days")
    known = [one for one in week.events if one.name == name and one.at >= END - days * DAY]
    failed = sum(one.outcome == "failure" for one in known)
    assert f"{title} {share(len(known) - failed, len(known))} {failed} of {len(known)} failed" in shown.text
    (chart,) = [one for one in shown.charts.values() if _sums(one) == (len(known) - failed, failed)]
    assert chart["unit"] == "1"


def _sums(chart: dict[str, Any]) -> tuple[int, int]:
    good, bad = (sum(one["values"]) for one in chart["series"])
    return good, bad


def test_what_failed_in_the_business_and_why(week: Week) -> None:
    """With what it was about, how long it takes, and the last of it."""
    shown = opened(week, "/business", last="7days")
    assert "Work orders \N{EN DASH} none in this time" in shown.text
    jobs = [one for one in week.events if one.name == "fossa.form_automation.job"]
    failed = [one for one in jobs if one.outcome == "failure"]
    (job, *_) = rows(shown, "event", "reason")
    assert job[:3] == ["fossa.form_automation.job", "no such pump", str(len(failed))]
    assert job[-1] == iso(failed[-1].at).replace("T", " ")
    counts = {row[0].split()[0]: row[1:] for row in rows(shown, "event", "count")}
    assert counts["fossa.form_automation.job"][:2] == [str(len(jobs)), share(len(jobs) - len(failed), len(jobs))]
    seconds = float(counts["fossa.form_automation.job"][2].removesuffix(" s"))
    assert seconds == pytest.approx(float(np.median([one.seconds for one in jobs if one.seconds])), rel=0.02)
    used = {row[0]: row[1] for row in rows(shown, "feature")}
    asked = Counter(f"{one.method} {one.route}" for one in week.requests)
    assert {name: used[name] for name in asked} == {name: f"{count:,}" for name, count in asked.items()}
    assert rows(shown, "time", "event")[0][1:3] == ["fossa.form_automation.job", "success"]


def test_a_business_that_has_told_nothing(tmp_path: Path) -> None:
    """What tells it is said."""
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/business")
    assert 'The app tells them with track("form_automation.job")' in shown.text
    assert shown.charts == {}


def test_a_business_in_which_all_fails_has_told_something(tmp_path: Path) -> None:
    """Nothing of what is tried succeeds, and that is not nothing."""
    told = {"event": "fossa.auth.login", "outcome": "failure", "attributes": {}}
    store(tmp_path, "security", told, told)
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/business")
    assert "Logins 0 % 2 of 2 failed" in shown.text
    assert "No event of the business" not in shown.text


def test_hostile_events_of_the_business(tmp_path: Path) -> None:
    """Escaped and cut, whatever they hold."""
    odd: tuple[Any, ...] = (None, 17, ["a"], {"b": "<i>"}, HOSTILE)
    told = [
        {
            "event": event,
            "outcome": "failure",
            "attributes": {"event.reason": value, "job.id": value},
        }
        for event in ("fossa.form_automation.job", HOSTILE)
        for value in odd
    ]
    store(tmp_path, "business", *told, {"event": 3, "outcome": 4, "attributes": 5})
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/business")
    assert TEXT in shown.text
    _is_harmless(shown)


def _is_harmless(shown: Shown) -> None:
    assert "<script>alert" not in shown.html
    assert not {"\x00", "\u202e"} & set(shown.html)
    assert len(shown.html) < 150_000


SLOW_DAY = {"from_": iso(START + 3 * DAY), "to": iso(START + 4 * DAY)}


def test_queries_by_kind(week: Week) -> None:
    """How many, and how long they take."""
    shown = opened(week, "/database", **SLOW_DAY)
    known = [one for one in week.queries if START + 3 * DAY <= one.at < START + 4 * DAY]
    (row,) = rows(shown, "statement", "queries")
    assert row[:3] == ["SELECT work_orders fossawork-backend sqlite", str(len(known)), "0"]
    mean, p95 = (float(cell.removesuffix(" ms")) / 1000 for cell in row[3:5])
    seconds = [one.seconds for one in known]
    assert mean == pytest.approx(float(np.mean(seconds)), rel=0.01)
    assert p95 == pytest.approx(float(np.quantile(seconds, 0.95)), rel=2 * RELATIVE_ERROR + 0.01)
    assert "No pool was measured in this time." in shown.text
    chart = shown.charts["query-latency"]
    assert [line["name"] for line in chart["series"]] == ["p50", "p95", "p99"]
    assert [band["label"] for band in chart["bands"]] == ["warning > 100ms", "critical > 500ms"]
    highest = max(one for one in chart["series"][2]["values"] if one is not None)
    assert highest == pytest.approx(max(seconds), rel=0.2)


@pytest.mark.parametrize(
    ("longer", "bound"),
    [(None, 100), ("1500", 1500), ("10", 10), ("0", 0), ("1e9", 1e9), ("-5", 0), ("abc", 100), ("nan", 100)],
)
def test_slow_statements(week: Week, longer: str | None, bound: float) -> None:
    """Those that took as long as was asked for, a tenth of a second where nothing sensible was."""
    shown = opened(week, "/database", **SLOW_DAY, **({} if longer is None else {"longer": longer}))
    known = [one for one in week.queries if START + 3 * DAY <= one.at < START + 4 * DAY and one.seconds * 1000 >= bound]
    if not known:
        assert "No query took so long." in shown.text
        return
    (row,) = rows(shown, "statement", "times")
    assert row[:2] == ["SELECT * FROM work_orders WHERE number = ?", str(len(known))]
    slowest = max(one.seconds for one in known)
    assert row[2] == f"{slowest:.3g} s"
    assert float(shown.fields["longer"]) == bound


def test_slow_statements_of_many_days_are_not_read(week: Week) -> None:
    """What to choose is said."""
    shown = opened(week, "/database", last="7days")
    assert "Choose at most 24 hours above: every query of the time is read." in shown.text
    assert len(rows(shown, "statement", "queries")) == 1


def test_hostile_statements(tmp_path: Path) -> None:
    """SQL of others is text, cut to what fits."""
    span = {"kind": "CLIENT", "trace_id": "ab" * 16, "span_id": "cd" * 8, "end_time_unix_nano": HOUR + NANO}
    told = [
        {
            **span,
            "name": HOSTILE,
            "duration_ms": 5000.0,
            "attributes": {"db.system.name": HOSTILE, "db.query.summary": HOSTILE, "db.query.text": text},
        }
        for text in (HOSTILE, f"SELECT {HOSTILE}", None, 17)
    ]
    store(tmp_path, "traces", *told)
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/database")
    assert "Slow statements:" in shown.text
    _is_harmless(shown)


def test_an_empty_database_page_says_what_records_queries(tmp_path: Path) -> None:
    """And that no query was slow."""
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/database")
    assert "No query was recorded in this time. instrument(app) records SQLAlchemy" in shown.text
    assert "No query took so long." in shown.text


def _report(folder: Path, form: str) -> Any:
    """What the page is made of."""
    site = Site(folder, None, clock=lambda: WEEK_END)
    query = {"form": form}
    view = view_of(query, WEEK_END, last=reports.PAGE.last)
    records = Records(folder, None, site.own_folder, 2**29)
    asked = Asked(site, records, view, query, {}, "/reports", may_operate=False)
    return as_json(asyncio.run(reports.content(asked))["report"])


def _close(told: Any) -> Any:
    """Sums differ in their last digit with the order in which several threads add."""
    if isinstance(told, dict):
        return {name: _close(value) for name, value in told.items()}
    if isinstance(told, list):
        return [_close(one) for one in told]
    return pytest.approx(told, rel=1e-12) if isinstance(told, float) else told


@pytest.mark.parametrize(("form", "days"), [("weekly", 7), ("monthly", 30)])
@pytest.mark.untraced
def test_a_report_is_that_of_the_command(week: Week, form: str, days: int) -> None:
    """The same numbers, to the last of them."""
    told = ask(week, "report", form, between=(END - days * DAY, END))
    assert told["requests"]["requests"] == len(week.requests)
    assert _report(week.logs, form) == _close(told)


def test_the_report_as_it_is_read(week: Week) -> None:
    """Availability, what is left of the error budget, requests beside their targets, what failed, what fills up."""
    shown = opened(week, "/reports")
    assert shown.text.startswith("Weekly report 2026-11-16 to 2026-11-23 weekly monthly")
    assert "Availability 99.7 % target 99.5 %, down for 30 min" in shown.text
    assert f"Requests {len(week.requests):,}" in shown.text
    failed = sum(one.status >= 500 for one in week.requests)
    assert f"Failed {share(failed, len(week.requests))}" in shown.text
    assert rows(shown, "from (UTC)") == [["2026-11-18 10:00", "2026-11-18 10:30", "refused"]]
    assert "60 failed logins; the rate limit refused 1 address 12 times." in shown.text
    assert rows(shown, "what", "now", "a day")[0][2:] == ["+2.00 points", "in 13 days"]
    assert sum(sum(line["values"]) for line in shown.charts["report-requests"]["series"]) == len(week.requests)
    assert shown.links["monthly"] == "/reports?form=monthly"
    monthly = opened(week, "/reports", form="monthly")
    assert monthly.text.startswith("Monthly report 2026-10-24 to 2026-11-23")
    assert "Nothing was recorded: 2026-10-24 00:00 to 2026-11-16 00:00" in monthly.text


def test_a_report_has_the_alerts_of_its_time(tmp_path: Path) -> None:
    """By severity, the noisiest first."""
    tell(tmp_path, Incident().fire("down", "critical").until(100).end("down").fire("slow", "high").until(1000))
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/reports")
    assert "Alerts 2 1 critical, 1 high" in shown.text
    assert "Alerts 2 in all; 0 acknowledged." in shown.text
    assert sorted(rows(shown, "rule")) == [["down", "1"], ["slow", "1"]]


@pytest.mark.parametrize("form", ["", "yearly", "<b>"])
def test_a_report_over_nothing(tmp_path: Path, form: str) -> None:
    """Weekly where no such form is known; nothing is made up."""
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/reports", form=form)
    assert shown.text.startswith("Weekly report 2026-11-16 to 2026-11-23")
    assert "Nobody looked at the backend." in shown.text
    assert shown.tables[0][1] == ["mean", "\N{EN DASH}", "< 1 s", "\N{EN DASH}", "○ no data"]


METRICS = {
    "otelcol_receiver_accepted_spans": 40,
    "otelcol_receiver_accepted_log_records": 2,
    "otelcol_receiver_refused_spans": 7,
    "forecourt_dropped_records": 0,
    "forecourt_store_write_failures": 3,
    "forecourt_judge_failed_records": 0,
    "forecourt_judge_queue_drops": 1234,
    "forecourt_overflowed_samples": 0,
}


def _exposition(lag: float = 0.25) -> bytes:
    """As the sidecar writes it."""
    registry = prometheus_client.CollectorRegistry()
    for name, value in METRICS.items():
        counter = prometheus_client.Counter(name, "told", ["transport"], registry=registry)
        counter.labels("grpc").inc(value // 2)
        counter.labels("http").inc(value - value // 2)
    prometheus_client.Gauge("forecourt_judge_lag_seconds", "told", registry=registry).set(lag)
    return prometheus_client.generate_latest(registry)


@pytest.mark.parametrize(("lag", "told"), [(0.25, ["● normal", "250 ms"]), (31.0, ["▲ warning", "31 s"])])
def test_a_running_sidecar_tells_how_it_is(tmp_path: Path, lag: float, told: list[str]) -> None:
    """Who it is, where it listens, what it lost and how far judging is behind."""
    with answering(lambda _: (200, {}, _exposition(lag))) as url:
        endpoints = {"grpc": "127.0.0.1:4317", "metrics": url.removeprefix("http://")}
        publish(tmp_path, NOW, endpoints=endpoints)
        with Opening(tmp_path, NOW, configuration="/etc/otel.yaml") as pages:
            shown = pages.shown("/system")
            status = pages.get("/api/v1/status").json()
    assert "Sidecar ● running started 2026-11-23 11:30:00 (1 h ago), version 0.1.0, pid" in shown.text
    assert "grpc 127.0.0.1:4317" in shown.text
    assert "configuration /etc/otel.yaml" in shown.text
    assert rows_of(shown.tables[0]) == {
        "judging is behind what arrives by": told,
        "records lost after they were acknowledged": ["● normal", "0"],
        "groups of records that the disk refused": ["▲ warning", "3"],
        "records that judging stumbled over": ["● normal", "0"],
        "times that judging had to go back to the files": ["▲ warning", "1,234"],
        "samples of keys that there was no room for": ["● normal", "0"],
    }
    assert (status["accepted"], status["lag_seconds"], status["unreachable"]) == (42, lag, "")


def test_a_sidecar_whose_numbers_can_not_be_read(tmp_path: Path) -> None:
    """Nobody says that it has received nothing."""
    with answering(lambda _: (200, {}, b"no metrics")) as url:
        publish(tmp_path, NOW, endpoints={"metrics": url.removeprefix("http://")})
        with Opening(tmp_path, NOW) as pages:
            status = pages.get("/api/v1/status").json()
    assert (status["running"], status["accepted"], status["lag_seconds"], status["counted"]) == (True, None, None, [])
    assert "can't be read" in status["unreachable"]


def rows_of(table: list[list[str]]) -> dict[str, list[str]]:
    return {meaning: [band, value] for band, meaning, value in table}


def test_a_record_that_was_lost_is_critical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was acknowledged, and the client will not send it again."""
    monkeypatch.setitem(METRICS, "forecourt_dropped_records", 1)
    with answering(lambda _: (200, {}, _exposition())) as url:
        publish(tmp_path, NOW, endpoints={"metrics": url.removeprefix("http://")})
        with Opening(tmp_path, NOW) as pages:
            table = pages.shown("/system").tables[0]
    assert rows_of(table)["records lost after they were acknowledged"] == ["■ critical", "1"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((0, {}, b""), "can't be read: "),
        ((200, {}, b"<html>not this</html>"), "can't be read: "),
        ((200, {}, b"\xff\xfe"), "can't be read: "),
        ((200, {}, b"forecourt_judge_lag_seconds <i>\n"), "can't be read: "),
    ],
)
def test_numbers_that_cannot_be_read_are_told(tmp_path: Path, answer: Any, told: str) -> None:
    """Something else may listen there by now; the rest of the page is there."""
    with answering(lambda _: answer) as url:
        endpoint = url.removeprefix("http://")
        publish(tmp_path, NOW, endpoints={"metrics": endpoint})
        with Opening(tmp_path, NOW) as pages:
            shown = pages.shown("/system")
    assert f"its metrics at {endpoint} {told}" in shown.text
    assert "Sidecar ● running" in shown.text
    assert "Only a running sidecar counts." in shown.text
    assert "<i>" not in shown.html


def test_without_a_sidecar_it_says_how_to_start_one(week: Week, tmp_path: Path) -> None:
    """What lies there is told all the same, stream by stream."""
    logs = tmp_path / "logs"  # commands that other tests try make a state database in the week's own folder
    shutil.copytree(week.logs, logs, ignore=shutil.ignore_patterns("state.db*"))
    with Opening(logs, retention={"traces": "deleted after 90 d"}) as pages:
        shown = pages.shown("/system")
    assert f"Sidecar ■ not judging no sidecar has run on {logs}. Start one with: forecourt collector" in shown.text
    assert "Only a running sidecar counts." in shown.text
    streams = {row[0]: row[1:] for row in rows(shown, "stream", "records")}
    spans = len(week.requests) + len(week.queries) + sum(one.seconds is not None for one in week.events)
    assert streams["traces"][0] == f"{spans:,}"
    assert streams["traces"][-2:] == ["2026-11-16 00h", "deleted after 90 d"]
    assert streams["health"][0] == f"{len(week.probes):,}"


def test_a_sidecar_that_has_stopped(tmp_path: Path) -> None:
    """Since when, and nothing is asked of it."""
    publish(tmp_path, NOW, endpoints={"metrics": "127.0.0.1:9"}, stopped_unix_nano=NOW - 60 * NANO)
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/system")
    assert "■ not judging the sidecar is not running. Start it with: forecourt collector" in shown.text
    assert "stopped 2026-11-23 12:29:00" in shown.text
    assert "can't be read" not in shown.text
    assert "No record yet." in shown.text


def test_these_pages_are_a_process_too(tmp_path: Path) -> None:
    """Its number, and since when it serves."""
    state = state_of(tmp_path)
    record_start(state, WebProcessRow(os.getpid(), {}, nano(0)))
    state.close()
    with Opening(tmp_path, NOW) as pages:
        assert f"these pages pid {os.getpid()}, since 2026-11-23 12:00:00" in pages.shown("/system").text


def test_who_did_what_is_read_with_the_latest_first(tmp_path: Path) -> None:
    """At most thirty, as text and cut; somebody who is not known is called that."""
    state = state_of(tmp_path)
    for number in range(31):
        detail = {"number": number, HOSTILE[:200]: HOSTILE}
        entry = AuditEntry(nano(number), f"user-{number}", "operate", "192.0.2.1", "silence", detail, "ok")
        audit.record(state, entry)
    audit.record(state, AuditEntry(nano(60), "", "", "", HOSTILE, {}, "refused: no user has this token"))
    state.close()
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/system", zone="Europe/Berlin")
    told = rows(shown, "time", "who")
    assert len(told) == 30
    assert told[0][:3] == ["2026-11-23 13:01:00", "nobody known", ""]
    assert told[0][3].startswith(TEXT[:20])
    assert told[1][:3] == ["2026-11-23 13:00:30", "user-30", "192.0.2.1"]
    assert told[1][3].startswith(f"silence number=30 {TEXT[:20]}")
    assert told[1][4] == "ok"
    _is_harmless(shown)
