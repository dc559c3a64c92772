"""Messages: what people read, made from a notification by templates that an operator may replace."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, TemplateError

from alerting.chart import Bar, bars, sparkline
from alerting.evidence import Evidence, Gather, nothing
from alerting.notification import AlertView, Notification
from alerting.plain_text import plain
from alerting.severity import RESPONSE
from processors.conditions import parse_condition
from processors.evaluation import format_value
from processors.quantities import format_duration

_log = logging.getLogger(__name__)
_NANO = 1_000_000_000
_SHOWN = 20
"""Alerts that a message shows in full; further ones are named."""
_DETAILED = 3
"""Alerts for which evidence is gathered."""
_RATIO = 1.5
"""From here on "so many times the usual" says more than the numbers."""
_MOST_NAMED = 60


@dataclass(frozen=True, slots=True)
class Message:
    """`title` and `short` are plain lines; `text` has many; `html` is a whole document."""

    title: str
    short: str
    text: str
    html: str
    link: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """One alert as templates see it; every text is plain."""

    id: str
    name: str
    rule: str
    labels: str
    severity: str
    firing: bool
    stale: bool
    summary: str
    value: str
    band: str
    basis: str
    since: str
    lasted: str
    ended: str
    ended_reason: str
    held: int
    link: str
    traces: tuple[tuple[str, str], ...]
    steps: tuple[str, ...]
    sparkline: str
    bars: tuple[Bar, ...]
    compared: str
    routes: tuple[str, ...]
    samples: tuple[dict[str, str], ...]


class Messages:
    """`folder` holds templates of the operator's own, by the names of those in `alerting/templates`."""

    def __init__(self, link: str, folder: Path | None = None, gather: Gather = nothing) -> None:
        self._link = link.rstrip("/")
        self._gather = gather
        own = [FileSystemLoader(folder)] if folder else []
        self._environment = _environment([*own, PackageLoader("alerting", "templates")])
        self._packaged = _environment([PackageLoader("alerting", "templates")])

    def message(self, notification: Notification) -> Message:
        """Never fails: where a template of the operator's does, ours takes its place and the log says so."""
        values = self._values(notification)
        title = plain(self._render("title.txt.j2", values), 250)
        return Message(
            title=title,
            short=self._render("short.txt.j2", values).strip(),
            text=self._render("text.txt.j2", {**values, "title": title}).strip() + "\n",
            html=self._render("email.html.j2", {**values, "title": title}),
            link=values["link"],
        )

    def _render(self, name: str, values: dict[str, Any]) -> str:
        try:
            return self._environment.get_template(name).render(values)
        except (TemplateError, TypeError, ValueError, ArithmeticError, OSError, LookupError, AttributeError) as error:
            _log.warning("alerting.templates: %s: %s; the packaged template takes its place", name, error)
            return self._packaged.get_template(name).render(values)

    def _values(self, notification: Notification) -> dict[str, Any]:
        now = notification.created_unix_nano
        digest = notification.kind == "digest"
        shown = [
            self._shown(alert, now, detailed=not digest and number < _DETAILED)
            for number, alert in enumerate(notification.alerts[:_SHOWN])
        ]
        rest = notification.alerts[_SHOWN:_MOST_NAMED]
        link = shown[0].link if len(shown) == 1 else f"{self._link}/alerts"
        return {
            "kind": notification.kind,
            "severity": notification.severity,
            "response": RESPONSE.get(notification.severity, ""),
            "reason": plain(notification.reason),
            "message": plain(notification.text, 1000),
            "firing": [alert for alert in shown if alert.firing],
            "resolved": [alert for alert in shown if not alert.firing],
            "alerts": shown,
            "named": [plain(alert.name) for alert in rest],
            "more": max(0, len(notification.alerts) - _MOST_NAMED) + notification.more,
            "count": len(notification.alerts) + notification.more,
            "at": _moment(now),
            "link": link,
        }

    def _shown(self, alert: AlertView, now: int, *, detailed: bool) -> _Shown:
        evidence = self._evidence(alert, now) if detailed else Evidence()
        switch = alert.bands == ("> 0",)  # it is or it isn't: a number says nothing
        end = now if alert.status == "firing" else alert.resolved_at
        return _Shown(
            id=alert.id,
            name=plain(alert.name),
            rule=plain(alert.rule),
            labels=plain(", ".join(value for _, value in alert.key)),
            severity=alert.severity,
            firing=alert.status == "firing",
            stale=alert.stale,
            summary=plain(alert.summary or alert.rule),
            value="" if switch else format_value(alert.value, alert.unit),
            band="" if switch else _band(alert),
            basis="" if switch else _basis(alert),
            since=_moment(alert.firing_since),
            lasted=_lasted(end - alert.firing_since),
            ended=_moment(alert.resolved_at) if alert.resolved_at else "",
            ended_reason=plain(alert.resolved_reason),
            held=alert.held,
            link=f"{self._link}/alerts/{alert.id}",
            traces=tuple((plain(trace, 32), self._trace_link(trace)) for trace in alert.traces[:3]),
            steps=(*map(plain, alert.next_steps[:3]), f"forecourt alerts ack {shlex.quote(alert.id)} --by YOUR-NAME"),
            sparkline=sparkline(evidence.minutes),
            bars=tuple(bars(evidence.minutes, [_is_bad(alert, value) for value in evidence.minutes])),
            compared=_compared(alert, evidence),
            routes=tuple(plain(route, 120) for route in evidence.routes[:5]),
            samples=tuple(
                {
                    "message": plain(sample.message, 200),
                    "route": plain(sample.route, 80),
                    "trace": plain(sample.trace_id, 32),
                    "link": self._trace_link(sample.trace_id),
                    "count": str(sample.count),
                }
                for sample in evidence.samples[:3]
            ),
        )

    def _evidence(self, alert: AlertView, now: int) -> Evidence:
        try:
            return self._gather(alert, now)
        except Exception:  # noqa: BLE001  # a message without a chart is better than none
            _log.exception("no evidence for %s", alert.id)
            return Evidence()

    def _trace_link(self, trace_id: str) -> str:
        return f"{self._link}/traces/{quote(plain(trace_id, 32), safe='')}"


