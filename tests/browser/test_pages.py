"""Every page over a recorded week, as somebody sees it in a browser."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from dashboard.pages import PAGES
from tests.browser.chromium import Chromium, Rules
from tests.browser.finding import SHOTS, content, faults_of, links_of

pytestmark = pytest.mark.untraced

WITH_AN_ALERT = {"/alerts/{alert}"}
"""Nobody judged the week: the pages of alerts are looked at where one fires."""
_MOST_LINKS = 150


def test_every_page_is_well(
    chromium: Chromium, week_pages: httpx.Client, addresses: dict[str, str], modes: dict[str, Rules]
) -> None:
    """No error, no warning, no other host asked, nothing serious found by axe, none wider than a phone."""
    assert addresses.keys() == {page.path for page in PAGES} - WITH_AN_ALERT
    visitor = chromium.visitor(str(week_pages.base_url))
    found = visitor.visit(list(addresses.values()), modes, open=True, shots=SHOTS)
    visitor.close()
    assert faults_of(found) == []
    titles = {page.path: f"{page.title} · Forecourt" for page in PAGES}
    assert [one["title"] for one in found] == [titles[path] for path in addresses]


def test_every_link_leads_somewhere(
    pytestconfig: pytest.Config, week_pages: httpx.Client, addresses: dict[str, str]
) -> None:
    """From each page one of each kind, with --long three, each once."""
    of_a_kind = 3 if pytestconfig.getoption("--long") else 1
    kinds: dict[tuple[str, str], list[str]] = {}
    for address in addresses.values():
        for link in links_of(week_pages.get(address).text + content(week_pages, address)):
            kind = link.partition("?")[0].rpartition("/")[0] or link.partition("?")[0]
            kinds.setdefault((address, kind), []).append(link)
    links = list(dict.fromkeys(link for of_kind in kinds.values() for link in of_kind[:of_a_kind]))[:_MOST_LINKS]
    assert len(links) > len(addresses)
    with ThreadPoolExecutor(4) as asking:
        assert all(asking.map(lambda link: content(week_pages, link), links))
