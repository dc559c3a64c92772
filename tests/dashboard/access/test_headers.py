"""Every answer tells the browser to be strict, also one that refuses and one that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboard.access.visiting import USERS, Browser, site_of

STRICT = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/overview", {}, 200),
        ("/nowhere", {}, 404),
        ("/overview", {"Host": "attacker.example"}, 421),
        ("/overview", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403),
        ("/broken", {}, 500),
        ("/login", {}, 303),
    ],
)
def test_every_answer_is_strict(tmp_path: Path, path: str, headers: dict[str, str], status: int) -> None:
    """Nothing from elsewhere, no script in the page, no frame, no copy in a cache."""
    answer = Browser(site_of(tmp_path)).get(path, headers=headers)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in STRICT} == STRICT


def test_a_response_that_may_be_kept_says_so_itself(tmp_path: Path) -> None:
    """As that of a static file."""
    assert Browser(site_of(tmp_path)).get("/cached").headers.get_list("cache-control") == ["public, max-age=3600"]


def test_a_fault_tells_nothing_of_itself(tmp_path: Path) -> None:
    """The reason is for the log."""
    answer = Browser(site_of(tmp_path)).get("/broken")
    assert answer.text == "It went wrong here. The log of the pages' process says why.\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_the_page_of_the_login_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    """It has no script and no style of its own, and can be read where nothing else may be."""
    browser = Browser(site_of(tmp_path, users=USERS))
    html = browser.get("/login").text
    assert [word for word in ("<script", "style=", "<style", "http:", "https:", "onclick") if word in html] == []
    assert 'type="password" autocomplete="current-password"' in html
    assert browser.get("/static/app.css").status_code == 200
