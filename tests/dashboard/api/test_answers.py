"""What the API says of a recorded week is what happened in it, and what the command line says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from processors.judging_settings import JudgingSettings
from tests.dashboard.api.asking import Client, site_of, told_by_command
from tests.support.week import ATTACK, ATTACKER, END, HOUR, OUTAGE, SERVICE, SLOW, START, Week, iso


class Asked(NamedTuple):
    """A question in both ways, and the parts of the answers that both have."""

    path: str
    command: str
    parts: str
    limit: int | None = None


SAME = (
    Asked("/requests", "stats response-times", "from to all routes"),
    Asked("/requests/slow", "logs performance --limit 50", "from to requests slow routes", 50),
    Asked("/errors", "stats errors", "from to errors groups"),
    Asked("/queries", "stats database", "from to queries statements pools"),
    Asked("/queries/slow", "logs slow-queries", "from to threshold_seconds queries statements"),
    Asked("/hosts", "stats resources --trend", "from to resources"),
    Asked("/events/business", "logs business --summary", "from to events failures"),
    Asked("/events/security", "logs security --summary", "from to events failures"),
    Asked("/security/logins", "security auth", "from to successes failures addresses users"),
    Asked("/security/rate-limits", "security rate-limits", "from to hits addresses top"),
    Asked("/security/suspicious", "logs security --suspicious", "from to suspicious"),
    Asked(
        "/reports/weekly",
        "report weekly",
        "title from to seconds availability requests routes chart errors queries business alerts security capacity",
    ),
)


@pytest.fixture(scope="module")
def client(week: Week) -> Iterator[Client]:
    with Client(site_of(week.logs)) as client:
        yield client


def _rounded(value: Any) -> Any:
    """Sums of many floats depend on their order in the last digit."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


@pytest.mark.parametrize("asked", SAME, ids=[one.path for one in SAME])
def test_it_says_what_the_command_says(week: Week, client: Client, asked: Asked) -> None:
    """A number has one value, whoever asks for it."""
    query: dict[str, Any] = {} if asked.path.startswith("/reports") else {"last": "7days"}
    answer = client.asked(asked.path, **query, **({"limit": asked.limit} if asked.limit else {}))
    told = told_by_command(week, *asked.command.split())
    names = asked.parts.split()
    assert {name: _rounded(answer[name]) for name in names} == {name: _rounded(told[name]) for name in names}


