from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.browser.chromium import Chromium, Rules, installed
from tests.browser.finding import week_addresses
from tests.support.page_process import PageProcess
from tests.support.week import END, NANO, Week


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One browser for all tests of a process."""
    browser = Chromium(installed())
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def modes(pytestconfig: pytest.Config) -> dict[str, Rules]:
    """What axe looks for: what differs between them once, all of it everywhere with --long."""
    if pytestconfig.getoption("--long"):
        return {"light": None, "dark": None, "phone": None}
    return {
        "light": None,
        "dark": ["color-contrast", "link-in-text-block"],
        "phone": ["scrollable-region-focusable", "target-size"],
    }


@pytest.fixture(scope="session")
def week_pages(week: Week) -> Iterator[httpx.Client]:
    """Whoever asks the pages of the recorded week; their clock stands at its end."""
    with PageProcess(week.logs, END * NANO) as pages, httpx.Client(base_url=pages.address, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def addresses(pytestconfig: pytest.Config, week_pages: httpx.Client, week: Week) -> dict[str, str]:
    """By the path of each page."""
    return week_addresses(week_pages, week, "7days" if pytestconfig.getoption("--long") else "24h")
