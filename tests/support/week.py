"""A recorded week with known truth: seven days of a backend with an outage, a slow hour, failing jobs and an attack.

Records are those that a sidecar would have written, derived streams and rollups made by its own judgement; what each
command must say of them is reckoned by the tests from the plain lists in `Week`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from processors.judgement import Judgement
from processors.observation import observe
from processors.settings import ThresholdSettings
from processors.timestamps import Timestamps
from storage.manifest import Manifest, summarize
from storage.names import OWN_FOLDER, hour_of

START = 1_795_392_000 - 7 * 86400
"""2026-11-16T00:00:00Z, in seconds: a Monday."""
DAY = 86400
HOUR = 3600
NANO = 1_000_000_000
END = START + 7 * DAY
ROUTES = ("/api/v1/work-orders/", "/api/v1/work-orders/{number}", "/api/auth/login", "/api/v1/automation/jobs")
OUTAGE = (START + 2 * DAY + 10 * HOUR, START + 2 * DAY + 10 * HOUR + 1800)
SLOW = (START + 3 * DAY + 14 * HOUR, START + 3 * DAY + 15 * HOUR)
ATTACK = START + 4 * DAY + 3 * HOUR
ATTACKER = "203.0.113.7"
SERVICE = "fossawork-backend"
_RESOURCE = {"attributes": {"service.name": SERVICE, "service.instance.id": "i-1"}}
_HOST = {"attributes": {"service.name": "forecourt", "host.name": "host"}}
_DISK = {"system.filesystem.mountpoint": "/", "system.filesystem.state": "used"}


@dataclass(frozen=True, slots=True)
class Request:
    at: float
    method: str
    route: str
    status: int
    seconds: float
    user: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Query:
    at: float
    text: str
    summary: str
    seconds: float
    trace_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    at: float
    type: str
    message: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Event:
    at: float
    name: str
    outcome: str
    seconds: float | None
    attributes: dict[str, Any]


@dataclass(slots=True)
class Week:
    """`at` is the time, in seconds since 1970, at which a thing ended."""

    logs: Path
    requests: list[Request] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    errors: list[Failed] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    probes: list[tuple[float, bool]] = field(default_factory=list)
    disk: list[tuple[float, float]] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Bytes of the backend's process."""