def test_traffic_has_every_request_in_its_part(week: Week, client: Client) -> None:
    """Parts adjoin, and none of them has another's requests."""
    answer = client.asked("/requests/traffic", from_=iso(SLOW[0] - HOUR), to=iso(SLOW[1] + HOUR), parts=10)
    parts = [(one["from"], one["to"], one["requests"]) for one in answer["parts"]]
    starts = range(SLOW[0] - HOUR, SLOW[1] + HOUR, HOUR // 2)
    assert parts == [
        (
            f"{iso(start)}.000000000Z",
            f"{iso(start + HOUR // 2)}.000000000Z",
            sum(start <= one.at - one.seconds < start + HOUR // 2 for one in week.requests),
        )
        for start in starts
    ]
    assert [one["p50"] > 1 for one in answer["parts"]] == [SLOW[0] <= start < SLOW[1] for start in starts]


def test_traces_are_found_and_told_in_full(week: Week, client: Client) -> None:
    """From a search to a span with its log records; the same spans that `logs trace` shows."""
    failed = week.errors[-1]
    found = client.asked("/traces", last="7days", status="ok", at_least_seconds=1.4, name="work-orders", limit=1000)
    slow = {one.trace_id for one in week.requests if one.seconds >= 1.4}
    slow |= {one.trace_id for one in week.queries if one.seconds >= 1.4}
    expected = {one.trace_id for one in week.requests if "work-orders" in one.route and one.trace_id in slow}
    assert {one["trace_id"] for one in found["traces"]} == expected
    answer = client.asked(f"/traces/{failed.trace_id.upper()}")
    told = told_by_command(week, "logs", "trace", failed.trace_id)
    same = set(told["spans"][0]) - {"logs", "parent_span_id"}
    assert [{name: one[name] for name in same} for one in answer["spans"]] == [
        {name: one[name] or "" for name in same} | {"depth": one["depth"]} for one in told["spans"]
    ]
    logs = [log for one in answer["spans"] for log in one["logs"]] + answer["loose_logs"]
    assert [(log["severity"], log["body"], log["attributes"]["exception.type"]) for log in logs] == [
        ("ERROR", "failed", failed.type)
    ]
    root = next(one for one in answer["spans"] if one["kind"] == "SERVER")
    assert [one["span_id"] for one in answer["critical_path"]][-1] == root["span_id"]
    assert root["attributes"]["http.response.status_code"] == 500
    assert client.asked(f"/traces/{'0' * 32}", code=404)["error"].startswith(f"no span of the trace {'0' * 32}")


def test_log_records_are_read_page_by_page(week: Week, client: Client) -> None:
    """Each once, newest first, whatever the size of a page."""
    found: list[dict[str, Any]] = []
    before: str | None = ""
    while before is not None:
        page = client.asked("/logs", last="7days", level="error", limit=50, before=before)
        found += page["records"]
        before = page["next"]
    assert [(one["trace_id"], one["exception"]) for one in found] == [
        (one.trace_id, f"{one.type}: {one.message}") for one in sorted(week.errors, key=lambda one: -one.at)
    ]
    assert {(one["service"], one["severity"], one["body"], one["logger"]) for one in found} == {
        (SERVICE, "ERROR", "failed", "app")
    }


def test_facets_count_what_the_search_finds(week: Week, client: Client) -> None:
    """By level and in time."""
    answer = client.asked("/logs/facets", last="7days", parts=7, attribute=["exception.type=KeyError"])
    errors = [one for one in week.errors if one.type == "KeyError"]
    assert (answer["severities"], answer["services"], answer["loggers"], answer["events"]) == (
        {"ERROR": len(errors)},
        {SERVICE: len(errors)},
        {"app": len(errors)},
        {},
    )
    days = [sum(int(one.at - START) // 86_400 == day for one in errors) for day in range(7)]
    assert [part["levels"]["ERROR"] for part in answer["parts"]] == days


def test_metrics_are_told_by_name_and_over_time(week: Week, client: Client) -> None:
    """Means of a gauge, in its unit, with the labels that were asked for."""
    names = client.asked("/metrics", last="7days", contains="FILESYSTEM")
    assert [(one["name"], one["type"], one["points"], one["services"]) for one in names["metrics"]] == [
        ("system.filesystem.utilization", "gauge", len(week.disk), ["forecourt"])
    ]
    label = "system.filesystem.mountpoint"
    answer = client.asked("/metrics/series", last="7days", parts=7, name=names["metrics"][0]["name"], by=label)
    assert (answer["unit"], answer["statistic"], answer["left_out"]) == ("1", "mean", 0)
    (line,) = answer["series"]
    assert line["labels"] == {label: "/"}
    by_day = [[value for at, value in week.disk if int(at - START) // 86_400 == day] for day in range(7)]
    assert line["values"] == pytest.approx([sum(values) / len(values) for values in by_day])


def test_availability_has_the_outage(client: Client) -> None:
    """From the first look that failed to the first that did not."""
    answer = client.asked("/availability", last="7days")
    (backend,) = answer["targets"]
    assert backend == {
        "target": "backend",
        "up": pytest.approx(1 - 1800 / (END - START)),
        "watched_seconds": END - START,
        "down_seconds": 1800,
        "outages": [
            {
                "start": f"{iso(OUTAGE[0])}.000000000Z",
                "end": f"{iso(OUTAGE[1])}.000000000Z",
                "detail": "refused",
            }
        ],
    }
    assert answer["gaps"] == []
    looked = client.asked("/health", from_=iso(OUTAGE[0] - HOUR), to=iso(OUTAGE[1]))["targets"]
    assert [(one["target"], one["state"], one["band"], one["since"]) for one in looked] == [
        ("backend", "down", "critical", f"{iso(OUTAGE[0])}.000000000Z")
    ]


def test_attacks_come_with_their_evidence(week: Week, client: Client) -> None:
    """As `security anomalies auth` tells them; a longer time is refused with what can be asked."""
    given: dict[str, Any] = {"from_": iso(ATTACK - HOUR), "to": iso(ATTACK + HOUR)}
    (offender,) = [
        one for one in client.asked("/security/failed-logins", **given)["offenders"] if one["kind"] == "address"
    ]
    assert (offender["key"], offender["failures"], offender["episodes"]) == (ATTACKER, 60, 1)
    answer = client.asked("/security/attacks", last="7days")
    told = told_by_command(week, "security", "anomalies", "auth")["episodes"]
    names = ("rule", "key", "severity", "first", "last", "count", "summary", "sightings", "allow", "mitre_attack_id")
    about = {one["rule"] for one in told}
    assert about
    assert [{name: one[name] for name in names} for one in answer["episodes"] if one["rule"] in about] == [
        {name: one[name] for name in names} for one in told
    ]
    seen = [one["evidence"] for one in answer["episodes"] if one["rule"] in about]
    assert [[one["attributes"] for one in each] for each in seen] == [
        [one["attributes"] for one in each["evidence"]] for each in told
    ]
    assert "at most 7 days" in client.asked("/security/attacks", code=400, last="8days")["error"]


@pytest.fixture(scope="module")
def lenient(week: Week) -> Iterator[Client]:
    """With a rule that fewer requests are enough for."""
    rules = {"http.server.p95": {"minimum_count": 3}}
    judging = JudgingSettings.model_validate({"thresholds": {"rules": rules}})
    with Client(site_of(week.logs, judging=judging)) as client:
        yield client


def test_the_overview_says_in_one_look_how_it_was(week: Week, lenient: Client) -> None:
    """In the outage the backend was down, in the slow hour its answers were late."""
    answer = lenient.asked("/overview", from_=iso(OUTAGE[0]), to=iso(OUTAGE[1]))
    assert answer["verdict"] == {"band": "critical", "text": "backend was down"}
    answer = lenient.asked("/overview", from_=iso(SLOW[0]), to=iso(SLOW[1]))
    tiles = {one["rule"]: one for one in answer["tiles"] if one["value"] is not None}
    tile = tiles["http.server.p95"]
    assert (tile["key"], tile["unit"], tile["bound"]) == ({"service.name": SERVICE}, "s", "warning > 3s")
    ended = [one for one in week.requests if SLOW[0] <= one.at < SLOW[1]]
    assert tiles["http.server.error_rate"]["value"] == sum(one.status >= 500 for one in ended) / len(ended)
    assert tiles.keys() == {"http.server.p95", "http.server.error_rate"}
    assert tile["band"] == "warning"
    assert tile["value"] > 3
    begun = sum(SLOW[0] <= one.at - one.seconds < SLOW[1] for one in week.requests)
    assert answer["requests"] == pytest.approx(begun, abs=1)


def test_a_rule_is_tried_with_other_bounds(lenient: Client) -> None:
    """When it would have fired, and what to write for it."""
    path = "/rules/http.server.p95/backtest"
    answer = lenient.asked(path, last="7days", when=["> 60s", "> 120s"])
    assert answer["before"]
    for fired in answer["before"]:
        assert (fired["key"], fired["ended"]) == ([SERVICE], True)
        assert iso(SLOW[0]) < fired["start"][:19] < fired["end"][:19] < iso(SLOW[1] + 1200)
    assert (answer["after"], answer["before_count"], answer["after_count"]) == ([], len(answer["before"]), 0)
    assert answer["change"]["problem"] == "these pages were started without a configuration file"
    same = lenient.asked(path, last="7days", when=["> 3s", "> 10s"])
    assert (same["after"], same["change"]) == (answer["before"], None)


@pytest.mark.parametrize(
    ("rule", "when", "code", "error"),
    [
        (
            "http.server.p95",
            ["fast"],
            400,
            '\'fast\' is not a condition, expected for example "> 3s", "> 5%" or "< 95%"',
        ),
        ("http.server.p95", ["> 1s"] * 3, 400, "3 bounds, expected at most 2"),
        ("http.server.p95", [], 422, "query.when: Field required"),
        (
            "security.scanning",
            ["> 1"],
            409,
            "security.scanning is no threshold rule, and only their bounds can be tried",
        ),
        ("no/body", ["> 1s"], 404, "no rule no/body is configured; the page Rules has those that are"),
    ],
)
def test_bounds_that_cannot_be_tried_are_refused(
    client: Client, rule: str, when: list[str], code: int, error: str
) -> None:
    """With what was expected in their place."""
    assert client.asked(f"/rules/{rule}/backtest", code=code, when=when) == {"error": error}
