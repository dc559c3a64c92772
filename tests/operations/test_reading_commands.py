"""Every reading command's `--json` on a recorded week is what happened in that week."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest
from click.testing import CliRunner

from operations.cli import main
from processors.histogram import RELATIVE_ERROR
from tests.support.week import ATTACK, ATTACKER, DAY, END, HOUR, SLOW, START, Event, Week, iso

ALL = (START, END)


def ask(week: Week, *command: str, between: tuple[int, int] = ALL) -> Any:
    given = [*command, "--json", "--logs", str(week.logs), "--from", iso(between[0]), "--to", iso(between[1])]
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return orjson.loads(result.stdout)


def shown(week: Week, *command: str, between: tuple[int, int] = ALL) -> str:
    given = [*command, "--logs", str(week.logs), "--from", iso(between[0]), "--to", iso(between[1])]
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def events(week: Week, *names: str) -> list[Event]:
    return [one for one in week.events if one.name in names]


def test_response_times_have_each_route_against_its_bands_and_the_day_before(week: Week) -> None:
    """Three hours around the slow one: exact numbers, and the same hours of the day before."""
    between = (SLOW[0] - HOUR, SLOW[1] + HOUR)
    told = ask(week, "stats", "response-times", between=between)
    asked = [one for one in week.requests if between[0] <= one.at < between[1]]
    before = [one for one in week.requests if between[0] - DAY <= one.at < between[1] - DAY]
    assert (told["from"], told["all"]["requests"]) == (f"{iso(between[0])}.000000000Z", len(asked))
    assert told["all"]["day_before"]["requests"] == len(before)
    for one in told["routes"]:
        mine = [request for request in asked if request.route == one["route"]]
        seconds = [request.seconds for request in mine]
        assert one["requests"] == len(mine)
        assert one["errors"] == sum(request.status >= 500 for request in mine)
        assert one["error_rate"] == pytest.approx(one["errors"] / len(mine))
        assert one["p95"] == pytest.approx(float(np.quantile(seconds, 0.95)))
        assert one["max"] == max(seconds)
        assert one["bands"]["p95"] == ("critical" if one["p95"] > 10 else "warning" if one["p95"] > 3 else "normal")
        earlier = [request.seconds for request in before if request.route == one["route"]]
        assert one["day_before"]["p95"] == pytest.approx(float(np.quantile(earlier, 0.95)))
    assert {one["route"] for one in told["routes"]} == {one.route for one in asked}


def test_response_times_of_the_week_come_from_rollups(week: Week) -> None:
    """Counts are exact, quantiles within the histogram's error."""
    told = ask(week, "stats", "response-times")
    assert told["all"]["requests"] == len(week.requests)
    assert told["all"]["errors"] == sum(one.status >= 500 for one in week.requests)
    assert told["all"]["day_before"] is None
    seconds = [one.seconds for one in week.requests]
    assert told["all"]["p99"] == pytest.approx(float(np.quantile(seconds, 0.99)), rel=RELATIVE_ERROR)


def test_a_route_with_few_requests_is_judged_by_nobody(week: Week) -> None:
    """Its numbers stand there, its band does not."""
    told = ask(week, "stats", "response-times", between=(SLOW[0], SLOW[0] + 600))
    assert {one["band"] for one in told["routes"]} == {"no data"}
    judged = ask(week, "stats", "response-times", "--minimum", "1", between=(SLOW[0], SLOW[0] + 600))
    assert {one["band"] for one in judged["routes"]} <= {"warning", "critical", "normal"}
    assert judged["all"]["band"] in {"warning", "critical"}


@pytest.mark.parametrize("command", [("logs", "errors"), ("stats", "errors")])
def test_errors_are_grouped_by_type_and_what_their_messages_share(week: Week, command: tuple[str, str]) -> None:
    """Two faults, whatever number each message names, with the last one as an example."""
    told = ask(week, *command)
    groups = {one["error_type"]: one for one in told["groups"]}
    assert told["errors"] == len(week.errors)
    for kind, message in (("ValueError", "no such pump <n>"), ("KeyError", "'…'")):
        mine = [one for one in week.errors if one.type == kind]
        group = groups.pop(kind)
        assert (group["message"], group["count"], sum(group["trend"])) == (message, len(mine), len(mine))
        assert (group["first"][:19], group["last"][:19]) == (iso(mine[0].at), iso(mine[-1].at))
        assert group["example"]["message"] == mine[-1].message
        assert group["example"]["trace_id"] == mine[-1].trace_id
        width = 7 * DAY / 12
        assert group["trend"] == [
            sum(START + part * width <= one.at < START + (part + 1) * width for one in mine) for part in range(12)
        ]
    assert groups == {}


