"""Errors: what fails, since when, and how often."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from analysis.engine import Engine
from analysis.error_examples import ErrorExample, errors_like
from analysis.errors import TREND_PARTS, ErrorGroup, error_groups
from analysis.period import Period
from dashboard.charts import Line, bars
from dashboard.page import Asked, NotThereError, Page

_MOST_GROUPS = 100
_EXAMPLES = 50
_MOST_TEXT = 500
"""Of each of the three that name a group in an address."""
_MILLI = 1_000_000
_ORDERS = ("count", "last", "first")


async def listed(asked: Asked) -> dict[str, Any]:
    period = asked.view.period
    groups = await asked.records.ask(error_groups, period)
    wanted = asked.text("find").lower()
    shown = [one for one in groups if wanted in f"{one.error_type} {one.message} {one.service}".lower()]
    order = asked.choice("order", _ORDERS)
    if order != "count":
        shown.sort(key=lambda one: -getattr(one, f"{order}_unix_nano"))
    whole = [sum(one.trend[part] for one in shown) for part in range(TREND_PARTS)]
    return {
        "groups": [(one, _is_new(one, period), _query(one)) for one in shown[:_MOST_GROUPS]],
        "hidden": max(0, len(shown) - _MOST_GROUPS),
        "errors": sum(one.count for one in shown),
        "order": order,
        "orders": _ORDERS,
        "find": asked.text("find"),
        "chart": _chart(period, whole),
    }


PAGE = Page("/errors", "Errors", "errors.html.j2", listed, last="24h", refresh="30s")


def _is_new(one: ErrorGroup, period: Period) -> bool:
    """Whether the first of this time came in its second half."""
    return one.first_unix_nano >= period.start_unix_nano + period.nanos // 2


def _query(one: ErrorGroup) -> str:
    """Names a group in an address."""
    return urlencode(dict(zip(("type", "message", "service"), _named(one), strict=True)))


def _named(one: ErrorGroup) -> tuple[str, ...]:
    return tuple((name or "")[:_MOST_TEXT] for name in (one.error_type, one.message, one.service))


def _chart(period: Period, counts: list[int]) -> dict[str, Any]:
    times = [part.start_unix_nano // _MILLI for part in period.cut(TREND_PARTS)]
    return bars(times, [Line("errors", counts, tone="critical")], unit="1")


async def group(asked: Asked) -> dict[str, Any]:
    """Of the errors of one type, normalised message and service."""
    period = asked.view.period
    wanted = tuple(asked.query.get(name, "")[:_MOST_TEXT] for name in ("type", "message", "service"))
    groups = await asked.records.ask(error_groups, period)
    found = next((one for one in groups if _named(one) == wanted), None)
    if found is None:
        raise NotThereError("no such error in this time; choose another time above, or look at all errors")
    examples = await asked.records.ask(_examples, period, found.error_type, found.message, found.service or "")
    return {"found": found, "examples": examples, "chart": _chart(period, found.trend)}


GROUP = Page("/errors/group", "Error", "error.html.j2", group, last="24h", refresh="30s", section="/errors")


def _examples(engine: Engine, period: Period, kind: str, message: str, service: str) -> list[ErrorExample]:
    return errors_like(engine, period, kind, message, service, limit=_EXAMPLES)
