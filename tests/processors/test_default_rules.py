"""Golden timelines: what each default rule says while a quantity passes through its bands and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from processors.default_rules import DEFAULT_RULES
from processors.observation import Observation
from tests.support.course import Course, event, gauge, operation, point, probe, query, request

Make = Callable[[float], Observation]


def takes(seconds: float) -> Make:
    return lambda at: request(at, seconds=seconds)


def answers(status: int, share: float) -> Make:
    """That share of each 100 requests."""
    return lambda at: request(at, status=status if int(at) % 100 < share * 100 else 200)


def ends(name: str, failing: int) -> Make:
    """Each `failing`th fails; 0: none."""
    return lambda at: operation(at, name, "failure" if failing and int(at) % failing == 0 else "success")


def logs_in(failing: int, users: int = 3) -> Make:
    def make(at: float) -> Observation:
        outcome = "failure" if failing and int(at) % failing == 0 else "success"
        return event(at, "auth.login", outcome, **{"user.id": f"user {int(at) % users}"})

    return make


def cpu(busy: float) -> Make:
    return lambda at: gauge(at, "system.cpu.utilization", 1 - busy, "forecourt", **{"cpu.mode": "idle"})


def used(metric: str, share: float) -> Make:
    named = {"system.memory.state": "used", "system.filesystem.mountpoint": "/"}
    return lambda at: gauge(at, metric, share, "forecourt", **named)


def found(target: str, state: str, kind: str, days: float | None = None) -> Make:
    return lambda at: probe(at, target, state, kind, days)


def exporter(at: float, quantity: str, value: float, *, cumulative: bool = False) -> Observation:
    """As the sidecar measures it itself."""
    form = {"type": "sum", "temporality": "CUMULATIVE", "monotonic": True} if cumulative else {}
    named = {"exporter": "otlp_grpc/viewer", "signal": "traces"}
    name = f"forecourt.exporter.{quantity}"
    return point(at, name, {"value": value}, service="forecourt", attributes=named, **form)


def down_and_up(target: str, kind: str, state: str = "down") -> list[Make]:
    return [found(target, "up", kind), found(target, state, kind), found(target, "up", kind)]


MEMORY, DISK = "system.memory.utilization", "system.filesystem.utilization"
SHARES = (0.5, 0.85, 0.95, 0.88, 0.78, 0.5)
PASSES_BANDS = ["1450 firing medium", "2560 firing high", "4810 firing medium", "6010 resolved medium"]

TIMELINES: dict[str, tuple[int, float, Sequence[Make], list[str]]] = {
    # rule: seconds of each phase, seconds between two samples, the phases, what is told
    "http.server.p95": (
        600,
        1,
        [takes(seconds) for seconds in (1, 4, 12, 2.5, 1)],
        ["620 pending low", "740 firing low", "1340 firing high", "2090 firing low", "2690 resolved low"],
    ),
    "http.server.p99": (
        600,
        1,
        [takes(seconds) for seconds in (1, 8, 16, 6, 1)],
        ["610 pending low", "730 firing low", "1330 firing high", "2100 firing low", "2700 resolved low"],
    ),
    "http.server.mean": (
        600,
        1,
        [takes(seconds) for seconds in (0.5, 3, 6, 1.5, 0.5)],
        ["790 pending low", "910 firing low", "1530 firing high", "1870 firing low", "2560 resolved low"],
    ),
    "http.server.error_rate": (
        600,
        1,
        [answers(500, share) for share in (0, 0.03, 0.08, 0.2, 0.08, 0.03, 0)],
        [
            "710 firing low",
            "1310 firing high",
            "1820 firing critical",
            "2620 firing high",
            "3110 firing low",
            "3710 resolved low",
        ],
    ),
    "http.server.5xx_rate": (
        600,
        1,
        [answers(503, share) for share in (0, 0.03, 0)],
        ["710 firing low", "1410 resolved low"],
    ),
    "http.server.4xx_rate": (
        600,
        1,
        [answers(404, share) for share in (0, 0.05, 0.01)],
        ["710 firing low", "1410 resolved low"],
    ),
    "form_automation.success_rate": (
        100,
        1,
        [ends("form_automation.job", failing) for failing in (0, 16, 5, 0)],
        ["150 firing medium", "220 firing high", "330 firing medium", "340 resolved medium"],
    ),
    "work_order.sync.success_rate": (
        100,
        1,
        [ends("work_order.sync", failing) for failing in (0, 16, 5, 0)],
        ["150 firing high", "340 resolved high"],
    ),
    "auth.success_rate": (
        3600,
        1,
        [logs_in(failing) for failing in (0, 50, 10, 0, 0)],
        ["5410 firing low", "8570 firing high", "12600 firing low", "14040 resolved low"],
    ),
    "auth.failed_logins": (
        600,
        1,
        [logs_in(failing) for failing in (0, 10, 0, 0, 0)],
        ["800 firing high", "2010 resolved high"],
    ),
    "host.cpu": (
        1200,
        30,
        [cpu(share) for share in (0.3, 0.75, 0.95, 0.3)],
        ["1720 firing low", "2710 firing high", "3700 firing low", "3820 resolved low"],
    ),
    "host.memory": (1200, 30, [used(MEMORY, share) for share in SHARES], PASSES_BANDS),
    "host.disk": (1200, 30, [used(DISK, share) for share in SHARES], PASSES_BANDS),
    "db.query.p95": (
        600,
        1,
        [
            query,
            lambda at: query(at, seconds=0.2),
            lambda at: query(at, seconds=0.9),
            query,
        ],
        ["620 firing low", "1220 firing high", "2090 resolved high"],
    ),
    "backend.down": (300, 30, down_and_up("backend", "http"), ["370 firing critical", "610 resolved critical"]),
    "database.unreachable": (300, 30, down_and_up("db", "sql"), ["370 firing critical", "610 resolved critical"]),
    "database.corrupt": (
        300,
        30,
        down_and_up("db", "sql", "corrupt"),
        ["310 firing critical", "610 resolved critical"],
    ),
    "service.down": (300, 30, down_and_up("smtp", "tcp"), ["370 firing low", "610 resolved low"]),
    "certificate.expires": (
        600,
        30,
        [found("shop", "up", "http", days) for days in (30, 10, 2, 60)],
        ["610 firing low", "1210 firing high", "1810 resolved high"],
    ),
    "exporter.behind": (
        600,
        30,
        [lambda at, lag=lag: exporter(at, "lag", lag) for lag in (0, 1000, 30_000, 0)],  # type: ignore[misc]
        ["610 firing low", "1210 firing medium", "1810 resolved medium"],
    ),
    "exporter.set_aside": (
        600,
        30,
        [lambda at, count=count: exporter(at, "set_aside", count) for count in (0, 5, 0)],  # type: ignore[misc]
        ["610 firing low", "1210 resolved low"],
    ),
    "exporter.dropped": (
        4000,
        30,
        [lambda at, count=count: exporter(at, "dropped", count, cumulative=True) for count in (0, 2, 2)],  # type: ignore[misc]
        ["4010 firing high", "7610 resolved high"],
    ),
    "service.hung": (
        600,
        10,
        [lambda at, age=age: gauge(at, "process.event_loop.heartbeat.age", age) for age in (0.1, 100, 0.1)],  # type: ignore[misc]
        ["610 firing critical", "1210 resolved critical"],
    ),
}


@pytest.mark.parametrize("rule", TIMELINES)
@pytest.mark.untraced
def test_a_rule_tells_when_its_bands_are_entered_and_left(rule: str) -> None:
    """To the tick: every severity it can have, in the order in which it comes and goes."""
    length, every, phases, told = TIMELINES[rule]
    course = Course(rule)
    for number, make in enumerate(phases):
        course.each(number * length, (number + 1) * length, make, every)
    assert course.told == told
    severities: set[str] = {band["severity"] for band in DEFAULT_RULES[rule]["bands"]}
    if rule != "work_order.sync.success_rate":  # 95 to 98 % is one failure of 50, and it takes three
        assert {line.split()[2] for line in told} == severities


def test_a_pool_in_use_is_a_share_of_its_maximum() -> None:
    """The two metrics come apart; one pool of each service."""
    course = Course("db.pool.utilization")
    named = {"db.client.connection.pool.name": "main"}
    for at in range(0, 2400, 15):
        share = (5, 8.5, 9.5, 2)[at // 600]
        course.feed(
            [
                gauge(at, "db.client.connection.max", 10, **named),
                gauge(at, "db.client.connection.count", share, **named, **{"db.client.connection.state": "used"}),
                gauge(at, "db.client.connection.count", 10 - share, **named, **{"db.client.connection.state": "idle"}),
            ]
        )
    assert course.told == ["860 firing low", "1360 firing high", "1820 firing low", "1850 resolved low"]


def test_a_service_that_exports_at_an_interval_is_missed() -> None:
    """After two minutes, and welcomed back."""
    course = Course("service.absent").each(0, 600, lambda at: gauge(at, "queue.length", 1), 10).feed([], until=1200)
    course.each(1200, 1500, lambda at: gauge(at, "queue.length", 1), 10)
    assert course.told == ["720 firing critical", "1210 resolved critical"]


def test_every_default_rule_has_a_timeline() -> None:
    """Nobody adds a rule without proving it."""
    assert DEFAULT_RULES.keys() - TIMELINES.keys() == {"db.pool.utilization", "service.absent"}


def test_two_failures_of_few_are_no_evidence() -> None:
    """Fewer than three failures of fifty are one in twenty-five, and still no alert."""
    course = Course("work_order.sync.success_rate").each(0, 100, ends("work_order.sync", 25))
    assert (course.evaluation.value, course.evaluation.band, course.told) == (0.96, "normal", [])


def test_one_user_who_forgot_the_password_is_no_outage() -> None:
    """Failures of one user don't count as the system's; those of two do."""
    alone = Course("auth.success_rate").each(0, 200, logs_in(4, users=1))
    assert (alone.told, alone.evaluation.detail) == ([], "failures of fewer than 2 users")
    assert Course("auth.success_rate").each(0, 200, logs_in(4, users=3)).told == ["20 firing high"]


def test_where_there_is_little_traffic_errors_are_looked_for_in_an_hour() -> None:
    """Two requests a minute: five minutes are too little to judge, an hour is not."""
    course = Course("http.server.error_rate").each(0, 3600, lambda at: request(at, status=500 if at < 300 else 200), 30)
    assert course.evaluation.window_seconds == 3600
    assert course.told == ["580 firing critical", "2980 firing high"]


def test_a_burst_of_errors_that_is_over_does_not_alarm_for_an_hour() -> None:
    """With enough requests the five minutes decide."""
    course = Course("http.server.error_rate").each(0, 900, lambda at: request(at, status=500 if at < 60 else 200))
    assert course.told[-1].split()[1] == "resolved"
    assert (course.evaluation.value, course.evaluation.window_seconds) == (0.0, 300)


def test_examples_are_the_traces_of_the_worst() -> None:
    """So that whoever is woken has where to look."""
    slow = request(50, seconds=9, trace_id="a" * 32)
    course = Course("http.server.p95").each(0, 45, takes(0.1)).feed([slow])
    course.each(51, 100, takes(4))
    assert course.evaluation.traces[0] == "a" * 32
