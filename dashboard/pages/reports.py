"""Reports: a week or a month on one page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alerting import history
from alerting.summary import summary
from analysis.bands import Bands
from analysis.engine import Engine
from analysis.period import DAY_NANO, Period
from analysis.report import report
from dashboard.bands import band_ranges
from dashboard.charts import Line, bars, lines
from dashboard.page import Asked, NotThereError, Page
from dashboard.records import Same
from processors.settings import ThresholdSettings

_FRESH_SECONDS = 300.0
_DAYS = {"weekly": 7, "monthly": 30}


async def content(asked: Asked) -> dict[str, Any]:
    """Of so many days up to the view's end; made at most every five minutes."""
    form = asked.choice("form", tuple(_DAYS))
    end = asked.view.period.end_unix_nano
    end -= end % (60 * 10**9)
    period = Period(max(0, end - _DAYS[form] * DAY_NANO), end)
    if period.nanos < _DAYS[form] * DAY_NANO:
        raise NotThereError("there is no such time to report on: choose one that ends later")
    made = await asked.records.shared(
        ("report", form, end // (300 * 10**9)), lambda: _made(asked, form, period), _FRESH_SECONDS
    )
    times = [_milliseconds(part["from"]) for part in made["chart"]]
    return {
        "form": form,
        "forms": tuple(_DAYS),
        "report": made,
        "requests_chart": bars(
            times,
            [
                Line("answered", [float(one["requests"] - one["errors"]) for one in made["chart"]]),
                Line("failed", [float(one["errors"]) for one in made["chart"]], tone="critical"),
            ],
            unit="1",
        ),
        "latency_chart": lines(
            times,
            [Line("p95", [one["p95"] for one in made["chart"]])],
            unit="s",
            bands=band_ranges(asked.site, "http.server.p95"),
        ),
    }


PAGE = Page("/reports", "Reports", "reports.html.j2", content, last="7days", refresh="off", ranged=False)


async def _made(asked: Asked, form: str, period: Period) -> dict[str, Any]:
    thresholds = asked.site.judging.thresholds
    entries = await asked.records.known([], history.journal, period.start_unix_nano, period.end_unix_nano)
    names = [name for name, rule in thresholds.rules.items() if rule.enabled]
    recorded = await asked.records.ask(_recorded, period, form, Same(thresholds))
    return {**recorded, "alerts": summary(history.episodes(entries), names)}


def _recorded(engine: Engine, period: Period, form: str, thresholds: Same[ThresholdSettings]) -> dict[str, Any]:
    return report(engine, period, f"{form.capitalize()} report", Bands(thresholds.value), {})


def _milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text[:19] + "+00:00").timestamp()) * 1000
