"""Panels put to their places, and what stands around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from operations.grafana.panels import PROMETHEUS, WIDTH, Panel, Row
from operations.grafana.queries import SERVICES

SCHEMA_VERSION = 39
"""Of the classic model, since Grafana 10: newer ones bring it up to date, and 12.0 refuses one newer than its own."""
TAG = "forecourt"
PROMETHEUS_UID, JAEGER_UID = "forecourt-prometheus", "forecourt-jaeger"
"""Of the data sources that are provisioned; elsewhere Grafana offers those that there are."""


def document(name: str, title: str, rows: Sequence[Row], *, one_service: bool) -> dict[str, Any]:
    """A whole dashboard, whose uid stays the same; `one_service` where all of them at once can't be asked for."""
    kept = {"asDropdown": False, "includeVars": True, "keepTime": True, "targetBlank": False}
    link = {
        "title": "Forecourt",
        "type": "dashboards",
        "tags": [TAG],
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }
    return {
        "uid": f"{TAG}-{name}",
        "title": f"Forecourt: {title}",
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "links": [{**link, **kept}],
        "annotations": {"list": []},
        "templating": {
            "list": [
                _source("DS_PROMETHEUS", "Prometheus", "prometheus", PROMETHEUS_UID),
                _source("DS_JAEGER", "Traces", "jaeger", JAEGER_UID),
                _service(every=not one_service),
            ]
        },
        "panels": list(_placed(rows)),
    }


def _source(name: str, label: str, kind: str, uid: str) -> dict[str, Any]:
    return {
        "type": "datasource",
        "name": name,
        "label": label,
        "query": kind,
        "current": {"text": uid, "value": uid},
        "includeAll": False,
        "multi": False,
        "refresh": 1,
        "regex": "",
        "hide": 0,
    }


def _service(*, every: bool) -> dict[str, Any]:
    return {
        "type": "query",
        "name": "service",
        "label": "Service",
        "datasource": PROMETHEUS,
        "definition": SERVICES,
        "query": {"query": SERVICES, "refId": "service"},
        "current": {"text": "All", "value": "$__all"} if every else {},
        "includeAll": every,
        **({"allValue": ".*"} if every else {}),
        "multi": False,
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "hide": 0,
    }


def _placed(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Each row has its head, and below it its panels from left to right."""
    number = top = 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": top},
            "panels": [],
        }
        top += 1
        for line in _lines(row.panels):
            left = 0
            for panel in line:
                number += 1
                place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
                yield {"id": number, "title": panel.title, "gridPos": place, **panel.content}
                left += panel.width
            top += max(panel.height for panel in line)


def _lines(panels: Sequence[Panel]) -> Iterator[list[Panel]]:
    line: list[Panel] = []
    for panel in panels:
        if line and sum(one.width for one in line) + panel.width > WIDTH:
            yield line
            line = []
        line.append(panel)
    if line:
        yield line