def test_slow_queries_have_their_statement_without_values_and_the_route_that_sent_them(week: Week) -> None:
    """One statement, whatever number it was asked for."""
    told = ask(week, "logs", "slow-queries", "--threshold", "1000ms")
    slow = [one for one in week.queries if one.seconds >= 1]
    (statement,) = told["statements"]
    assert statement["statement"] == "SELECT * FROM work_orders WHERE number = ?"
    assert told["queries"] == statement["count"] == len(slow)
    assert statement["max_seconds"] == pytest.approx(max(one.seconds for one in slow))
    assert statement["trace_id"] == max(slow, key=lambda one: one.seconds).trace_id
    routes = {one.trace_id: f"{one.method} {one.route}" for one in week.requests}
    assert statement["routes"] == dict(Counter(routes[one.trace_id] for one in slow))


@pytest.mark.parametrize("hours", [5, 7 * 24])
def test_queries_have_their_times(week: Week, hours: int) -> None:
    """Exact in short ranges, from rollups in long ones."""
    between = (START, START + hours * HOUR)
    told = ask(week, "stats", "database", between=between)
    seconds = [one.seconds for one in week.queries if one.at < between[1]]
    (statement,) = told["statements"]
    assert (statement["summary"], statement["queries"]) == ("SELECT work_orders", len(seconds))
    assert statement["p95"] == pytest.approx(float(np.quantile(seconds, 0.95)), rel=RELATIVE_ERROR)
    assert statement["band"] == "normal"


