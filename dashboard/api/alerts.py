"""Alerts, their stories, and silences."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from alerting import history, records
from alerting.alert import Alert
from alerting.history import Episode
from alerting.journal import Entry
from alerting.severity import rank
from alerting.silence import Silence, describe
from analysis.json_values import as_json
from analysis.published import published
from dashboard.api.problems import documented
from dashboard.api.question import Limit, Now, OverDay, Question
from dashboard.api.values import Attributes, Counts, Labels, Model, Moment, Number, Ranged, Seconds, Text, moment
from dashboard.page import NotThereError
from storage.state import State

ROUTER = APIRouter(tags=["alerts"])
AlertId = Annotated[str, Path(max_length=64, description="Ten hexadecimal digits.")]


class Acknowledgement(Model):
    by: Text
    note: Text
    time: Moment | None


class AlertModel(Model):
    id: str
    name: Text
    rule: Text
    key: Labels
    labels: Labels
    status: Text
    """inactive, pending, firing or resolved."""
    severity: Text
    """critical, high, medium, low, or empty."""
    value: Number
    """In `unit`."""
    unit: Text
    """s, By, ratio for a share of 1, or 1 for a count."""
    band: Text
    summary: Text
    samples: int
    window_seconds: Seconds
    traces: list[Text]
    pending_since: Moment | None
    firing_since: Moment | None
    resolved_at: Moment | None
    resolved_reason: Text
    flapping_since: Moment | None
    acknowledged: Acknowledgement | None
    receivers: Labels
    """Who was told, and by which route."""
    escalated: int
    """How many further levels were told."""


class Waiting(Model):
    """A notification that no channel has taken yet."""

    receiver: Text
    severity: Text
    attempts: int
    created: Moment | None
    due: Moment | None
    answer: Text


class Alerts(Model):
    running: bool
    """Whether a sidecar judges now."""
    alerts: list[AlertModel]
    """The worst first."""
    left_out: int
    """Alerts beyond the limit."""
    waiting: list[Waiting]
    """Oldest first; at most 200."""


class EpisodeModel(Model):
    """From firing to its end."""

    id: str
    name: Text
    rule: Text
    key: Labels
    severity: Text
    """The worst of that time."""
    began: Moment | None
    ended: Moment | None
    """Null as long as it fires."""
    value: Number
    """In `unit`, when it began."""
    unit: Text
    summary: Text
    reason: Text
    """Why it ended."""
    notified: int
    """How often somebody was told."""
    acknowledged: Text
    """By whom."""
    acknowledged_at: Moment | None
    held_back: Counts


class Episodes(Ranged):
    episodes: list[EpisodeModel]
    """The latest first."""
    left_out: int
    """Episodes beyond the limit."""


class EntryModel(Model):
    id: int
    time: Moment | None
    outcome: Text
    reason: Text
    content: Attributes


class Story(Model):
    alert: AlertModel
    story: list[EntryModel]
    """Oldest first; the last ones, if there are more than the limit."""
    earlier: int
    """Entries before these."""


class SilenceModel(Model):
    id: str
    kind: Text
    """silence, maintenance or emergency."""
    matchers: list[Text]
    what: Text
    """In words."""
    created_by: Text
    comment: Text
    starts: Moment | None
    ends: Moment | None


class Silences(Model):
    silences: list[SilenceModel]
    """The one that ends first first."""


_MOST_WAITING = 200
_MOST_SILENCES = 1000


@ROUTER.get("/alerts", summary="What is pending or firing")
async def listed(
    asked: Now,
    ended: Annotated[bool, Query(description="Also those that have ended.")] = False,  # noqa: FBT002  # of the address
    limit: Limit = 200,
) -> Alerts:
    found = await asked.records.known([], _alerts, ended=ended)
    waiting = await asked.records.known([], history.waiting)
    judged = await asyncio.to_thread(published, asked.site.folder, asked.view.now_unix_nano)
    content = {
        "running": not judged.problem,
        "alerts": [_alert(one) for one in found[:limit]],
        "left_out": max(0, len(found) - limit),
        "waiting": [as_json(one) for one in waiting[:_MOST_WAITING]],
    }
    return Alerts.model_validate(content)


@ROUTER.get("/alerts/history", summary="Every alert that fired in a time")
async def fired(asked: OverDay, limit: Limit = 200) -> Episodes:
    period = asked.period
    ends = (period.start_unix_nano, period.end_unix_nano)
    episodes = await asked.records.known([], history.fired, *ends, asked.view.now_unix_nano)
    found = sorted(episodes, key=lambda one: (-one.began_at, -rank(one.severity)))
    told = [_episode(one) for one in found[:limit]]
    return Episodes.model_validate({**asked.range, "episodes": told, "left_out": max(0, len(found) - limit)})


@ROUTER.get("/alerts/{alert}", summary="One alert in full", responses=documented(404))
async def one(asked: Now, alert: AlertId) -> AlertModel:
    return AlertModel.model_validate(_alert(await _known(asked, alert)))


@ROUTER.get("/alerts/{alert}/story", summary="What happened to an alert, and who was told", responses=documented(404))
async def story(asked: Now, alert: AlertId, limit: Limit = 200) -> Story:
    known = await _known(asked, alert)
    entries = await asked.records.state(history.story, known.id)
    told = [_entry(one) for one in entries[-limit:]]
    return Story.model_validate({"alert": _alert(known), "story": told, "earlier": max(0, len(entries) - limit)})


@ROUTER.get("/silences", summary="What is kept quiet")
async def silences(
    asked: Now,
    ended: Annotated[bool, Query(description="Also those that are over.")] = False,  # noqa: FBT002  # of the address
) -> Silences:
    now = asked.view.now_unix_nano
    found = [one for one in await asked.records.known([], records.silences) if ended or one.ends_at > now]
    return Silences.model_validate({"silences": [silence_json(one) for one in found[-_MOST_SILENCES:]]})


def silence_json(one: Silence) -> dict[str, Any]:
    times = {"starts": moment(one.starts_at), "ends": moment(one.ends_at)}
    return {**one.to_json(), **times, "what": describe(one)}


def _alerts(state: State, *, ended: bool) -> list[Alert]:
    return history.alerts(state, ended=ended)


async def _known(asked: Question, alert: str) -> Alert:
    found = [one for one in await asked.records.state(history.find, alert) if one.id == alert]
    if not found:
        raise NotThereError(
            f"no alert {alert} is known: /alerts has those that are. What ended 90 days ago is forgotten"
        )
    return found[0]


_TIMES = ("pending_since", "firing_since", "resolved_at", "flapping_since")


def _alert(one: Alert) -> dict[str, Any]:
    known = one.acknowledged
    return {
        **one.to_json(),
        **{name: moment(getattr(one, name)) for name in _TIMES},
        "name": one.name,
        "key": dict(one.key),
        "acknowledged": known and {"by": known.by, "note": known.note, "time": moment(known.at)},
    }


def _episode(one: Episode) -> dict[str, Any]:
    times = {"began": one.began_at, "ended": one.ended_at, "acknowledged_at": one.acknowledged_at}
    return as_json(one, name=one.name, **{name: moment(time) for name, time in times.items()})


def _entry(one: Entry) -> dict[str, Any]:
    return {**one._asdict(), "time": moment(one.time_unix_nano)}