def iso(seconds: float) -> str:
    """As `--from` and `--to` take it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def record_week(folder: Path) -> Week:
    """Write it below `folder`/logs."""
    week = known_week(folder)
    Recorder(week).write()
    return week


def known_week(folder: Path) -> Week:
    """The truth of the week that is, or will be, recorded below `folder`/logs."""
    week = Week(folder / "logs")
    _live(week, random.Random(17))  # noqa: S311  # the same week each time
    return week


def _live(week: Week, chance: random.Random) -> None:
    for second in range(START, END, 45):
        at = second + chance.random() * 40
        _request(week, chance, at)
    for number, second in enumerate(range(START + 900, END, 1200)):
        failed = number % 9 == 0
        attributes = {"job.id": f"job-{number}", "user.id": f"user-{number % 5}"}
        reason = {"event.reason": "no such pump"} if failed else {}
        outcome = "failure" if failed else "success"
        seconds = 20 + chance.random() * 10
        week.events.append(Event(second, "fossa.form_automation.job", outcome, seconds, {**attributes, **reason}))
    for number, second in enumerate(range(START + 600, END, 3600)):
        outcome = "failure" if number % 40 == 39 else "success"
        week.events.append(Event(second, "fossa.work_order.sync", outcome, 5 + chance.random(), {}))
    for second in range(START, END, 300):
        week.probes.append((second, not OUTAGE[0] <= second < OUTAGE[1]))
        week.disk.append((second, 0.6 + 0.02 * (second - START) / DAY))
        week.memory.append((second, 200e6 + 1e6 * (second - START) / HOUR))
    _logins(week)


def _request(week: Week, chance: random.Random, at: float) -> None:
    route = chance.choice(ROUTES)
    seconds = round(chance.lognormvariate(-3, 0.5), 6)
    status = 200
    trace_id = f"{chance.getrandbits(128):032x}"
    if SLOW[0] <= at < SLOW[1]:
        seconds *= 60
    if OUTAGE[0] <= at < OUTAGE[1]:
        status = 503
    elif chance.random() < 0.01:
        status = 500
        kind, message = chance.choice(
            [("ValueError", f"no such pump {chance.randrange(10_000)}"), ("KeyError", "'station'")]
        )
        week.errors.append(Failed(at, kind, message, trace_id))
    elif chance.random() < 0.02:
        status = 404
    user = f"user-{chance.randrange(8)}"
    week.requests.append(Request(at, "GET", route, status, seconds, user, trace_id))
    if chance.random() < 0.4:
        taken = 1.5 + chance.random() if chance.random() < 0.01 else chance.lognormvariate(-6, 0.4)
        text = f"SELECT * FROM work_orders WHERE number = {chance.randrange(1000)}"  # noqa: S608  # nobody runs it
        week.queries.append(Query(at, text, "SELECT work_orders", round(taken, 6), trace_id))


def _logins(week: Week) -> None:
    for number, second in enumerate(range(START + 30, END, 1800)):
        who = {"user.id": f"user-{number % 8}", "client.address": f"192.0.2.{number % 8}"}
        week.events.append(Event(second, "fossa.auth.login", "success", None, who))
    for number in range(60):
        who = {"user.id": f"user-{number % 3}", "client.address": ATTACKER}
        week.events.append(Event(ATTACK + number * 10, "fossa.auth.login", "failure", None, who))
    who = {"user.id": "user-1", "client.address": ATTACKER}
    week.events.append(Event(ATTACK + 700, "fossa.auth.login", "success", None, who))
    for number in range(12):
        hit = {"client.address": "198.51.100.4", "url.path": "/api/v1/work-orders/"}
        week.events.append(Event(ATTACK + number, "fossa.rate_limit.exceeded", "failure", None, hit))


class Recorder:
    """Lines as the sidecar writes them, judged in the order of their arrival."""

    def __init__(self, week: Week) -> None:
        self._week = week
        self._timestamps = Timestamps()
        rules = {name: {"enabled": False} for name in ThresholdSettings().rules}
        self._judgement = Judgement(ThresholdSettings.model_validate({"rules": rules}))
        self._number = 0
        self._files: dict[Path, bytearray] = {}

    def write(self) -> None:
        records = sorted(self._records(), key=lambda one: int(one[1]["received_unix_nano"]))
        for stream, record in records:
            received = record["received_unix_nano"]
            self._judgement.advance(received)
            self._put(stream, received, orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
            self._judgement.observe(observe(stream, record, self._judgement.projection))
            self._take(received)
        self._judgement.advance((END + 600) * NANO)
        self._take((END + 600) * NANO)
        self._save()

    def _take(self, now: int) -> None:
        for stream, lines, _ in self._judgement.lines.take():
            self._put(stream, now, lines)

    def _put(self, stream: str, now: int, lines: bytes) -> None:
        path = self._week.logs / stream / f"{hour_of(now)}.jsonl"
        self._files.setdefault(path, bytearray()).extend(lines)

    def _save(self) -> None:
        manifest = Manifest(self._week.logs / OWN_FOLDER / "manifest.json", {})
        (self._week.logs / OWN_FOLDER).mkdir(parents=True)
        for path, content in self._files.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            summary = summarize(path, lambda: False)
            assert summary is not None
            manifest.add(path, summary)
        manifest.save()

    def _records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        week = self._week
        for request in week.requests:
            yield "traces", self._server_span(request)
        for query in week.queries:
            yield "traces", self._query_span(query)
        for error in week.errors:
            yield "logs", self._error(error)
        for event in week.events:
            yield self._event(event)
        for at, healthy in week.probes:
            yield "health", self._probe(at, healthy=healthy)
        for (at, disk), (_, memory) in zip(week.disk, week.memory, strict=True):
            yield "metrics", self._gauge(at, "system.filesystem.utilization", disk, _HOST, _DISK)
            yield "metrics", self._gauge(at, "process.memory.usage", memory, _RESOURCE, {})

    def _base(self, at: float, service: str = SERVICE) -> dict[str, Any]:
        self._number += 1
        time = round(at * 1e6) * 1000
        return {
            "timestamp": self._timestamps(time),
            "time_unix_nano": time,
            "received_unix_nano": time + NANO // 2,
            "service": service,
        }

    def _rest(self, attributes: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
        batch_id = hashlib.blake2b(str(self._number).encode(), digest_size=8).hexdigest()
        return {
            "batch_id": batch_id,
            "batch_index": 0,
            "attributes": attributes,
            "resource": resource or _RESOURCE,
            "scope": {"name": "app"},
        }

    def _span(self, at: float, seconds: float, name: str, kind: str, trace_id: str) -> dict[str, Any]:
        base = self._base(at)
        end = base["time_unix_nano"]
        return {
            **base,
            "time_unix_nano": end - round(seconds * 1e9),
            "name": name,
            "kind": kind,
            "trace_id": trace_id,
            "span_id": f"{self._number:016x}",
            "end_time_unix_nano": end,
            "duration_ms": seconds * 1000,
            "status": "UNSET",
        }

    def _server_span(self, one: Request) -> dict[str, Any]:
        attributes = {
            "http.request.method": one.method,
            "http.route": one.route,
            "http.response.status_code": one.status,
            "user.id": one.user,
            "client.address": "192.0.2.1",
        }
        span = self._span(one.at, one.seconds, f"{one.method} {one.route}", "SERVER", one.trace_id)
        return {**span, **self._rest(attributes)}

    def _query_span(self, one: Query) -> dict[str, Any]:
        attributes = {"db.system.name": "sqlite", "db.query.summary": one.summary, "db.query.text": one.text}
        return {**self._span(one.at, one.seconds, one.summary, "CLIENT", one.trace_id), **self._rest(attributes)}

    def _error(self, one: Failed) -> dict[str, Any]:
        attributes = {"exception.type": one.type, "exception.message": one.message}
        told = {"severity": "ERROR", "severity_number": 17, "body": "failed", "trace_id": one.trace_id}
        base = self._base(one.at)
        return {**base, **told, "observed_time_unix_nano": base["time_unix_nano"], **self._rest(attributes)}

    def _event(self, one: Event) -> tuple[str, dict[str, Any]]:
        attributes = {**one.attributes, "event.name": one.name, "event.outcome": one.outcome}
        if one.seconds is not None:
            trace_id = f"{self._number:032x}"
            return "traces", {
                **self._span(one.at, one.seconds, one.name, "INTERNAL", trace_id),
                **self._rest(attributes),
            }
        told = {"severity": "INFO", "severity_number": 9, "body": one.name, "event_name": one.name}
        base = self._base(one.at)
        return "logs", {**base, **told, "observed_time_unix_nano": base["time_unix_nano"], **self._rest(attributes)}

    def _probe(self, at: float, *, healthy: bool) -> dict[str, Any]:
        told = {
            "target": "backend",
            "kind": "http",
            "healthy": healthy,
            "state": "up" if healthy else "down",
            "latency_ms": 12.5,
            "detail": "status 200" if healthy else "refused",
            "unhealthy_after": 3,
        }
        rest = self._rest({})
        return {**self._base(at, "forecourt"), **told, "batch_id": rest["batch_id"], "batch_index": 0}

    def _gauge(
        self, at: float, name: str, value: float, resource: dict[str, Any], attributes: dict[str, Any]
    ) -> dict[str, Any]:
        service = resource["attributes"]["service.name"]
        told = {"name": name, "unit": "1", "type": "gauge", "start_time_unix_nano": 0, "value": value}
        return {**self._base(at, service), **told, **self._rest(attributes, resource)}
