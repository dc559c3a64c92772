"""What is shown fits where it is shown: on a phone, on paper, and in the words that the rest of Forecourt uses."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from processors.evaluation import format_value
from tests.browser.chromium import Chromium, Page
from tests.support.week import OUTAGE, iso

pytestmark = pytest.mark.untraced

_PHONE = {"viewport": {"width": 390, "height": 844}, "hasTouch": True}
_VALUES = {
    "s": (0.0, 4.2e-5, 0.0123, 0.999, 1.0, 12.34, 994.0, 995.0, 1800.0, 7199.0, 7200.0, 36_000.0, 172_800.0, 1e6),
    "ratio": (0.0, 0.00042, 0.1234, 1.0),
    "1": (0.0, 0.5, 12.0, 9999.0, 12_345.0, 1_234_567.0),
}
"""In units of OpenTelemetry."""
_INK = """(async () => {
  for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
  const drawn = document.querySelector("#host-chart canvas");
  const pen = new OffscreenCanvas(40, drawn.height).getContext("2d");
  pen.drawImage(drawn, 0, 0);
  const pixels = pen.getImageData(0, 0, 40, drawn.height).data;
  const of = [...pixels.keys()].filter((at) => at % 4 === 0 && pixels[at + 3] > 200).map((at) => pixels[at + 1]);
  return of.reduce((sum, one) => sum + one, 0) / of.length;
})()"""
"""How light the numbers at the axis are, 0 to 255."""


@pytest.fixture
def page(chromium: Chromium, week_pages: httpx.Client, request: pytest.FixtureRequest) -> Iterator[Page]:
    """With the options of Playwright's context that the test is given."""
    visitor = chromium.visitor(str(week_pages.base_url), **request.param)
    made = visitor.page()
    yield made
    assert made.faults() == []
    visitor.close()


@pytest.mark.parametrize("page", [_PHONE], indirect=True)
def test_dialogs_fit_a_phone(page: Page) -> None:
    """No field of a form reaches beyond its dialog, and none is so small that the phone enlarges the page for it."""
    page.go("/alerts")
    page.wait("[data-opens=silence-dialog]")
    fields = page.do(
        "evaluate",
        """[...document.querySelectorAll("dialog")].flatMap((dialog) => {
          dialog.showModal();
          const inner = dialog.getBoundingClientRect().right - parseFloat(getComputedStyle(dialog).paddingRight);
          const found = [...dialog.querySelectorAll("input:not([type=hidden]), select, textarea")].map((field) =>
            [dialog.id, field.name, field.getBoundingClientRect().right <= inner + 1,
             parseFloat(getComputedStyle(field).fontSize) >= 15]);
          dialog.close();
          return found;
        })""",
    )
    wanted = {"silence-dialog": ["kind", "matchers", "for", "comment"], "custom-range": ["from", "to"]}
    assert sorted(fields) == sorted([name, field, True, True] for name, found in wanted.items() for field in found)


@pytest.mark.parametrize("page", [{"colorScheme": "dark", "viewport": {"width": 1360, "height": 200}}], indirect=True)
def test_charts_are_printed_on_white(page: Page) -> None:
    """Who looks at dark pages prints charts that can be read, those out of sight too; only on paper they are so."""
    page.go("/overview?last=24h&refresh=off")
    page.do("scrollIntoViewIfNeeded", on="#host-chart")
    page.wait("#host-chart canvas")
    page.do("evaluate", "scrollTo(0, 0)")
    assert page.do("evaluate", _INK) > 128
    page.do("emulateMedia", {"media": "print"})
    assert page.do("evaluate", _INK) < 128
    page.do("emulateMedia", {"media": "screen"})
    assert page.do("evaluate", _INK) > 128


@pytest.mark.parametrize("page", [{}], indirect=True)
def test_charts_write_values_as_everything_else_does(page: Page) -> None:
    """6.5 h in a message is not 23,400 s beside the chart of it."""
    page.go("/rules")
    asked = [(value, unit) for unit, values in _VALUES.items() for value in values]
    told = page.do(
        "evaluate",
        f"""import("/static/charts/values.js").then(({{formatValue}}) =>
          {json.dumps(asked)}.map(([value, unit]) => formatValue(value, unit)))""",
    )
    assert dict(zip(asked, told, strict=True)) == {(value, unit): format_value(value, unit) for value, unit in asked}


@pytest.mark.parametrize("page", [{}], indirect=True)
def test_time_is_gone_through_in_both_directions(page: Page) -> None:
    """By keys: back half of what is shown, forward again, and no further than now; filters stay."""
    page.go("/requests?last=24h&route=jobs")
    assert page.do("count", on="[data-key=']']") == 0
    for key, start, end in (
        ("[", "21 12", "22 12"),
        ("[", "21 00", "22 00"),
        ("]", "21 12", "22 12"),
        ("]", "22 00", "23 00"),
    ):
        page.do("press", key, on="body")
        shown = f"2026-11-{start}:00:00 \N{EN DASH} 2026-11-{end}:00:00"
        page.wait(f"option:has-text('{shown}')", state="attached")
        assert "route=jobs" in page.path
    assert page.do("count", on="[data-key=']']") == 0


@pytest.mark.parametrize("page", [{}], indirect=True)
def test_failures_are_seen_as_slowness_is(page: Page) -> None:
    """Response times of an outage are normal; that every request fails is said as loudly, and not by colour alone."""
    start, end = (iso(at) for at in OUTAGE)
    page.go(f"/requests?from={start}&to={end}")
    page.wait("#routes-title")
    tiles = page.do("allInnerTexts", on="section[aria-label='All requests'] .tile")
    assert [tile.split("\n")[:3] for tile in tiles if tile.startswith("Failed")] == [
        ["Failed", "100 %", "■ critical 40 requests"]
    ]
