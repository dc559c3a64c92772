"""Telemetry is written by whoever reaches the app: nothing of it ever runs in the browser of who looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from dashboard.pages import PAGES
from tests.browser.chromium import Chromium
from tests.browser.finding import content, links_of
from tests.support.hostile import END, GATHERED, PAYLOADS, record_hostile
from tests.support.page_process import PageProcess
from tests.support.week import NANO

pytestmark = pytest.mark.untraced

KINDS = ("/requests/route", "/traces/", "/logs/around", "/errors/group", "/explore?", "/alerts/")
"""Of pages that others link to, with what to show in their address."""
QUIET = {"/rules", "/reports", "/security/evidence", "/alerts/routes"}
"""Pages that show no text of telemetry where there is only this."""
_OF_A_KIND = 1
_SPAN = "?last=6h"
_FIELDS = (
    "/requests route sort",
    "/requests/route service method route order status",
    "/traces service name status least most attributes order trace",
    "/logs text level service logger event trace attributes before batch",
    "/logs/around time batch index",
    "/errors find order",
    "/errors/group type message service",
    "/explore metric statistic by where find",
    "/database longer",
    "/alerts/routes rule severity",
    "/rules find",
    "/rules/http.server.p95 when0 clear0 when1",
    "/reports form",
    "/overview last",
    "/overview zone",
    "/overview refresh",
    "/traces/by-id trace",
    "/login next",
    "/live path",
    "/overview self path from_ name",
)
"""A page, and the fields of its address."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    logs = record_hostile(tmp_path_factory.mktemp("hostile"))
    with PageProcess(logs, END * NANO) as pages, httpx.Client(base_url=pages.address, timeout=60) as client:
        yield client


def _listed() -> list[str]:
    """Every page that needs nothing in its address to be told what to show."""
    needy = ("/requests/route", "/logs/around", "/errors/group")
    paths = [page.path for page in PAGES if "{" not in page.path and page.path not in needy]
    return [f"{path}{_SPAN}" for path in (*paths, "/rules/http.server.p95")]


def _linked(client: httpx.Client) -> list[str]:
    """The first and the last of each kind that these pages link to."""
    links = [link for address in _listed() for link in links_of(content(client, address))]
    found = [f"/traces/{GATHERED}", f"/traces/{GATHERED}/compare"]
    for kind in KINDS:
        of_kind = list(dict.fromkeys(link for link in links if link.startswith(kind)))
        found += of_kind[:_OF_A_KIND] + of_kind[_OF_A_KIND:][-_OF_A_KIND:]
    return found


def test_nothing_of_telemetry_runs(chromium: Chromium, hostile: httpx.Client) -> None:
    """On no page, with all that opens opened and every chart pointed at; and what is shown is what was sent."""
    visitor = chromium.visitor(str(hostile.base_url))
    found = visitor.visit([*_listed(), *_linked(hostile)], {}, open=True, says="__ran(")
    visitor.close()
    assert _faults(found) == []
    said = {one["address"] for one in found if one["says"]}
    assert {address.partition("?")[0] for address in set(_listed()) - said} <= QUIET
    assert [kind for kind in KINDS if not any(address.startswith(kind) for address in said)] == []
    assert {link for one in found for link in one["links"] if not link.startswith(str(hostile.base_url))} == set()


def test_nothing_of_an_address_runs(chromium: Chromium, hostile: httpx.Client) -> None:
    """Whoever is sent a link with such a text in any of its fields sees a page or a refusal."""
    asked = []
    for number, line in enumerate(_FIELDS):
        path, *fields = line.split()
        texts = [PAYLOADS[(number + place) % (len(PAYLOADS) - 1)] for place in range(len(fields))]
        asked += [f"{path}?{urlencode(dict(zip(fields, texts, strict=True)))}"]
    asked += [f"/{part}/{quote(PAYLOADS[0], safe='')}" for part in ("traces", "alerts", "rules", "nothing")]
    visitor = chromium.visitor(str(hostile.base_url))
    found = visitor.visit(asked, {}, open=True)
    visitor.close()
    assert _faults(found) == []
    assert {one["status"] for one in found} <= {200, 400, 404}
    assert {link for one in found for link in one["links"] if not link.startswith(str(hostile.base_url))} == set()


def _faults(found: list[dict[str, Any]]) -> list[str]:
    """But for refusals, which the console tells of."""
    refused = "error: Failed to load resource: the server responded with a status of 40"
    return [
        f"{one['address'][:200]}: {fault}" for one in found for fault in one["faults"] if not fault.startswith(refused)
    ]
