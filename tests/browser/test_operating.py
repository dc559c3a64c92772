"""An incident at a real sidecar, handled in the browser by those who may, and by nobody else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import httpx
import pytest

from alerting import records
from storage import State
from storage.names import OWN_FOLDER
from tests.browser.chromium import Chromium, Page, Rules, Visitor
from tests.browser.finding import SHOTS, faults_of
from tests.browser.test_watching import serving
from tests.support.notifications import answering
from tests.support.pages import pages_of
from tests.support.sidecar import WITH_PAGES, Sidecar

pytestmark = pytest.mark.untraced

OPERATOR = "token-of-olga-0123456789"
VIEWER = "token-of-viktor-0123456789"
RULE = "http.server.p95"
_TICKS_MS = 60_000
"""A rule is judged every 10 seconds, and what it found is told some seconds later."""
_REFUSED = "error: Failed to load resource: the server responded with a status of 4"


class Running(NamedTuple):
    sidecar: Sidecar
    address: str

    def visitor(self, chromium: Chromium, token: str) -> tuple[Visitor, Page]:
        """Somebody who has logged in, and their page."""
        visitor = chromium.visitor(self.address)
        page = visitor.page()
        page.go("/login")
        _log_in(page, token)
        page.wait("nav")
        return visitor, page

    def silences(self) -> list[tuple[str, str]]:
        """Of each who made it, and why."""
        with closing(State.open(self.sidecar.logs / OWN_FOLDER / "state.db")) as state:
            return [(one.created_by, one.comment) for one in records.silences(state)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A sidecar with pages for two users, at which one slow request is an alert."""
    with answering(lambda _: (200, {}, b"ok")) as url:
        configuration: dict[str, Any] = {
            **WITH_PAGES,
            "extensions": {
                "dashboard": {"users": {"olga": {"token": OPERATOR, "role": "operate"}, "viktor": {"token": VIEWER}}}
            },
            "processors": {"thresholds": {"rules": {RULE: {"for": "0s", "window": "5min", "minimum_count": 1}}}},
            "alerting": {
                "receivers": {"hook": {"webhook": {"url": url}}},
                "routes": {"all": {"receivers": ["hook"], "group_wait": "0s"}},
            },
        }
        with Sidecar(tmp_path_factory.mktemp("operating"), configuration) as sidecar:
            yield Running(sidecar, pages_of(sidecar.logs).endpoints["dashboard"])


def _log_in(page: Page, token: str) -> None:
    page.fill("#token", token)
    page.click("main button[type=submit]")


def _send_slow_request(sidecar: Sidecar) -> str:
    """Of 20 seconds; the id of its trace."""
    trace_id, now = secrets.token_hex(16), time.time_ns()
    told = {"http.request.method": "GET", "http.route": "/pumps", "user.id": "user-7"}
    span = {
        "traceId": trace_id,
        "spanId": secrets.token_hex(8),
        "name": "GET /pumps",
        "kind": 2,
        "startTimeUnixNano": str(now - 20 * 10**9),
        "endTimeUnixNano": str(now),
        "attributes": [
            *({"key": key, "value": {"stringValue": value}} for key, value in told.items()),
            {"key": "http.response.status_code", "value": {"intValue": "200"}},
        ],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "app"}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    assert httpx.post(f"{sidecar.url('http')}/v1/traces", json=body).status_code == 200
    return trace_id


