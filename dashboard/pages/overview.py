"""Whether it is well, in one look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from alerting import history
from alerting.alert import Alert
from alerting.history import Episode
from analysis.deployments import Deployment, deployments
from analysis.engine import Engine
from analysis.health import LastLook, last_looks
from analysis.latency import EVERY_ROUTE, route_course
from analysis.period import DAY_NANO, MINUTE_NANO, Period
from analysis.published import Judged, published
from analysis.requests import RequestTimes, traffic
from analysis.summaries import courses
from dashboard.bands import band_ranges, rules_of
from dashboard.charts import Line, Mark, bars, lines
from dashboard.page import Asked, Page
from dashboard.records import Same
from dashboard.tiles import Tile, live_tiles, recorded_tiles
from processors.rules import Rule
from storage.state import State
from storage.value_rows import recorded_values

_RECENT_NANO = 15 * MINUTE_NANO
"""How a target is that nobody has looked at since is unknown."""
_LOOK_NANO = DAY_NANO
_DEPLOYS = 5
_MOST_ALERTS = 8
_HOST = (("host.cpu", "CPU"), ("host.memory", "memory"), ("host.disk", "disk"))
_MILLI = 1_000_000


async def content(asked: Asked) -> dict[str, Any]:
    records, view, site = asked.records, asked.view, asked.site
    parts, minutes = view.parts(), view.parts(minutes=True)
    judged = await asyncio.to_thread(published, site.folder, view.now_unix_nano)
    live = view.moves and not judged.problem
    end = view.period.end_unix_nano
    times, looks, deploys, host, shown, tiles = await asyncio.gather(
        records.ask(_exact if view.exact else _traffic, parts),
        records.ask(last_looks, Period(max(0, end - _LOOK_NANO), end)),
        records.ask(deployments, Period(max(0, min(view.period.start_unix_nano, end - 30 * DAY_NANO)), end)),
        records.ask(_host, minutes),
        _alerts(asked),
        _tiles(asked, judged, live=live),
    )
    looks = [_as_known(one, end, watched=live or not view.moves) for one in looks]
    return {
        "problem": judged.problem if view.moves else "",
        "looks": looks,
        "tiles": tiles,
        "verdict": _verdict(looks, tiles, shown if view.moves else [], live=live, past=not view.moves),
        "alerts": shown[:_MOST_ALERTS],
        "more_alerts": max(0, len(shown) - _MOST_ALERTS),
        "deploys": deploys[:_DEPLOYS],
        "requests": sum(one.requests for one in times),
        "rate": _rate_chart(asked, parts, times, deploys),
        "latency": _latency_chart(asked, parts, times, deploys),
        "host": _host_chart(asked, minutes, host),
    }


def _as_known(look: LastLook, end_unix_nano: int, *, watched: bool) -> LastLook:
    """Unknown when it is long ago; what was well is so also where no sidecar runs that would look."""
    recent = look.time_unix_nano >= end_unix_nano - _RECENT_NANO
    return look if recent and (watched or look.band != "normal") else look.unknown()


PAGE = Page("/overview", "Overview", "overview.html.j2", content, refresh="10s")


async def _alerts(asked: Asked) -> Sequence[Alert | Episode]:
    """What fires, or, of a time that is over, what did."""
    if asked.view.moves:
        return await asked.known([], _open_alerts)
    period = asked.view.period
    ends = (period.start_unix_nano, period.end_unix_nano)
    return await asked.known([], history.fired, *ends, asked.view.now_unix_nano)


def _exact(engine: Engine, parts: tuple[Period, ...]) -> list[RequestTimes]:
    return route_course(engine, parts, EVERY_ROUTE)


def _traffic(engine: Engine, parts: tuple[Period, ...]) -> list[RequestTimes]:
    return traffic(engine, list(parts))


def _host(engine: Engine, parts: tuple[Period, ...]) -> list[tuple[str, tuple[float | None, ...]]]:
    """The mean of each part, by resource; hosts are named where there are several."""
    found = []
    by_indicator = courses(engine, [indicator for indicator, _ in _HOST], parts)
    for indicator, name in _HOST:
        known = by_indicator[indicator]
        # An app that does not say on which host it runs measures one that is named already.
        named = {key: totals for key, totals in known.items() if any(key[:1])} or known
        several = len({key[:1] for key in named}) > 1
        for key, totals in sorted(named.items()):
            values = tuple(one.histogram.sum / one.count if one.count else None for one in totals)
            found.append((" ".join((name, *key[0 if several else 1 :])), values))
    return found


def _open_alerts(state: State) -> list[Alert]:
    return [one for one in history.alerts(state, ended=False) if one.status == "firing"]


async def _tiles(asked: Asked, judged: Judged, *, live: bool) -> list[Tile]:
    rules = rules_of(asked.site)
    if live:
        recorded = await asked.known([], recorded_values)
        return live_tiles(rules, judged.evaluations, recorded, asked.view.now_unix_nano)
    end = asked.view.period.end_unix_nano
    return await asked.records.shared(
        ("tiles", end), lambda: asked.records.ask(_recorded, Same(rules), end), fresh_seconds=10.0
    )


def _recorded(engine: Engine, rules: Same[Mapping[str, Rule]], end_unix_nano: int) -> list[Tile]:
    return recorded_tiles(engine, rules.value, end_unix_nano)


def _verdict(
    looks: Sequence[LastLook], tiles: Sequence[Tile], alerts: Sequence[Any], *, live: bool, past: bool
) -> dict[str, str]:
    """In a few words, and the band that colours them."""
    down = [one.target for one in looks if one.band == "critical"]
    worst = {*(look.band for look in looks), *(tile.band for tile in tiles)}
    if down:
        one, several = ("was", "were") if past else ("is", "are")
        return {"band": "critical", "text": f"{', '.join(down)} {one if len(down) == 1 else several} down"}
    if any(one.severity in {"critical", "high"} for one in alerts) or "critical" in worst:
        return {"band": "critical", "text": "Something needed somebody" if past else "Something needs you now"}
    if alerts or "warning" in worst:
        return {"band": "warning", "text": f"Something {'was' if past else 'is'} not as it should be"}
    unknown = _unknown(looks, tiles, live=live, past=past)
    return {"band": "no data", "text": unknown} if unknown else {"band": "normal", "text": "All is well"}


def _unknown(looks: Sequence[LastLook], tiles: Sequence[Tile], *, live: bool, past: bool) -> str:
    """Why nobody can say that all is well; empty when somebody can."""
    if past:
        return "This is what the records tell of that time"
    if not live:
        return "Nobody is judging: this is what the records tell"
    unseen = [one.target for one in looks if one.critical and one.band == "no data"]
    if unseen:
        return f"Nobody knows whether {', '.join(unseen)} {'is' if len(unseen) == 1 else 'are'} up"
    if {*(one.band for one in looks), *(one.band for one in tiles)} <= {"no data"}:
        return "Nothing has been measured yet"
    return ""


def _times(parts: Sequence[Period]) -> list[int]:
    return [part.start_unix_nano // _MILLI for part in parts]


def _marks(deploys: Sequence[Deployment], period: Period) -> list[Mark]:
    return [
        Mark(one.time_unix_nano // _MILLI, f"{one.service} {one.version}")
        for one in deploys
        if period.holds(one.time_unix_nano)
    ]


def _rate_chart(
    asked: Asked, parts: Sequence[Period], times: Sequence[RequestTimes], deploys: Sequence[Deployment]
) -> dict[str, Any]:
    answered = [(one.requests - one.errors) / part.seconds for one, part in zip(times, parts, strict=True)]
    failed = [one.errors / part.seconds for one, part in zip(times, parts, strict=True)]
    return bars(
        _times(parts),
        [Line("answered", answered), Line("failed", failed, tone="critical")],
        unit="1/s",
        marks=_marks(deploys, asked.view.period),
        opens=asked.view.link("/requests", from_="{from}", to="{to}").replace("%7B", "{").replace("%7D", "}"),
    )


def _latency_chart(
    asked: Asked, parts: Sequence[Period], times: Sequence[RequestTimes], deploys: Sequence[Deployment]
) -> dict[str, Any]:
    return lines(
        _times(parts),
        [
            Line("p50", [one.p50 for one in times]),
            Line("p95", [one.p95 for one in times]),
            Line("p99", [one.p99 for one in times]),
        ],
        unit="s",
        bands=band_ranges(asked.site, "http.server.p95"),
        marks=_marks(deploys, asked.view.period),
    )


def _host_chart(
    asked: Asked, parts: Sequence[Period], host: Sequence[tuple[str, tuple[float | None, ...]]]
) -> dict[str, Any]:
    return lines(
        _times(parts),
        [Line(name, values) for name, values in host],
        unit="ratio",
        bands=band_ranges(asked.site, "host.cpu"),
    )
