"""Whatever records say, pages show it as text: cut, escaped, and with links that stay here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.dashboard.opening import Opening, Shown, read
from tests.support.hostile import END, GATHERED, record_hostile
from tests.support.week import NANO

PAGES = (
    "/requests?last=24h",
    "/requests/route?last=24h",
    "/traces?last=24h",
    f"/traces/{GATHERED}",
    f"/traces/{GATHERED}/compare?with={2:032x}",
    f"/traces/{2:032x}",
    f"/traces/{3:032x}",
    "/logs?last=24h",
    "/errors?last=24h",
    "/explore?last=24h",
)
LARGEST = 1_000_000
ELEMENTS = re.compile(
    "a|article|aside|br|button|circle|code|datalist|dd|details|div|dl|dt|figcaption|figure|form|h1|h2|h3|input|label|li"
    "|ol|option|p|path|pre|rect|script|section|select|span|summary|svg|table|tbody|td|textarea|th|thead|tr|ul"
)
ATTRIBUTES = re.compile(
    "action|aria-.*|class|cols|d|data-(copy|keep|label|tail|tail-lines|tail-state|values)|height|href|id|list|method|name|open"
    "|pattern|placeholder|preserveaspectratio|role|rows|rx|scope|selected|size|tabindex|title|type|value|viewbox"
    "|width|x|y"
)
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opening]:
    with Opening(record_hostile(tmp_path_factory.mktemp("hostile")), END * NANO) as opened:
        yield opened


def check(answer: str) -> Shown:
    """That it is what our templates write, and no more."""
    shown = read(answer)
    assert [name for name in shown.elements if not ELEMENTS.fullmatch(name)] == []
    assert [name for name in shown.attributes if not ATTRIBUTES.fullmatch(name)] == []
    assert shown.elements["script"] == len(shown.charts)
    assert [link for link in shown.every_link if not link.startswith("/") or link[1:2] in {"/", "\\"}] == []
    assert max(map(len, shown.every_link), default=0) < 8000
    assert CONTROLS.findall(shown.text) == []
    assert len(answer) < LARGEST
    return shown


@pytest.mark.parametrize("address", PAGES)
def test_a_page_of_hostile_records_holds_nothing_but_text(pages: Opening, address: str) -> None:
    """And so does each page that it leads to, be its address as long as it may."""
    answer = pages.get(address)
    assert answer.status_code == 200
    shown = check(answer.text)
    assert shown.alerts == []
    by_path: dict[str, list[str]] = {}
    for link in shown.every_link:
        parts = urlsplit(link).path.split("/")
        by_path.setdefault("/".join(parts[:3] if parts[1] != "traces" else parts[:2]), []).append(link)
    for links in by_path.values():
        for link in sorted(links, key=len)[-2:]:
            assert pages.get(link).status_code == 200
            check(pages.get(link).text)


def test_texts_of_others_stay_what_they_are(pages: Opening) -> None:
    """A name that is markup is read as that markup, one with a hundred thousand characters as its beginning."""
    shown = check(pages.get("/errors?last=24h").text)
    named = [row[1] for row in shown.tables[0][1:]]
    assert any(name.startswith("<script>__ran(0)</script>") for name in named)
    assert any(name.startswith("<img src=x onerror=__ran(30)>") and "…" in name for name in named)
    assert max(map(len, named)) < 600