def _environment(loaders: Iterable[Any]) -> Environment:
    return Environment(
        loader=ChoiceLoader(list(loaders)),
        autoescape=lambda name: name is not None and ".html" in name,  # noqa: S701  # the rest is plain text
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _moment(time_unix_nano: int) -> str:
    return datetime.fromtimestamp(time_unix_nano // _NANO, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _lasted(nano: int) -> str:
    seconds = max(0, nano // _NANO)
    if seconds < 120:  # noqa: PLR2004  # two minutes
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _band(alert: AlertView) -> str:
    """The bound that the value is beyond, or the first one."""
    beyond = [band for band in alert.bands if alert.value is not None and parse_condition(band).holds(alert.value)]
    return (beyond or [*alert.bands[:1]] or [""])[-1]


def _basis(alert: AlertView) -> str:
    if not alert.window_seconds or not alert.samples:
        return ""
    return f"{alert.samples} samples in {format_duration(alert.window_seconds)}"


def _is_bad(alert: AlertView, value: float | None) -> bool:
    return value is not None and any(parse_condition(band).holds(value) for band in alert.bands[:1])


def _compared(alert: AlertView, evidence: Evidence) -> str:
    """How bad it is compared with the last 24 hours."""
    if alert.value is None or evidence.usual is None:
        return ""
    usual = f"usual in the last 24 h: {format_value(evidence.usual, alert.unit)}"
    times = alert.value / evidence.usual if evidence.usual > 0 else 0.0
    parts = [f"{times:.3g} times the usual" if times >= _RATIO else "", usual]
    if evidence.highest is not None and alert.value >= evidence.highest:
        parts.append("the highest of 24 h")
    elif evidence.lowest is not None and alert.value <= evidence.lowest:
        parts.append("the lowest of 24 h")
    return "; ".join(part for part in parts if part)
