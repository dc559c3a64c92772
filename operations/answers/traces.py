"""`logs trace`: what one request did, and how long each part of it took."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click

from alerting.plain_text import plain
from analysis.json_values import period_json, rfc3339
from analysis.traces import SpanNode, trace
from operations.reading import Answer, Reading
from operations.tables import moment, period_text, seconds_text

_ID = re.compile(r"[0-9a-f]{32}")
_BAR = 24
_NAME = 60


def tree(reading: Reading, trace_id: str) -> Answer:
    """The spans below each other as they were called, with a bar for when."""
    wanted = trace_id.lower()
    if not _ID.fullmatch(wanted):
        raise click.UsageError(f"{trace_id!r} is no trace id, expected 32 hexadecimal digits")
    roots = trace(reading.engine, wanted, reading.period)
    content = {**period_json(reading.period), "trace_id": wanted, "spans": [_json(*one) for one in _flat(roots)]}

    def show() -> None:
        if not roots:
            click.echo(f"{period_text(reading.period)}: no span of this trace; an older one is found with --last 7days")
            return
        start = min(node.start_unix_nano for node, _ in _flat(roots))
        end = max(node.end_unix_nano for node, _ in _flat(roots))
        took = seconds_text((end - start) / 1e9)
        click.echo(
            f"{moment(start)} UTC, {took}, {sum(1 for _ in _flat(roots))} spans of {plain(roots[0].service, 60)}"
        )
        for node, depth in _flat(roots):
            _show(node, depth, start, end)

    return Answer(content, show)


def _flat(nodes: list[SpanNode]) -> Iterator[tuple[SpanNode, int]]:
    waiting = [(node, 0) for node in reversed(nodes)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in reversed(node.children)]


def _show(node: SpanNode, depth: int, start: int, end: int) -> None:
    width = max(1, end - start)
    first = min(_BAR - 1, (node.start_unix_nano - start) * _BAR // width)
    length = max(1, min(_BAR - first, round((node.end_unix_nano - node.start_unix_nano) * _BAR / width)))
    bar = " " * first + "█" * length
    indent = "  " * min(depth, 20)
    name = plain(node.name, _NAME)
    failed = "  failed" if node.status == "ERROR" else ""
    click.echo(f"{bar:<{_BAR}} {seconds_text(node.seconds):>8}  {indent}{name}{failed}")
    beside = " " * (_BAR + 12) + indent
    for text in (node.detail, node.error):
        if text:
            click.echo(beside + plain(text, 150))
    for line in node.logs:
        click.echo(f"{beside}{plain(line.severity, 20) or '-'} {plain(line.body, 150)}")


def _json(node: SpanNode, depth: int) -> dict[str, Any]:
    return {
        "span_id": node.span_id,
        "parent_span_id": node.parent_span_id or None,
        "depth": depth,
        "service": node.service,
        "name": node.name,
        "kind": node.kind,
        "status": node.status,
        "start": rfc3339(node.start_unix_nano),
        "seconds": node.seconds,
        "detail": node.detail,
        "error": node.error,
        "logs": [
            {"time": rfc3339(line.time_unix_nano), "severity": line.severity, "body": line.body} for line in node.logs
        ],
    }
