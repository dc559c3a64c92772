"""Business: whether the work gets done."""

from __future__ import annotations

import asyncio
from typing import Any

from analysis.engine import Engine
from analysis.events import EventCount, Failures, Moment, event_counts, event_course, failures, moments
from analysis.period import Period
from analysis.users import feature_use
from dashboard.charts import Line, bars
from dashboard.page import Asked, Page

_PARTS = 48
_TOP = 20
_MILLI = 1_000_000
SUBJECTS = (
    ("Form automation", "business", "form_automation", "form_automation.success_rate"),
    ("Work order sync", "business", "work_order.sync", "work_order.sync.success_rate"),
    ("Work orders", "business", "job_queue.job", ""),
    ("Logins", "security", "auth.login", "auth.success_rate"),
)
"""Title, stream, event (and its parts), and the rule that judges it."""


async def content(asked: Asked) -> dict[str, Any]:
    period, ask = asked.view.period, asked.records.ask
    courses, counts, failed, last, features = await asyncio.gather(
        asyncio.gather(*(ask(_course, period, stream, event) for _, stream, event, _ in SUBJECTS)),
        ask(_counts, period),
        ask(_failures, period),
        ask(_last, period),
        ask(feature_use, period),
    )
    times = [part.start_unix_nano // _MILLI for part in period.cut(_PARTS)]
    subjects = [
        _subject(times, title, rule, course) for (title, _, _, rule), course in zip(SUBJECTS, courses, strict=True)
    ]
    return {
        "subjects": subjects,
        "counts": counts,
        "failed": failed[:_TOP],
        "last": last,
        "features": features[:_TOP],
    }


PAGE = Page("/business", "Business", "business.html.j2", content, last="24h", refresh="30s")


def _subject(times: list[int], title: str, rule: str, course: list[tuple[int, int]]) -> dict[str, Any]:
    successes, failed = sum(one for one, _ in course), sum(one for _, one in course)
    chart = bars(
        times,
        [Line("succeeded", [one for one, _ in course]), Line("failed", [one for _, one in course], tone="critical")],
        unit="1",
    )
    told = successes + failed
    return {
        "title": title,
        "rule": rule,
        "successes": successes,
        "failures": failed,
        "rate": successes / told if told else None,
        "chart": chart,
    }


def _course(engine: Engine, period: Period, stream: str, event: str) -> list[tuple[int, int]]:
    return event_course(engine, period, stream, (event,), _PARTS)


def _counts(engine: Engine, period: Period) -> list[EventCount]:
    return event_counts(engine, period, "business")


def _failures(engine: Engine, period: Period) -> list[Failures]:
    return failures(engine, period, "business")


def _last(engine: Engine, period: Period) -> list[Moment]:
    return moments(engine, period, "business", (), _TOP)
