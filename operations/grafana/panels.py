"""Panels as Grafana's classic dashboard model has them, without their places.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from operations.grafana.steps import NONE, Step

PROMETHEUS = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
JAEGER = {"type": "jaeger", "uid": "${DS_JAEGER}"}
WIDTH = 24
"""Columns of a dashboard."""
_AUTO = "__auto"
"""A legend of the labels that differ."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question in PromQL; `legend` may name labels as {{this}}."""

    expression: str
    legend: str = _AUTO
    exemplars: bool = False

    def target(self, reference: str, *, table: bool = False, instant: bool = False) -> dict[str, Any]:
        return {
            "datasource": PROMETHEUS,
            "editorMode": "code",
            "exemplar": self.exemplars,
            "expr": self.expression,
            "format": "table" if table else "time_series",
            "instant": instant,
            "legendFormat": self.legend,
            "range": not instant,
            "refId": reference,
        }


@dataclass(frozen=True, slots=True)
class Panel:
    """`width` and `height` are in columns and rows of the grid."""

    title: str
    width: int
    height: int
    content: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: Sequence[Panel]


def chart(
    title: str, queries: Sequence[Query], unit: str, *, steps: Sequence[Step] = NONE, note: str = "", width: int = 12
) -> Panel:
    """Lines over time, with a dashed one for each bound."""
    drawn = {
        "drawStyle": "line",
        "fillOpacity": 8,
        "lineWidth": 1,
        "showPoints": "never",
        "spanNulls": False,
        "thresholdsStyle": {"mode": "dashed" if len(steps) > 1 else "off"},
    }
    content = {
        "type": "timeseries",
        "description": note,
        "datasource": PROMETHEUS,
        "targets": _targets(queries),
        "fieldConfig": _field(unit, steps, color={"mode": "palette-classic"}, custom=drawn),
        "options": {
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }
    return Panel(title, width, 8, content)


def stat(title: str, expression: str, unit: str, *, steps: Sequence[Step] = NONE, words: Sequence[str] = ()) -> Panel:
    """One number of now, in the colour of its band; `words` stand in the place of 0, 1 …."""
    options = {str(number): {"index": number, "text": text} for number, text in enumerate(words)}
    content = {
        "type": "stat",
        "description": "",
        "datasource": PROMETHEUS,
        "targets": [Query(expression).target("A", instant=True)],
        "fieldConfig": _field(
            unit,
            steps,
            color={"mode": "thresholds"},
            mappings=[{"type": "value", "options": options}] if options else [],
        ),
        "options": {
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "auto",
        },
    }
    return Panel(title, 4, 4, content)


def table(title: str, expression: str, *, unit: str = "short", hidden: Sequence[str] = (), width: int = 12) -> Panel:
    """What is now, a row for each series; `hidden` are columns besides the time."""
    excluded = dict.fromkeys(("Time", "__name__", "instance", "job", *hidden), True)
    content = {
        "type": "table",
        "description": "",
        "datasource": PROMETHEUS,
        "targets": [Query(expression).target("A", table=True, instant=True)],
        "fieldConfig": _field(unit, NONE),
        "options": {"cellHeight": "sm", "showHeader": True},
        "transformations": [{"id": "organize", "options": {"excludeByName": excluded, "renameByName": {}}}],
    }
    return Panel(title, width, 8, content)


def traces(title: str, *, tags: str = "", least: str = "") -> Panel:
    """A search in Jaeger's data source: the newest traces of the chosen service; `least` is a duration as 1s."""
    target = {
        "datasource": JAEGER,
        "limit": 20,
        "maxDuration": "",
        "minDuration": least,
        "operation": "",
        "queryType": "search",
        "refId": "A",
        "service": "$service",
        "tags": tags,
    }
    content = {
        "type": "table",
        "description": "",
        "datasource": JAEGER,
        "targets": [target],
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {"cellHeight": "sm", "showHeader": True},
    }
    return Panel(title, WIDTH, 9, content)


def _targets(queries: Sequence[Query]) -> list[dict[str, Any]]:
    return [query.target(chr(ord("A") + number)) for number, query in enumerate(queries)]


def _field(unit: str, steps: Sequence[Step], **given: Any) -> dict[str, Any]:
    shown = [{"color": one.color, "value": one.value} for one in steps]
    return {"defaults": {"unit": unit, "thresholds": {"mode": "absolute", "steps": shown}, **given}, "overrides": []}