def test_slow_requests_are_listed_the_slowest_first(week: Week) -> None:
    """With their traces."""
    told = ask(week, "logs", "performance", "--threshold", "2s", "--limit", "5")
    slow = sorted((one for one in week.requests if one.seconds > 2), key=lambda one: -one.seconds)
    assert [one["trace_id"] for one in told["slow"]] == [one.trace_id for one in slow[:5]]
    assert told["requests"] == len(week.requests)


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (("stats", "automation"), ("fossa.form_automation.job",)),
        (("stats", "sync"), ("fossa.work_order.sync",)),
        (("stats", "work-orders"), ("fossa.work_order.sync",)),
        (("logs", "business", "--summary"), ("fossa.form_automation.job", "fossa.work_order.sync")),
    ],
)
def test_outcomes_are_counted_with_their_times_and_reasons(
    week: Week, command: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """Rates, percentiles, and why others failed."""
    told = ask(week, *command)
    found = {one["event"]: one for one in told["events"]}
    assert found.keys() == set(names)
    for name, one in found.items():
        mine = events(week, name)
        failed = sum(event.outcome == "failure" for event in mine)
        assert (one["count"], one["failures"], one["successes"]) == (len(mine), failed, len(mine) - failed)
        assert one["success_rate"] == pytest.approx(1 - failed / len(mine))
        seconds = [event.seconds or 0.0 for event in mine]
        assert one["p95"] == pytest.approx(float(np.quantile(seconds, 0.95)), abs=1e-6)
        assert sum(group["count"] for group in told["failures"] if group["event"] == name) == failed
    course = [(part["successes"], part["failures"]) for part in told["course"]]
    assert sum(good + bad for good, bad in course) == len(events(week, *names))


def test_automation_below_its_bound_is_in_its_band(week: Week) -> None:
    """One job in nine fails: below 90 % is critical."""
    (automation,) = ask(week, "stats", "automation", "--success")["events"]
    assert automation["band"] == "critical"
    (reason,) = ask(week, "stats", "automation")["failures"]
    assert reason["reason"] == "no such pump"


def test_failed_logins_name_address_and_users(week: Week) -> None:
    """The attack, as an address and as each of its users; others failed never."""
    told = ask(week, "security", "failed-logins", "--threshold", "5", "--within", "15min")
    assert told[0] == {
        "kind": "address",
        "key": ATTACKER,
        "failures": 60,
        "episodes": 1,
        "first": f"{iso(ATTACK + 40)}.000000000Z",
        "last": f"{iso(ATTACK + 590)}.000000000Z",
    }
    assert {(one["kind"], one["key"], one["failures"]) for one in told[1:]} == {
        ("user", f"user-{number}", 20) for number in range(3)
    }
    assert ask(week, "security", "failed-logins", "--threshold", "61") == []


def test_logins_are_counted_by_address_and_user(week: Week) -> None:
    """Those with the most failures first."""
    told = ask(week, "security", "auth")
    logins = events(week, "fossa.auth.login")
    assert told["failures"] == 60
    assert told["successes"] == len(logins) - 60
    first = told["addresses"][0]
    assert (first["key"], first["failures"], first["successes"], first["others"]) == (ATTACKER, 60, 1, 3)


def test_rate_limits_name_who_was_refused(week: Week) -> None:
    """And where most."""
    told = ask(week, "security", "rate-limits", "--top-ips", "10")
    (address,) = told["top"]
    assert (told["hits"], address["address"], address["hits"], address["path"]) == (
        12,
        "198.51.100.4",
        12,
        "/api/v1/work-orders/",
    )


def test_what_is_suspicious_begins_with_the_breach(week: Week) -> None:
    """Somebody got in after sixty failures."""
    told = ask(week, "logs", "security", "--suspicious")["suspicious"]
    assert (told[0]["kind"], told[0]["key"], told[0]["count"]) == ("login after many failures", ATTACKER, 60)
    assert {"failed logins of one address", "failed logins of one user", "rate limit"} <= {one["kind"] for one in told}


def test_users_sessions_and_features_are_counted(week: Week) -> None:
    """By whom the app says they are."""
    users = ask(week, "stats", "users")
    requests = Counter(one.user for one in week.requests)
    assert {one["user"]: one["requests"] for one in users["users"]} == dict(requests)
    assert {one["user"]: one["failed_logins"] for one in users["users"] if one["failed_logins"]} == {
        f"user-{number}": 20 for number in range(3)
    }
    features = ask(week, "stats", "features")["features"]
    routes = Counter(f"{one.method} {one.route}" for one in week.requests)
    assert {one["feature"]: one["uses"] for one in features if one["kind"] == "route"} == dict(routes)
    sessions = ask(week, "stats", "sessions")
    assert sessions["sessions"] == _sessions(week)
    assert sessions["users"] == 8


def _sessions(week: Week) -> int:
    count = 0
    for user in {one.user for one in week.requests}:
        times = sorted(one.at for one in week.requests if one.user == user)
        count += 1 + sum(later - earlier > 1800 for earlier, later in pairwise(times))
    return count


def test_disks_are_told_with_the_day_on_which_they_are_full(week: Week) -> None:
    """From 60 to 74 % in a week: 26 points at 2 a day."""
    told = ask(week, "stats", "resources", "--trend")
    (disk,) = [one for one in told["resources"] if one["indicator"] == "host.disk"]
    assert disk["last"] == pytest.approx(0.74, abs=0.01)
    assert disk["max"] == pytest.approx(max(value for _, value in week.disk))
    (trend,) = told["trends"]
    assert trend["per_day"] == pytest.approx(0.02, rel=0.01)
    assert trend["full_in_days"] == pytest.approx(13, abs=0.2)
    assert trend["told"].endswith("full in 13 days")


def test_the_memory_of_a_process_has_its_slope(week: Week) -> None:
    """A megabyte an hour."""
    told = ask(week, "stats", "memory")
    (process,) = told["processes"]
    assert process["per_hour"] == pytest.approx(1e6, rel=1e-6)
    assert (process["first"], process["last"]) == (200e6, pytest.approx(week.memory[-1][1]))


def test_log_records_are_shown_by_level_and_text(week: Week) -> None:
    """The last ones, oldest first."""
    told = ask(week, "logs", "show", "--level", "error", "--limit", "3")
    assert [one["trace_id"] for one in told["records"]] == [one.trace_id for one in week.errors[-3:]]
    assert ask(week, "logs", "show", "--contains", "no such text")["records"] == []


@pytest.mark.parametrize(
    ("stream", "names"),
    [
        ("security", ("fossa.auth.login", "fossa.rate_limit.exceeded")),
        ("business", ("fossa.form_automation.job", "fossa.work_order.sync")),
    ],
)
def test_events_are_listed_as_they_were(week: Week, stream: str, names: tuple[str, ...]) -> None:
    """The last ones, oldest first, with what was said about them."""
    told = ask(week, "logs", stream, "--limit", "40")["events"]
    mine = sorted(events(week, *names), key=lambda one: one.at)[-40:]
    assert [(one["event"], one["outcome"], one["time"][:19]) for one in told] == [
        (one.name, one.outcome, iso(one.at)) for one in mine
    ]
    for shown, one in zip(told, mine, strict=True):
        assert shown["attributes"].items() >= one.attributes.items()
        assert shown["seconds"] == (one.seconds and pytest.approx(one.seconds, abs=1e-6))


def test_one_kind_of_event_is_asked_for_by_its_name(week: Week) -> None:
    """With or without its prefix; a part of a word is no name."""
    for name in ("work_order.sync", "fossa.work_order.sync", "work_order"):
        told = ask(week, "logs", "business", "--event", name, "--limit", "1000")["events"]
        assert {one["event"] for one in told} == {"fossa.work_order.sync"}
        assert len(told) == len(events(week, "fossa.work_order.sync"))
    assert ask(week, "logs", "business", "--event", "work_ord")["events"] == []


def test_services_that_start_are_in_the_system_events(week: Week) -> None:
    (started,) = ask(week, "logs", "system", between=(START - 1, END))["events"]
    assert (started["event"], started["service"]) == ("service.started", "fossawork-backend")


@pytest.mark.parametrize(
    "command",
    [
        "logs show",
        "logs errors",
        "logs slow-queries",
        "logs performance",
        "logs security",
        "logs security --summary",
        "logs security --suspicious",
        "logs business",
        "logs business --summary",
        "stats response-times",
        "stats errors",
        "stats database",
        "stats memory",
        "stats resources --trend",
        "stats work-orders --failures",
        "stats work-orders --times",
        "stats automation",
        "stats sync",
        "stats users",
        "stats features",
        "stats sessions",
        "security auth",
        "security failed-logins",
        "security rate-limits",
    ],
)
@pytest.mark.untraced
def test_people_see_tables_and_no_rows_is_an_answer(week: Week, command: str) -> None:
    """Each command prints something for the week, one line for a time without records, and no colours in a file."""
    told = shown(week, *command.split())
    assert len(told.splitlines()) >= 2
    assert "\x1b" not in told
    quiet = shown(week, *command.split(), between=(HOUR, 2 * HOUR))
    assert re.search(r"\b(no|nobody|nothing|none|0)\b", quiet), quiet
    ask(week, *command.split(), between=(HOUR, 2 * HOUR))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--last", "5 parsecs"], "'5 parsecs' is not a duration, for example 1000ms, 30s, 5min, 2h or 30days"),
        (["--from", "2026-11-23", "--to", "2026-11-22"], "--from is not before --to"),
        (["--last", "1h", "--from", "2026-11-22"], "--last excludes --from and --to"),
        (["--from", "yesterday"], "'yesterday' is not a time, for example 2026-11-23"),
        (["--from", "2999-01-01"], "--from is not before now"),
        (["--last", "0s"], "--last needs some time, for example --last 24h"),
        (["--logs", "nowhere"], "nowhere: no such folder. Name the one with the records (--logs DIR)"),
        (["--lats", "1h"], "No such option '--lats'. (Did you mean one of: '--last', '--limit', '--logs'?)"),
    ],
)
def test_a_wrong_argument_is_one_clear_line(week: Week, arguments: list[str], told: str) -> None:
    """A usage error, never a traceback."""
    result = CliRunner().invoke(main, ["logs", "errors", "--logs", str(week.logs), *arguments])
    assert result.exit_code == 2
    assert told in result.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("since", "until"), [("0001-01-01", "9999-12-31"), ("1970-01-01", "2500-01-01T00:00:00+14:00")]
)
def test_times_beyond_all_records_are_all_there_is(week: Week, since: str, until: str) -> None:
    given = ("logs", "errors", "--logs", str(week.logs), "--json", "--from", since, "--to", until)
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert orjson.loads(result.stdout)["errors"] == len(week.errors)


def test_a_part_of_a_second_counts(week: Week) -> None:
    """From one error on, to a microsecond before the next."""
    first, second = week.errors[0], week.errors[1]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    bounds = [(epoch + timedelta(microseconds=round(one.at * 1e6))).isoformat() for one in (first, second)]
    given = ("logs", "errors", "--logs", str(week.logs), "--json", "--from", bounds[0], "--to", bounds[1])
    assert orjson.loads(CliRunner().invoke(main, given).stdout)["errors"] == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stat"], "Did you mean 'stats'?"),
        (["stats", "response-time"], "Did you mean 'response-times'?"),
        (["logs", "error"], "Did you mean 'errors'?"),
    ],
)
def test_a_mistyped_command_gets_the_right_one(words: list[str], told: str) -> None:
    """At each level."""
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert told in result.stderr
