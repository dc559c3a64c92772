"""What is asked: of which site, by whom, about which time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Query, Request
from starlette.exceptions import HTTPException

from analysis.bands import Bands
from analysis.engine import Engine
from analysis.json_values import period_json
from analysis.period import Period
from dashboard.page import Asked
from dashboard.records import Records, Same
from dashboard.site import Site
from dashboard.view import View, ViewError, view_of
from processors.settings import ThresholdSettings

P = ParamSpec("P")
T = TypeVar("T")
_MOST_ATTRIBUTES = 10
_Last = Annotated[
    str, Query(max_length=40, description="So long until now, 5s to 366days; of no account beside `from` and `to`.")
]
_MOMENT = {"format": "date-time"}
_From = Annotated[
    str | None,
    Query(
        alias="from",
        min_length=1,
        max_length=40,
        description="From this time on (RFC 3339; UTC where it says no zone).",
        json_schema_extra=_MOMENT,
    ),
]
_To = Annotated[
    str | None,
    Query(
        alias="to",
        min_length=1,
        max_length=40,
        description="Before this time; now if nothing is said.",
        json_schema_extra=_MOMENT,
    ),
]


@dataclass(frozen=True, slots=True)
class Question:
    """About the time of `view`."""

    site: Site
    records: Records
    view: View
    may_operate: bool

    @property
    def period(self) -> Period:
        return self.view.period

    @property
    def range(self) -> dict[str, str]:
        """`from` and `to` of an answer."""
        return period_json(self.period)

    async def ask(self, find: Callable[Concatenate[Engine, Period, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Of the records of this time; arguments are hashable."""
        return await self.records.ask(find, self.period, *args, **kwargs)

    def of_page(self, path: str, query: Mapping[str, str] | None = None, **names: str) -> Asked:
        """The same, as a page is asked it."""
        return Asked(self.site, self.records, self.view, query or {}, names, path, self.may_operate)

    @property
    def bands(self) -> Bands:
        return _bands(Same(self.site.judging.thresholds))


@lru_cache(8)
def _bands(thresholds: Same[ThresholdSettings]) -> Bands:
    return Bands(thresholds.value)


def _question(request: Request, query: Mapping[str, str], last: str) -> Question:
    site: Site = request.app.state.site
    view = view_of(query, site.clock(), last=last)
    return Question(site, request.app.state.records, view, bool(request.state.identity.may_operate))


def _over(default: str) -> Any:
    async def question(request: Request, last: _Last = default, since: _From = None, until: _To = None) -> Question:
        return _question(request, {"last": last, "from": since or "", "to": until or ""}, default)

    return Depends(question)


async def _now(request: Request) -> Question:
    return _question(request, {}, "1h")


async def _up_to(request: Request, until: _To = None) -> Question:
    return _question(request, {"to": until or ""}, "1h")


OverHour = Annotated[Question, _over("1h")]
OverDay = Annotated[Question, _over("24h")]
OverWeek = Annotated[Question, _over("7days")]
Now = Annotated[Question, Depends(_now)]
UpTo = Annotated[Question, Depends(_up_to)]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many rows.")]
Parts = Annotated[int, Query(ge=2, le=500, description="Into how many parts the time is cut, at most.")]
Service = Annotated[str, Query(max_length=256, description="Only of this service (service.name).")]
Pairs = Annotated[
    list[Annotated[str, Query(max_length=4096, json_schema_extra={"pattern": "^[^=]+="})]],
    Query(max_length=_MOST_ATTRIBUTES, description="An attribute and its value, as `user.id=anna`; all must hold."),
]


async def refuse_unknown(request: Request) -> None:
    """A name that is misspelt would be a question about something else."""
    operation = request.app.openapi()["paths"][request.scope["route"].path_format][request.method.lower()]
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise HTTPException(422, f"{unknown[0][:80]}: no parameter; there are {', '.join(known) or 'none'}")


def pairs_of(texts: list[str]) -> tuple[tuple[str, str], ...]:
    """Names and values; raise ViewError for what is none."""
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise ViewError(f"{name[:80]!r} is no attribute with a value, expected for example user.id=anna")
    return tuple((name, value) for name, _, value in pairs)
