"""The pages, and the menu that leads to them."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.page import Page
from dashboard.pages import (
    alerts,
    business,
    database,
    errors,
    explore,
    logs,
    overview,
    reports,
    requests,
    rules,
    security,
    system,
    traces,
)

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    requests.PAGE,
    requests.ONE,
    traces.PAGE,
    traces.ONE,
    traces.COMPARED,
    logs.PAGE,
    logs.AROUND,
    errors.PAGE,
    errors.GROUP,
    explore.PAGE,
    database.PAGE,
    business.PAGE,
    alerts.PAGE,
    alerts.ROUTING,
    alerts.ONE,
    rules.PAGE,
    rules.ONE,
    security.PAGE,
    security.REPLAY,
    reports.PAGE,
    system.PAGE,
)
"""The more special path before the more general one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`key` opens it, after `g`."""

    title: str
    path: str
    key: str


MENU = (
    (
        Entry("Overview", "/overview", "o"),
        Entry("Requests", "/requests", "r"),
        Entry("Traces", "/traces", "t"),
        Entry("Logs", "/logs", "l"),
        Entry("Errors", "/errors", "e"),
        Entry("Metrics", "/explore", "m"),
        Entry("Database", "/database", "d"),
        Entry("Business", "/business", "b"),
    ),
    (Entry("Alerts", "/alerts", "a"), Entry("Rules", "/rules", "u"), Entry("Security", "/security", "s")),
    (Entry("Reports", "/reports", "p"), Entry("System", "/system", "y")),
)
