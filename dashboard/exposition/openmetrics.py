"""Lines as Prometheus reads them: OpenMetrics 1.0, or the text format 0.0.4 that came before it.

https://github.com/prometheus/docs/blob/main/docs/specs/om/open_metrics_spec.md,
https://prometheus.io/docs/instrumenting/exposition_formats/. Buckets have the same `le` in both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

from dashboard.exposition.families import Family

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
_VERSIONS = frozenset({"", "0.0.1", "1.0.0"})
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_NANO = 1_000_000_000
_MILLI = 1_000_000


class Exemplar(NamedTuple):
    """A request that a sample is about; `trace_id` has hexadecimal digits only."""

    trace_id: str
    value: float
    time_unix_nano: int


class Distribution:
    """Counts by bucket, the last one without an upper bound, and the last exemplar of each."""

    __slots__ = ("counts", "exemplars", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.exemplars: dict[int, Exemplar] = {}
        self.sum = 0.0


def wants_openmetrics(accept: str) -> bool:
    """Whether a header `Accept` names a version of it that we speak, and wants plain text no more than that."""
    openmetrics = text = 0.0
    for offer in accept[:1000].lower().split(","):
        kind, *parameters = (part.strip() for part in offer.split(";"))
        given = dict(one.partition("=")[::2] for one in parameters)
        if kind == "application/openmetrics-text" and given.get("version", "") in _VERSIONS:
            openmetrics = max(openmetrics, _weight(given.get("q", "1")))
        elif kind == "text/plain":
            text = max(text, _weight(given.get("q", "1")))
    return openmetrics > 0 and openmetrics >= text


def _weight(text: str) -> float:
    """RFC 9110, section 12.4.2; what is none wants nothing."""
    return float(text) if _WEIGHT.fullmatch(text) else 0.0


class Lines:
    """Collects families; labels come as `label_text` has them. What is empty is left out whole."""

    def __init__(self, *, openmetrics: bool) -> None:
        self._lines: list[str] = []
        self._openmetrics = openmetrics

    def gauge(self, family: Family, values: Mapping[str, float]) -> None:
        if values:
            self._head(family)
            self._lines += [
                f"{family.name}{{{labels}}} {_number(value)}" if labels else f"{family.name} {_number(value)}"
                for labels, value in values.items()
            ]

    def counter(
        self,
        family: Family,
        values: Mapping[str, float],
        created_unix_nano: int,
        exemplars: Mapping[str, Exemplar] | None = None,
    ) -> None:
        if not values:
            return
        self._head(family)
        for labels, value in values.items():
            told = self._exemplar((exemplars or {}).get(labels))
            self._lines.append(f"{family.name}_total{{{labels}}} {_number(value)}{told}")
            self._created(family, labels, created_unix_nano)

    def histogram(self, family: Family, values: Mapping[str, Distribution], created_unix_nano: int) -> None:
        if not values:
            return
        self._head(family)
        bounds = [f'le="{_number(bound)}"' for bound in (*family.buckets, math.inf)]
        for labels, value in values.items():
            self._distribution(f"{family.name}_bucket{{{labels},", bounds, value)
            self._lines.append(f"{family.name}_count{{{labels}}} {sum(value.counts)}")
            self._lines.append(f"{family.name}_sum{{{labels}}} {_number(value.sum)}")
            self._created(family, labels, created_unix_nano)

    def _distribution(self, start: str, bounds: list[str], value: Distribution) -> None:
        cumulated = accumulate(value.counts)
        if not self._openmetrics or not value.exemplars:
            self._lines += [f"{start}{bound}}} {count}" for bound, count in zip(bounds, cumulated, strict=True)]
            return
        for number, (bound, count) in enumerate(zip(bounds, cumulated, strict=True)):
            self._lines.append(f"{start}{bound}}} {count}{self._exemplar(value.exemplars.get(number))}")

    def _head(self, family: Family) -> None:
        total = "_total" if family.kind == "counter" and not self._openmetrics else ""
        self._lines.append(f"# HELP {family.name}{total} {family.meaning}")
        self._lines.append(f"# TYPE {family.name}{total} {family.kind}")
        if family.unit and self._openmetrics:
            self._lines.append(f"# UNIT {family.name} {family.unit}")

    def _created(self, family: Family, labels: str, created_unix_nano: int) -> None:
        if self._openmetrics:
            self._lines.append(f"{family.name}_created{{{labels}}} {_seconds(created_unix_nano)}")

    def _exemplar(self, one: Exemplar | None) -> str:
        if one is None or not self._openmetrics:
            return ""
        return f' # {{trace_id="{one.trace_id}"}} {_number(one.value)} {_seconds(one.time_unix_nano)}'

    def content(self) -> bytes:
        end = ["# EOF"] if self._openmetrics else []
        return "".join([f"{line}\n" for line in (*self._lines, *end)]).encode()


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(int(value))
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _seconds(time_unix_nano: int) -> str:
    seconds, rest = divmod(time_unix_nano, _NANO)
    return f"{seconds}.{rest // _MILLI:03d}"
