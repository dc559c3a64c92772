"""Which metrics there are, and by what they can be told apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from analysis.engine import Engine
from analysis.period import Period

_KEYS = 20
_SERVICES = 50
_MOST_ROWS = 20_000
"""Of names, services and sets of keys; the rarest are left out."""
_LENGTH = 256


@dataclass(frozen=True, slots=True)
class MetricName:
    """`type` as OTLP has it; the keys of its points, the most frequent first, at most twenty."""

    name: str
    type: str
    unit: str
    description: str
    services: tuple[str, ...]
    attributes: tuple[str, ...]
    points: int


def metric_names(engine: Engine, period: Period) -> list[MetricName]:
    """By name; what one name had last counts where senders disagree. What was sent twice counts twice."""
    rows = engine.sql(
        f"""
        SELECT name, left(coalesce(service, ''), {_LENGTH}) AS who, json_keys(attributes) AS keys, count(*) AS points,
            max(event_unix_nano), max_by(coalesce(type, ''), event_unix_nano),
            max_by(left(coalesce(unit, ''), {_LENGTH}), event_unix_nano),
            max_by(left(coalesce(description, ''), {2 * _LENGTH}), event_unix_nano)
        FROM metrics WHERE length(name) BETWEEN 1 AND {_LENGTH}
        GROUP BY name, who, keys ORDER BY points DESC, name LIMIT {_MOST_ROWS}
        """,  # noqa: S608  # our own numbers
        (),
        period,
    )
    found: dict[str, _Metric] = {}
    for name, *told in rows:
        found.setdefault(name, _Metric()).add(*told)
    return [found[name].named(name) for name in sorted(found)]


class _Metric:
    """What the rows of one name add up to."""

    def __init__(self) -> None:
        self._services: Counter[str] = Counter()
        self._keys: Counter[str] = Counter()
        self._last = (-1, "", "", "")

    def add(self, service: str, keys: list[str] | None, points: int, *last: *tuple[int, str, str, str]) -> None:
        self._services[service] += points
        for key in keys or ():
            self._keys[key[:_LENGTH]] += points
        self._last = max(self._last, last)

    def named(self, name: str) -> MetricName:
        _, kind, unit, description = self._last
        services = tuple(service for service, _ in self._services.most_common(_SERVICES))
        keys = tuple(key for key, _ in sorted(self._keys.items(), key=lambda one: (-one[1], one[0]))[:_KEYS])
        return MetricName(name, kind, unit, description, tuple(sorted(services)), keys, self._services.total())
