"""What people change; each needs the role operate and is written down."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import ConfigDict, Field

from dashboard.actions import operator_of
from dashboard.api.alerts import AlertId, SilenceModel, silence_json
from dashboard.api.problems import documented
from dashboard.api.values import Model, Text
from dashboard.operating import Operating
from processors.matchers import MatcherText

ROUTER = APIRouter(tags=["actions"])
_Receiver = Annotated[str, Path(max_length=256, description="As alerting.receivers has it.")]
_CHANGES = documented(404, 408, 409, 413)


class Given(Model):
    """A body; a name that is misspelt is refused."""

    model_config = ConfigDict(extra="forbid")


class Note(Given):
    note: str = Field("", max_length=500)
    """What you know or do."""


class NewSilence(Given):
    kind: Literal["silence", "maintenance", "emergency"] = "silence"
    """maintenance quietens everything but critical security alerts, emergency everything: both without matchers."""
    matchers: list[Annotated[MatcherText, Field(max_length=500)]] = Field([], max_length=20)
    """All of them hold for what is silenced, for example `alertname = host.disk`; operators are =, !=, =~ and !~."""
    seconds: float = Field(ge=1, le=366 * 86400, allow_inf_nan=False)
    """How long from now; an emergency lasts at most a day."""
    comment: str = Field("", max_length=500)
    """Why."""


class Test(Given):
    severity: Literal["critical", "high", "medium", "low"] = "low"


class Done(Model):
    told: Text
    """What was done, in words."""


class ChannelAnswer(Model):
    receiver: Text
    ok: bool
    answer: Text
    """What the channel really answered."""


class ChannelAnswers(Model):
    answers: list[ChannelAnswer]


@ROUTER.post("/alerts/{alert}/acknowledge", summary="Say that somebody sees to an alert", responses=_CHANGES)
async def acknowledge(request: Request, alert: AlertId, body: Note) -> Done:
    return Done(told=await _operating(request).acknowledge(operator_of(request), alert, body.note))


@ROUTER.post("/silences", summary="Keep alerts quiet for a time", status_code=201, responses=documented(408, 409, 413))
async def silence(request: Request, body: NewSilence) -> SilenceModel:
    made = await _operating(request).silence(operator_of(request), body.kind, body.matchers, body.seconds, body.comment)
    return SilenceModel.model_validate(silence_json(made))


@ROUTER.delete("/silences/{silence}", summary="End a silence now", responses=_CHANGES)
async def end_silence(
    request: Request, silence: Annotated[str, Path(max_length=64, description="As /silences has it.")]
) -> Done:
    return Done(told=await _operating(request).end_silence(operator_of(request), silence))


@ROUTER.post("/channels/{receiver:path}/test", summary="Send a test to a receiver", responses=_CHANGES)
async def test_channel(
    request: Request,
    receiver: _Receiver,
    body: Test,
) -> ChannelAnswers:
    found = await _operating(request).test_channel(operator_of(request), receiver, body.severity)
    return ChannelAnswers.model_validate({"answers": [_answer(one) for one in found]})


def _operating(request: Request) -> Operating:
    return Operating(request.app.state.site, request.app.state.records)


def _answer(one: Any) -> dict[str, Any]:
    return {"receiver": one.get("receiver"), "ok": bool(one.get("ok")), "answer": one.get("answer")}
