"""The weekly and the monthly report of a recorded week, in each form; coverage and the review of the monitoring."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from alerting import records
from operations.cli import main
from processors.default_rules import DEFAULT_RULES
from processors.histogram import RELATIVE_ERROR
from storage import State
from storage.names import OWN_FOLDER
from tests.operations.test_reading_commands import ask, iso
from tests.support.incident import Incident, nano
from tests.support.smtp import Mailbox, smtp_server
from tests.support.week import ATTACKER, DAY, END, HOUR, NANO, OUTAGE, START, Week


def run(*given: str) -> Result:
    return CliRunner().invoke(main, list(given), catch_exceptions=False)


def of_week(week: Week, *given: str, start: int = START) -> Result:
    result = run("report", *given, "--logs", str(week.logs), "--from", iso(start), "--to", iso(END))
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def told(week: Week) -> dict[str, Any]:
    """The second half of the week, so that there is a time before it."""
    found: dict[str, Any] = ask(week, "report", "weekly", between=(START + 4 * DAY, END))
    return found


def test_requests_stand_beside_their_targets_and_the_time_before(week: Week, told: dict[str, Any]) -> None:
    asked = [one for one in week.requests if one.at >= START + 4 * DAY]
    before = [one for one in week.requests if START + DAY <= one.at < START + 4 * DAY]
    requests = told["requests"]
    assert (requests["requests"], requests["before"]["requests"]) == (len(asked), len(before))
    assert requests["errors"] == sum(one.status >= 500 for one in asked)
    assert requests["before"]["errors"] == sum(one.status >= 500 for one in before)
    for name, share in (("p95", 0.95), ("p99", 0.99)):
        exact = float(np.quantile([one.seconds for one in before], share))
        assert requests["before"][name] == pytest.approx(exact, rel=RELATIVE_ERROR)
    assert requests["targets"] == {"mean": 1.0, "p95": 2.0, "p99": 5.0}
    assert requests["met"] == {name: requests[name] < bound for name, bound in requests["targets"].items()}
    assert sum(part["requests"] for part in told["chart"]) == len(asked)
    assert sum(part["errors"] for part in told["chart"]) == requests["errors"]


def test_availability_and_what_is_left_of_the_error_budget(week: Week) -> None:
    """Half an hour of a week, of which the target allows 50.4 minutes."""
    found = ask(week, "report", "weekly")["availability"]
    assert found["backend"] == pytest.approx(1 - 1800 / (7 * DAY))
    assert found["budget_left"] == pytest.approx(1 - 1800 / (0.005 * 7 * DAY))
    (outage,) = found["outages"]
    assert (outage["start"][:19], outage["end"][:19]) == (iso(OUTAGE[0]), iso(OUTAGE[1]))


def test_business_security_errors_and_capacity(week: Week) -> None:
    found = ask(week, "report", "weekly")
    for one in found["business"]:
        mine = [event for event in week.events if event.name == one["event"]]
        assert (one["count"], one["failures"]) == (len(mine), sum(event.outcome == "failure" for event in mine))
        assert one["success_rate"] == pytest.approx(1 - one["failures"] / len(mine))
    assert found["security"]["failed_logins"] == 60
    assert (found["security"]["offenders"][0]["key"], found["security"]["rate_limited"]) == (ATTACKER, 12)
    assert sum(one["count"] for one in found["errors"]) == len(week.errors)
    (disk,) = [one for one in found["capacity"] if one["indicator"] == "host.disk"]
    assert disk["per_day"] == pytest.approx(0.02, rel=0.01)
    assert disk["full_in_days"] == pytest.approx((1 - disk["now"]) / 0.02, rel=0.02)
    assert found["gaps"] == []


def test_times_without_any_record_are_gaps(week: Week) -> None:
    """The day before the week began."""
    found = ask(week, "report", "weekly", between=(START - DAY, END))
    assert found["gaps"][0]["from"][:19] == iso(START - DAY)
    assert found["gaps"][0]["to"][:16] == iso(START)[:16]


class _Page(HTMLParser):
    """What a page loads from elsewhere, and the text that it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}]


def test_the_html_report_is_one_file_that_loads_nothing(week: Week, tmp_path: Path) -> None:
    path = tmp_path / "week.html"
    result = of_week(week, "weekly", "--output", str(path))
    assert result.stdout == f"written to {path}\n"
    text = path.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert [one for one in page.loads if not one.startswith(("#", "data:"))] == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "svg" in page.tags
    assert "@media print" in text
    assert "url(" not in text
    assert f"{len(week.requests):,}" in text
    assert "99.7 %" in text


def test_markdown_has_tables_whose_rows_are_whole(week: Week) -> None:
    text = of_week(week, "weekly", "--format", "markdown", "--output", "-").stdout
    assert text.startswith("# Weekly report\n")
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") - line.count("\\|") for line in block.splitlines()}) == 1, block
    assert f"| requests | {len(week.requests):,} |" in text


def test_a_hostile_route_stays_text(week: Week, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "performance").mkdir(parents=True)
    source = week.logs / "performance"
    first = min(source.iterdir())
    line = orjson.loads(first.read_bytes().splitlines()[0])
    line["route"] = "/<script>alert(1)</script>|`x`\n# no heading"
    (logs / "performance" / first.name).write_bytes(orjson.dumps(line) + b"\n")
    given = ("--logs", str(logs), "--from", iso(START), "--to", iso(START + HOUR), "--output", "-")
    html = run("report", "weekly", *given).stdout
    assert "alert(1)" in html
    assert "<script" not in html
    markdown = run("report", "weekly", "--format", "markdown", *given).stdout
    assert "\n# no heading" not in markdown
    assert "\\|" in markdown


