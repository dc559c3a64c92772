"""Which stored lines a rule can be about at all, told by a text that they hold: the rest need not be parsed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from processors.events import LINE_STARTS
from processors.indicators import Source
from processors.measurements import HOST_METRICS, HTTP_METRICS, POOL_METRICS
from processors.rules import Rule

Needles = Mapping[str, tuple[bytes, ...] | None]
"""By stream: a line without any of them is nobody's; None: every line may be somebody's."""

_STREAMS = ("traces", "logs", "metrics", "health")


def _names(metrics: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(b'"name":' + orjson.dumps(name) for name in sorted(metrics))


_BY_SOURCE: dict[Source, dict[str, tuple[bytes, ...] | None]] = {
    "request": {"traces": (b'"http.request.method"', b'"http.method"'), "metrics": _names(HTTP_METRICS)},
    "query": {"traces": (b'"db.system',)},
    "event": {
        "traces": (b'"event.outcome"',),
        "logs": (b'"event.outcome"', *(b'"body":' + orjson.dumps(start)[:-1] for start in LINE_STARTS)),
    },
    "span": {"traces": None},
    "log": {"logs": None},
    "pool": {"metrics": _names(POOL_METRICS)},
    "probe": {"health": None},
    "service": dict.fromkeys(_STREAMS),
}


def needles_of(rules: Iterable[Rule], *, mapped: bool = False) -> Needles:
    """A stream that no rule looks at is left out; where events are mapped, any log line may be one."""
    return joined(*(_of(rule, mapped=mapped) for rule in rules))


def needles_of_sightings(refusals: bool, *, mapped: bool) -> Needles:  # noqa: FBT001  # one of two
    """What security rules see: events and, if they want them, requests that were refused."""
    events = {**_BY_SOURCE["event"], "logs": None} if mapped else dict(_BY_SOURCE["event"])
    requests = _BY_SOURCE["request"]["traces"] or () if refusals else ()
    return {**events, "traces": (*(events["traces"] or ()), *requests)}


def rollup_needles(indicators: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(b'"indicator":' + orjson.dumps(name) for name in sorted(indicators))


def joined(*several: Needles) -> Needles:
    """What any of them may be about."""
    found: dict[str, tuple[bytes, ...] | None] = {}
    for one in several:
        for stream, needles in one.items():
            known = found.get(stream, ())
            found[stream] = None if needles is None or known is None else (*known, *needles)
    return {stream: None if needles is None else tuple(dict.fromkeys(needles)) for stream, needles in found.items()}


def _of(rule: Rule, *, mapped: bool) -> dict[str, tuple[bytes, ...] | None]:
    if rule.settings.metric is not None:
        return {"metrics": _names([rule.settings.metric])}
    if rule.indicator.source == "metric":
        return {"metrics": _names([HOST_METRICS[rule.source]])}
    if mapped and rule.indicator.source == "event":
        return {**_BY_SOURCE["event"], "logs": None}
    return _BY_SOURCE[rule.indicator.source]