def test_an_incident_is_seen_followed_and_handled(
    chromium: Chromium, running: Running, modes: dict[str, Rules]
) -> None:
    """It appears by itself; from its tile one comes to the span; acknowledged and silenced it is so for everybody."""
    visitor, page = running.visitor(chromium, OPERATOR)
    page.go("/overview?last=15min&refresh=2s")
    page.wait("[data-state=live]")
    page.do("evaluate", "window.same = true")
    trace_id = _send_slow_request(running.sidecar)
    page.wait("#firing-title", timeout=_TICKS_MS)
    assert page.text("a.tile.critical .tile-value") == "20 s"
    assert page.do("evaluate", "window.same") is True

    page.click("a.tile.critical")
    page.click("main table a:has-text('example trace')")
    page.wait("summary.span-row")
    assert page.path == f"/traces/{trace_id}?last=15min&refresh=2s"
    page.click("summary.span-row")
    assert "user-7" in page.text(".span-details table.attributes >> nth=0")

    page.go("/alerts?refresh=2s")
    page.click("[aria-labelledby=firing-title] button:has-text('Acknowledge')")
    page.wait("#told:has-text('acknowledged')")
    page.wait("[aria-labelledby=firing-title] td:has-text('acknowledged by olga')", timeout=_TICKS_MS)

    page.click(f"[aria-labelledby=firing-title] td a:has-text('{RULE}')")
    page.wait("[data-live-state]:has-text('live')")  # from here on the page answers to clicks
    page.click("button[data-opens=silence-dialog]")
    page.fill("#silence-dialog input[name=comment]", "we mend <b>the pump</b>")
    page.click("#silence-dialog button[type=submit]")
    page.wait("#told:has-text('silenced: ')")
    page.wait("main .band:has-text('silenced')")
    assert running.silences() == [("olga", "we mend <b>the pump</b>")]
    alert = page.path
    found = visitor.visit(
        ["/alerts", alert, "/alerts/routes", "/overview", "/system"],
        modes,
        open=True,
        shots=SHOTS and f"{SHOTS}/incident",
    )
    assert faults_of(found) == []

    page.go("/alerts?refresh=2s")
    page.click("button:has-text('End it')")
    page.wait("#silences-title", state="detached", timeout=_TICKS_MS)
    page.go("/alerts/routes")
    page.click("button[aria-label='Send a test to hook']")
    page.wait("#told:has-text('hook: ')", timeout=_TICKS_MS)
    assert page.faults() == []
    visitor.close()


def test_only_a_token_lets_in_and_only_an_operator_acts(
    chromium: Chromium, running: Running, modes: dict[str, Rules]
) -> None:
    """The way back to what was asked for is kept; who may only look is offered nothing else, and logs out again."""
    visitor = chromium.visitor(running.address)
    (found,) = visitor.visit(["/alerts?last=6h"], modes, shots=SHOTS)
    assert (found["title"], faults_of([found])) == ("Log in · Forecourt", [])
    page = visitor.page()
    page.go("/alerts?last=6h")
    _log_in(page, "no token of anybody")
    page.wait("[role=alert]:has-text('No user has this token.')")
    _log_in(page, VIEWER)
    page.wait("nav")
    assert (page.path, page.text(".who span")) == ("/alerts?last=6h", "viktor, view")
    assert page.do("count", on="main form, main button, #silence-dialog") == 0
    page.click(".who button")
    page.wait("#token")
    page.go("/overview")
    assert page.path == "/login?next=%2Foverview"
    assert [fault for fault in page.faults() if not fault.startswith(_REFUSED)] == []
    visitor.close()


def test_another_site_can_change_and_see_nothing(chromium: Chromium, running: Running) -> None:
    """By no form, script or frame, though the browser sends the cookie along: a port makes no other site."""
    before = running.silences()
    form = f"""<!doctype html><html lang="en"><title>Elsewhere</title><main>
      <form method="post" action="{running.address}/silences"><input name="kind" value="emergency">
      <input name="for" value="1h"><input name="csrf" value="guessed"><button>Win</button></form>
      <iframe src="{running.address}/overview" title="framed"></iframe></main></html>"""
    visitor, page = running.visitor(chromium, OPERATOR)
    with serving({"/": (200, "", form)}) as elsewhere:
        page.go(elsewhere)
        asked = f"fetch('{running.address}/api/v1/alerts', {{credentials: 'include'}})"
        assert page.do("evaluate", f"{asked}.then(() => 'read', () => 'refused')") == "refused"
        sent = f"fetch('{running.address}/silences', {{method: 'POST', mode: 'no-cors', credentials: 'include', "
        body = "body: new URLSearchParams({kind: 'emergency', for: '1h'})})"
        page.do("evaluate", f"{sent}{body}.catch(() => null).then(() => null)")
        assert page.do("count", on="iframe >> internal:control=enter-frame >> nav") == 0
        page.click("button")
        page.wait("body:has-text('another site')")
    assert page.text("body") == "another site's page may link here and no more\n"
    assert running.silences() == before
    page.go(f"{running.address}/overview")
    assert page.text(".who span") == "olga, operate"
    visitor.close()
