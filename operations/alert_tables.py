"""What the commands about alerts print for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.text import Text

from alerting.alert import Alert
from alerting.chart import sparkline
from alerting.history import Episode, Pattern, Storm
from alerting.journal import Entry
from alerting.plain_text import plain
from operations.tables import console, lasted, moment, severity_text, show_table
from processors.description import Description
from processors.evaluation import format_value

_NANO = 1_000_000_000
_OUTCOME_COLOURS = {
    "firing": "red",
    "rose": "red",
    "resolved": "green",
    "sent": "green",
    "failed permanently": "bold red",
    "retrying": "yellow",
    "queue full": "bold red",
}
_IDLE = ("repeated too soon",)
"""Decisions that keep nobody from knowing."""
_IDLE_ONCE_TOLD = ("grouped", "not configured")
"""Decisions of one route that matter no more once another has told somebody."""


def show_alerts(
    found: Sequence[Alert], waiting: Sequence[Mapping[str, Any]], *, running: bool, now_unix_nano: int
) -> None:
    if not running:
        click.echo("the sidecar is not running; this is how it left things", err=True)
    if not found:
        click.echo("nothing fires")
    else:
        rows = [
            (
                alert.id,
                severity_text(alert.severity),
                _status(alert),
                lasted((now_unix_nano - _since(alert)) / _NANO) if alert.status != "resolved" else "",
                plain(alert.summary or alert.rule, 80),
                plain(", ".join(value for _, value in alert.key), 60),
                _told(alert),
            )
            for alert in found
        ]
        show_table(("id", "severity", "status", "for", "alert", "of", "told"), rows, right=("for",))
    for one in waiting:
        if one["attempts"]:
            click.echo(f"notification {one['id']} waits for {one['receiver']}: {plain(one['answer'])}", err=True)


def _since(alert: Alert) -> int:
    return alert.firing_since if alert.status == "firing" else alert.pending_since


def _status(alert: Alert) -> str:
    marks: list[str] = [alert.status]
    if alert.stale_since is not None:
        marks.append("no data")
    if alert.flapping_since is not None:
        marks.append("flapping")
    return ", ".join(marks)


def _told(alert: Alert) -> str:
    """Who knows, or why nobody does."""
    if alert.acknowledged is not None:
        return f"acknowledged by {plain(alert.acknowledged.by, 40)}"
    idle = (*_IDLE, *_IDLE_ONCE_TOLD) if alert.receivers else _IDLE
    blocked = [text for text in alert.decided.values() if not text.startswith(idle)]
    if alert.receivers and not blocked:
        return ", ".join(alert.receivers)
    return plain(blocked[-1], 80) if blocked else "nobody yet" if alert.status == "firing" else ""


def show_alert(alert: Alert, rule: Description | None, now_unix_nano: int) -> None:
    out = console()
    out.print(Text(plain(alert.name), "bold"), Text(f"  {alert.id}", "dim"))
    lines = [
        ("status", f"{_status(alert)}, {alert.severity}"),
        ("what", plain(alert.summary)),
        ("value", f"{format_value(alert.value, alert.unit)}; {alert.samples} samples in {alert.window_seconds:.0f} s"),
    ]
    if rule is not None:
        lines.append(("rule", "; ".join(rule.bounds)))
    if alert.firing_since:
        end = alert.resolved_at or now_unix_nano
        lines.append(("since", f"{moment(alert.firing_since)} UTC, {lasted((end - alert.firing_since) / _NANO)}"))
    if alert.resolved_at:
        lines.append(("over", f"{moment(alert.resolved_at)} UTC: {plain(alert.resolved_reason)}"))
    if alert.acknowledged is not None:
        known = alert.acknowledged
        lines.append(("seen to", f"by {plain(known.by)} at {moment(known.at)} UTC {plain(known.note)}".rstrip()))
    lines.append(("told", _told(alert)))
    lines += [("trace", trace) for trace in alert.traces]
    lines += [("next", step) for step in (rule.next_steps if rule and alert.status == "firing" else ())]
    for name, text in lines:
        if text:
            out.print(Text(f"  {name:<8}", "dim"), Text(text), sep="")


def show_story(entries: Sequence[Entry]) -> None:
    click.echo()
    rows = [
        (
            moment(entry.time_unix_nano),
            Text(("" if entry.alert else "  ") + entry.outcome, _OUTCOME_COLOURS.get(entry.outcome, "")),
            severity_text(str(entry.content.get("severity", ""))),
            format_value(entry.content.get("value"), str(entry.content.get("unit", "1"))) if entry.alert else "",
            _said(entry),
        )
        for entry in entries
    ]
    show_table(("time (UTC)", "what", "severity", "value", "why"), rows, right=("value",))


def _said(entry: Entry) -> str:
    content = entry.content
    receivers = content.get("receivers")
    if receivers:
        return f"{plain(entry.reason)}; route {content.get('route', '')}: {', '.join(receivers)}"
    if content.get("receiver"):
        return f"{content['receiver']}: {plain(entry.reason)}"
    route = f"route {content['route']}: " if content.get("route") else ""
    return f"{route}{plain(entry.reason)}"


def show_episodes(found: Sequence[Episode], now_unix_nano: int) -> None:
    if not found:
        click.echo("no alert fired in this time")
        return
    rows = [
        (
            moment(one.began_at),
            lasted(((one.ended_at or now_unix_nano) - one.began_at) / _NANO) if one.ended_at else "still fires",
            severity_text(one.severity),
            one.id,
            plain(one.summary or one.rule, 80),
            plain(", ".join(one.key.values()), 50),
            one.notified or "",
            _seen_to(one),
        )
        for one in found
    ]
    columns = ("began (UTC)", "lasted", "severity", "id", "alert", "of", "told", "remarks")
    show_table(columns, rows, right=("lasted", "told"), spare=("told", "remarks", "of"))


def _seen_to(episode: Episode) -> str:
    held = [f"{outcome} {count}x" if count > 1 else outcome for outcome, count in episode.held_back.items()]
    known = [f"acknowledged by {plain(episode.acknowledged, 60)}"] if episode.acknowledged else []
    return ", ".join([*known, *held])


def show_patterns(found: Sequence[Pattern]) -> None:
    if not found:
        click.echo("no alert fired in this time")
        return
    rows = [
        (
            one.id,
            plain(one.name, 70),
            one.episodes,
            lasted(one.median_seconds),
            lasted(one.firing_seconds),
            one.notified,
            one.acknowledged,
            sparkline([float(count) for count in one.hours]),
            one.advice,
        )
        for one in found
    ]
    columns = ("id", "alert", "episodes", "usually", "in all", "told", "seen to", "by hour, 0 to 23 UTC", "advice")
    show_table(columns, rows, right=("episodes", "usually", "in all", "told", "seen to"), spare=columns[4:8])


def show_storms(found: Sequence[Storm]) -> None:
    if not found:
        click.echo("no storm: the caps held nothing back in this time")
        return
    rows = [
        (
            moment(one.began_at),
            lasted((one.ended_at - one.began_at) / _NANO),
            one.held,
            len(one.alerts),
            ", ".join(sorted(one.caps)),
            plain("; ".join(f"{name} ({count})" for name, count in Counter(one.alerts).most_common(3)), 120),
        )
        for one in found
    ]
    columns = ("began (UTC)", "lasted", "held back", "alerts", "cap", "most of all")
    show_table(columns, rows, right=("lasted", "held back", "alerts"))


def show_routes(found: Mapping[str, Any]) -> None:
    if found["silenced_by"]:
        click.echo(f"nobody now: silence {plain(found['silenced_by'])}. Without it:")
    if not found["routes"]:
        click.echo("nobody: no route matches. Add one under alerting.routes")
    for route in found["routes"]:
        group = ", ".join(route["group_by"]) or "all together"
        wait = route["group_wait"] if route["group_wait"] == "at once" else f"after {route['group_wait']}"
        click.echo(f"route {route['route']}: {wait}, again every {route['repeat_interval']}, grouped by {group}")
        for receiver in route["receivers"]:
            to = f" to {receiver['to']}" if receiver["to"] else ""
            problem = f"  not configured: {receiver['problem']}" if receiver["problem"] else ""
            click.echo(f"  {receiver['receiver']} ({receiver['channel']}{to}){problem}")
    for level in found["escalation"]:
        click.echo(f"if nobody acknowledges it within {level['after']}: {', '.join(level['receivers'])}")


def show_answers(answers: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (
            Text("ok", "green") if answer["ok"] else Text("no", "red"),
            answer["route"] or "-",
            answer["receiver"],
            plain(answer["answer"]),
        )
        for answer in answers
    ]
    show_table(("", "route", "receiver", "answer"), rows)