def test_the_file_has_a_name_of_its_day_and_json_is_values(
    week: Week, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    of_week(week, "monthly", "--format", "json")
    content = orjson.loads((tmp_path / "forecourt-monthly-2026-11-23.json").read_bytes())
    assert content["title"] == "Monthly report"
    assert content["requests"]["requests"] == len(week.requests)


def test_alerts_come_from_the_journal(tmp_path: Path) -> None:
    """Two of one rule, the first acknowledged after two minutes; rules that are configured and never fired."""
    incident = Incident().fire("down", "high").fire("disk", "medium").until(130)
    down = next(alert for alert in incident.dispatcher.lifecycle.alerts.values() if alert.rule == "down")
    assert incident.dispatcher.acknowledge(down.id, "anna", "", nano(130))
    incident.until(200).end("down").until(2000).fire("down", "critical").until(2100)
    logs = tmp_path / "logs"
    (logs / OWN_FOLDER).mkdir(parents=True)
    state = State.open(logs / OWN_FOLDER / "state.db")
    records.save(incident.dispatcher, state)
    state.close()
    began = nano(0) // NANO
    period = ("--from", iso(began - HOUR), "--to", iso(began + HOUR))
    found = orjson.loads(run("report", "weekly", "--json", "--logs", str(logs), *period).stdout)["alerts"]
    assert (found["episodes"], found["acknowledged"]) == (3, 1)
    assert found["by_severity"] == {"low": 0, "medium": 1, "high": 1, "critical": 1}
    assert found["median_seconds_to_acknowledge"] == 120
    assert found["noisiest"] == [{"rule": "down", "episodes": 2}, {"rule": "disk", "episodes": 1}]
    assert found["never_fired"] == sorted(DEFAULT_RULES)


def _configured(folder: Path, port: int, to: list[str]) -> Path:
    path = folder / "otel-config.yaml"
    smtp = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "forecourt@example.com"}
    receivers = {"email": {"email": {"to": to}}}
    path.write_text(yaml.safe_dump({"alerting": {"smtp": smtp, "receivers": receivers}}), encoding="utf-8")
    return path


def test_it_is_sent_to_the_receiver_of_e_mail(week: Week, tmp_path: Path) -> None:
    """The page as HTML, and as text for who reads no HTML."""
    mailbox = Mailbox()
    with smtp_server(mailbox) as port:
        config = _configured(tmp_path, port, ["operator@example.com"])
        result = of_week(week, "weekly", "--email", "--config", str(config))
    assert mailbox.recipients == [["operator@example.com"]]
    assert mailbox.subjects() == ["Weekly report 2026-11-16 to 2026-11-23"]
    plain, page = mailbox.last().iter_parts()
    assert plain.get_content().replace("\r\n", "\n").startswith("# Weekly report\n")
    assert (page.get_content_type(), page.get_filename()) == (
        "text/html",
        "weekly-report-2026-11-16-to-2026-11-23.html",
    )
    assert "<svg" in page.get_content()
    assert "written to" not in result.output


def test_a_report_that_can_not_be_sent_says_why(week: Week, tmp_path: Path) -> None:
    given = ("report", "weekly", "--email", "--logs", str(week.logs), "--from", iso(START), "--to", iso(END))
    mailbox = Mailbox()
    mailbox.answer = "554 no"
    with smtp_server(mailbox) as port:
        result = run(*given, "--config", str(_configured(tmp_path, port, ["operator@example.com"])))
    assert result.exit_code == 1
    assert "554" in result.output
    nobody = run(*given, "--config", str(_configured(tmp_path, 9, [])))
    assert nobody.exit_code == 1
    assert "nobody is in its list of addresses" in nobody.output


def test_coverage_names_what_has_no_rule_and_what_sends_nothing(week: Week) -> None:
    things = {(one["kind"], one["name"]): one for one in ask(week, "report", "coverage")["things"]}
    assert things["route", "GET /api/auth/login"]["missing"] is None
    assert "http.server.p95" in things["route", "GET /api/auth/login"]["rules"]
    assert things["job", "fossa.form_automation.job"]["rules"][0] == "form_automation.success_rate"
    assert things["table", "SELECT work_orders"]["missing"] is None
    assert things["target", "backend"]["telemetry"]
    before = ask(week, "report", "coverage", between=(START - 2 * DAY, START - DAY))
    silent = {one["name"]: one["missing"] for one in before["things"]}
    assert silent["form_automation.job"] == silent["backend"] == "no telemetry"


def test_the_review_has_checks_rules_and_coverage_on_one_page(week: Week) -> None:
    found = ask(week, "report", "review")
    assert set(found["checks"]) == {"self", "collection", "overhead"}
    assert found["stored_bytes"] == sum(
        path.stat().st_size for path in week.logs.rglob("*.jsonl") if path.parent.name != ".forecourt"
    )
    assert {one["name"] for one in found["uncovered"]} >= {"database", "workfossa"}
    text = of_week(week, "review").stdout
    assert "rules" in text
    assert "noisy: none" in text
