"""What the rules of security make of recorded events, judged again as it was live: each episode with its evidence."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from analysis.engine import Engine
from analysis.limited import parsed_object
from analysis.period import DAY_NANO, NANO, Period
from processors.anomalies.default_watches import DEFAULT_WATCHES
from processors.anomalies.detector import Detector
from processors.anomalies.point import Point
from processors.anomalies.series import BUCKET_NANO
from processors.anomalies.settings import WatchSettings
from processors.description import Description
from processors.security.alarm import Alarm, rank
from processors.security.judging import SecurityJudging
from processors.security.settings import SecuritySettings
from processors.security.sighting import LOGIN, Sighting, refusal, sighting_of_line
from processors.security.spike import SPIKES_OF
from processors.security.users import Login

HISTORY_NANO = 28 * DAY_NANO
"""What habits are learnt from, before the period."""
_TICK_NANO = 10 * NANO
_EVIDENCE = 3
_LEARNING_NANO = 7 * DAY_NANO
"""As long as detectors learn, before they are believed."""
_MOST_LOGINS = 200


@dataclass(frozen=True, slots=True)
class Episode:
    """One alarm from its begin to its end; `key` are labels and their values."""

    rule: str
    key: dict[str, str]
    severity: str
    first_unix_nano: int
    last_unix_nano: int
    count: int
    distinct: int
    total: float
    summary: str
    evidence: list[Sighting]
    """The first and the last of those that it is about."""
    sightings: int
    """All of them."""


@dataclass(slots=True)
class Attacks:
    """The worst first; `logins` are those that were odd without being an alarm, the latest first."""

    episodes: list[Episode] = field(default_factory=list)
    logins: list[Login] = field(default_factory=list)
    descriptions: dict[str, Description] = field(default_factory=dict)


def attacks(engine: Engine, period: Period, settings: SecuritySettings, lateness_seconds: float) -> Attacks:
    """By the rules that `settings` has on. Events are taken in the order in which they happened."""
    judging = SecurityJudging(settings, lateness_seconds)
    found = Attacks(descriptions={one.name: one for one in judging.descriptions})
    alarms: list[Alarm] = []
    judging.episodes.on_over = alarms.append
    judging.on_login = lambda login: _odd(found, login, period)
    seen = _sightings(engine, period, judging)
    tick = seen[0].time_unix_nano if seen else period.end_unix_nano
    points = deque(_points(seen, period.end_unix_nano))
    for one in seen:
        while points and points[0].time_unix_nano <= one.time_unix_nano:
            judging.spikes(points.popleft())
        if one.time_unix_nano - tick >= _TICK_NANO:
            tick = one.time_unix_nano - one.time_unix_nano % _TICK_NANO
            judging.judge(tick, frozen=False)
        judging.take(one)
    for point in points:
        judging.spikes(point)
    judging.judge(period.end_unix_nano + int(lateness_seconds * NANO), frozen=True)
    alarms = [one for one in (*alarms, *judging.alarms) if one.last_unix_nano >= period.start_unix_nano]
    evidence = _by_label(seen, {label for alarm in alarms for label, _ in alarm.key})
    found.episodes = [_episode(alarm, judging, evidence) for alarm in alarms]
    found.episodes.sort(key=lambda one: (-rank(one.severity), -one.last_unix_nano))
    found.logins = found.logins[: -_MOST_LOGINS - 1 : -1]
    return found


def _points(seen: Sequence[Sighting], end_unix_nano: int) -> list[Point]:
    """What the detector of failed logins says of each five minutes since a service's first login."""
    least = WatchSettings.model_validate(DEFAULT_WATCHES[SPIKES_OF]).least_change
    failed: dict[str, Counter[int]] = {}
    for one in seen:
        if one.event == LOGIN:
            failed.setdefault(one.label("service.name"), Counter())[one.time_unix_nano // BUCKET_NANO] += (
                one.outcome == "failure"
            )
    found = []
    for service, counts in failed.items():
        detector, first = Detector(least), min(counts)
        for bucket in range(first, end_unix_nano // BUCKET_NANO):
            count = counts[bucket]
            score = detector.update(bucket * BUCKET_NANO, count).score
            learning = (bucket - first) * BUCKET_NANO < _LEARNING_NANO
            end = (bucket + 1) * BUCKET_NANO
            found.append(Point(SPIKES_OF, (("service.name", service),), end, count, score, learning))
    return sorted(found, key=lambda point: point.time_unix_nano)


def _odd(found: Attacks, login: Login, period: Period) -> None:
    odd = login.logins and (login.new_network or login.new_family or not login.usual)
    if odd and period.holds(login.time_unix_nano):
        found.logins.append(login)


def _sightings(engine: Engine, period: Period, judging: SecurityJudging) -> list[Sighting]:
    """Events of the weeks before too, refused requests of the period; in the order of their times."""
    history = Period(max(0, period.start_unix_nano - HISTORY_NANO), period.end_unix_nano)
    found = [one for stream in ("security", "business") for one in _events(engine, stream, history, judging)]
    if judging.wants_refusals:
        found += _refusals(engine, period)
    return sorted(found, key=lambda one: one.time_unix_nano)


def _events(engine: Engine, stream: str, period: Period, judging: SecurityJudging) -> Iterator[Sighting]:
    rows = engine.sql(
        f"SELECT event_unix_nano, service, event, outcome, trace_id, attributes FROM {stream}",  # noqa: S608  # our own names
        (),
        period,
    )
    for time, service, event, outcome, trace_id, attributes in rows:
        seen = sighting_of_line(
            {
                "time_unix_nano": time,
                "service": service or "",
                "event": event or "",
                "outcome": outcome or "",
                "trace_id": trace_id or "",
                "attributes": parsed_object(attributes),
            }
        )
        if judging.wants(seen.event):
            yield seen


def _refusals(engine: Engine, period: Period) -> Iterator[Sighting]:
    rows = engine.sql(
        """
        SELECT end_time_unix_nano, event_unix_nano, service, trace_id, attributes FROM traces
        WHERE kind IN ('SERVER', 'INTERNAL') AND coalesce(
            attr(attributes, 'http.response.status_code'), attr(attributes, 'http.status_code')
        ) IN ('401', '403', '404')
        """,
        (),
        period,
    )
    for ended, began, service, trace_id, attributes in rows:
        labels = {**parsed_object(attributes), "service.name": service or ""}
        yield refusal(labels, ended or began, trace_id or "")


def _by_label(seen: Sequence[Sighting], labels: Collection[str]) -> Mapping[tuple[str, str], list[Sighting]]:
    """Since an attack may be thousands of episodes."""
    found: dict[tuple[str, str], list[Sighting]] = {}
    for one in seen:
        for label in labels:
            found.setdefault((label, one.label(label)), []).append(one)
    return found


def _episode(alarm: Alarm, judging: SecurityJudging, seen: Mapping[tuple[str, str], list[Sighting]]) -> Episode:
    fewest = min((seen.get(pair, []) for pair in alarm.key), key=len)
    first = bisect_left(fewest, alarm.first_unix_nano - alarm.lasts_nano, key=_time)
    last = bisect_left(fewest, alarm.last_unix_nano + 1, key=_time)
    about = [one for one in fewest[first:last] if _is_about(one, alarm) and judging.counts(alarm.rule, one)]
    shown = about if len(about) <= _EVIDENCE else [*about[: _EVIDENCE - 1], about[-1]]
    return Episode(
        alarm.rule,
        dict(alarm.key),
        alarm.severity,
        alarm.first_unix_nano,
        alarm.last_unix_nano,
        alarm.count,
        alarm.distinct,
        alarm.total,
        judging.episodes.summary(alarm),
        shown,
        len(about),
    )


def _time(seen: Sighting) -> int:
    return seen.time_unix_nano


def _is_about(seen: Sighting, alarm: Alarm) -> bool:
    return all(seen.label(label) == value for label, value in alarm.key)
