"""Whether it is well, in one look."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from alerting.alert import Alert
from alerting.history import Episode
from analysis.json_values import as_json
from dashboard.api.hosts import Look
from dashboard.api.question import OverHour
from dashboard.api.values import Band, Labels, Model, Moment, Number, Ranged, Text, moment
from dashboard.pages import overview as page

ROUTER = APIRouter(tags=["overview"])


class Verdict(Model):
    band: Band
    text: Text


class Tile(Model):
    """One of the runbook's indicators, of its worst key."""

    rule: Text
    title: Text
    key: Labels
    value: Number
    """In `unit`; null without data."""
    unit: Text
    """s, By, ratio for a share of 1, or 1 for a count."""
    band: Band
    bound: Text
    """The first band that it is not in, or the one that it is in."""
    course: list[Number]
    """Minute by minute in the hour before."""
    detail: Text
    others: int
    """Further keys, none of them worse."""


class Told(Model):
    """An alert that fires, or, of a time that is over, did."""

    id: Text
    name: Text
    rule: Text
    severity: Text
    summary: Text
    since: Moment | None


class Deployment(Model):
    time: Moment | None
    service: Text
    version: Text
    previous: Text


class Overview(Ranged):
    verdict: Verdict
    problem: Text
    """Why nobody judges; empty when somebody does, or the time is over."""
    targets: list[Look]
    """What answered when it was looked at last."""
    tiles: list[Tile]
    alerts: list[Told]
    """The first of them."""
    more_alerts: int
    """Beside those."""
    deployments: list[Deployment]
    """Newest first."""
    requests: int


@ROUTER.get("/overview", summary="Whether it is well, in one look")
async def overview(asked: OverHour) -> Overview:
    found = await page.content(asked.of_page("/overview"))
    content = {
        "verdict": found["verdict"],
        "problem": found["problem"],
        "targets": [as_json(one, band=one.band) for one in found["looks"]],
        "tiles": [as_json(one) for one in found["tiles"]],
        "alerts": [_told(one) for one in found["alerts"]],
        "more_alerts": found["more_alerts"],
        "deployments": [as_json(one) for one in found["deploys"]],
        "requests": found["requests"],
    }
    return Overview.model_validate({**asked.range, **content})


def _told(one: Alert | Episode) -> dict[str, Any]:
    since = one.firing_since if isinstance(one, Alert) else one.began_at
    told = {"id": one.id, "name": one.name, "rule": one.rule, "severity": one.severity, "summary": one.summary}
    return {**told, "since": moment(since)}
