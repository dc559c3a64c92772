"""A token is turned into a session, and nobody is led astray by it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from storage import State
from tests.dashboard.access.visiting import OPERATOR, USERS, VIEWER, Browser, Clock, application_of, site_of, written


def _browser(folder: Path, **given: Any) -> Browser:
    return Browser(site_of(folder, users=USERS), **given)


def _rows(site: Any) -> list[tuple[str, str, str, str, Any, str]]:
    return [(row.by_whom, row.role, row.address, row.action, row.detail, row.outcome) for row in written(site)]


def test_a_token_opens_the_pages(tmp_path: Path) -> None:
    """As the user and in the role that the configuration gives it; a pasted blank doesn't matter."""
    for token, name, role in ((OPERATOR, "olga", "operate"), (f" {VIEWER}\n", "viktor", "view")):
        browser = _browser(tmp_path)
        assert browser.get("/overview").status_code == 303
        answer = browser.log_in(token, next="/overview?last=1h")
        assert (answer.status_code, answer.headers["location"]) == (303, "/overview?last=1h")
        shown = browser.get("/overview").json()
        assert (shown["name"], shown["role"], shown["logged_in"]) == (name, role, True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9090", "https://127.0.0.1:9090"])
def test_the_cookie_is_for_the_pages_alone(tmp_path: Path, url: str) -> None:
    """No script reads it, no other site sends it; over TLS it stays there, and nobody else can set it."""
    answer = _browser(tmp_path, url=url).log_in(OPERATOR)
    name, *attributes = answer.headers["set-cookie"].split("; ")
    prefix = "__Host-" if url.startswith("https") else ""
    assert re.fullmatch(prefix + r"forecourt_session_[0-9a-f]{8}=1\..+", name)
    secure = ["Secure"] if url.startswith("https") else []
    assert attributes == ["Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict", *secure]


def test_with_tls_in_the_configuration_the_cookie_is_secure(tmp_path: Path) -> None:
    """Whatever the request looks like."""
    pem = tmp_path / "pem"
    pem.write_text("")
    site = site_of(tmp_path, tls={"cert_file": pem, "key_file": pem})
    assert Browser(site).get("/overview").headers["set-cookie"].endswith("; SameSite=Strict; Secure")


@pytest.mark.parametrize("wrong", ["<b>wrong</b>", "", OPERATOR[:-1], OPERATOR.upper(), f"{OPERATOR}\x00", "ö" * 5000])
def test_a_wrong_token_opens_nothing(tmp_path: Path, wrong: str) -> None:
    """The page says so, keeps where one wanted to go, and keeps the token to itself."""
    browser = _browser(tmp_path)
    answer = browser.log_in(wrong, next="/overview?a=1&b=2")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert '<p class="card problem" id="error" role="alert">No user has this token.</p>' in answer.text
    assert 'name="next" value="/overview?a=1&amp;b=2"' in answer.text
    assert not wrong or wrong not in answer.text
    assert browser.get("/overview").status_code == 303


def test_a_session_ends_by_the_clock(tmp_path: Path) -> None:
    """After twelve hours one logs in again."""
    clock = Clock()
    browser = Browser(site_of(tmp_path, clock, users=USERS))
    browser.log_in(OPERATOR)
    clock.forward(12 * 3600 - 1)
    assert browser.get("/overview").status_code == 200
    clock.forward(1)
    answer = browser.get("/overview")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Foverview")


def test_logging_out_ends_the_session(tmp_path: Path) -> None:
    """A copy of the cookie is no good either."""
    browser = _browser(tmp_path)
    browser.log_in(OPERATOR)
    ((name, copied),) = browser.cookies.items()
    answer = browser.post("/logout", data={"csrf": browser.get("/overview").json()["csrf"]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert answer.headers["set-cookie"].startswith(f"{name}=; Path=/; Max-Age=0; HttpOnly")
    browser.cookies.set(name, copied)
    assert browser.get("/overview").status_code == 303


@pytest.mark.parametrize("problem", ["", "no state.db", "newer state.db"])
def test_a_restart_brings_no_session_back(tmp_path: Path, problem: str) -> None:
    """As with each reload of the configuration; where nothing can be read of who has left, that is no fault."""
    site = site_of(tmp_path, users=USERS)
    browser, other = (Browser(site) for _ in range(2))
    cookies = [one.log_in(OPERATOR).headers["set-cookie"].partition(";")[0] for one in (browser, other)]
    browser.post("/logout", data={"csrf": browser.get("/overview").json()["csrf"]})
    if problem == "no state.db":
        (site.own_folder / "state.db").unlink()
    elif problem:
        state = State.open(site.own_folder / "state.db")
        state.rows("PRAGMA user_version = 999")
        state.close()
    again = Browser(site)
    asked = [again.get("/overview", headers={"Cookie": cookie}).status_code for cookie in cookies]
    assert asked == [200 if problem else 303, 200]


def test_logging_in_makes_another_session(tmp_path: Path) -> None:
    """Whoever has put a session into somebody's browser before has nothing of it."""
    browser = _browser(tmp_path)
    before = browser.csrf()
    browser.log_in(OPERATOR)
    assert browser.get("/overview").json()["csrf"] != before


def test_somebody_who_is_in_is_not_asked_again(tmp_path: Path) -> None:
    """Nor is anybody where nobody has to log in."""
    browser = _browser(tmp_path)
    browser.log_in(VIEWER)
    for one in (browser, Browser(site_of(tmp_path))):
        answer = one.get("/login?next=/alerts")
        assert (answer.status_code, answer.headers["location"]) == (303, "/alerts")
    alone = Browser(site_of(tmp_path))
    answer = alone.post("/login", data={"csrf": alone.csrf(), "token": "x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


ELSEWHERE = [
    "https://attacker.example/",
    "//attacker.example/",
    "///attacker.example",
    "/\\attacker.example",
    "\\\\attacker.example",
    "/\t/attacker.example",
    "\t//attacker.example",
    "/\n/attacker.example",
    " //attacker.example",
    "/ /attacker.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "attacker.example",
    "http:attacker.example",
    "@attacker.example",
    "?next=//attacker.example",
    "#//attacker.example",
    "/overview\r\nSet-Cookie: a=b",
    "/overview\x00",
    "/übersicht",
    "\uff0f\uff0fattacker.example",
    "/\u2028/attacker.example",
    "/" + "a" * 5000,
    "/login?next=/login",
    "/logout",
    "",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_nobody_is_sent_elsewhere(tmp_path: Path, path: str) -> None:
    """Whatever the address of the login says, it goes on here, and into no header."""
    browser = _browser(tmp_path)
    assert 'name="next" value="/"' in browser.get("/login", params={"next": path}).text
    answer = browser.log_in(OPERATOR, next=path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers.get_list("set-cookie") == [answer.headers["set-cookie"]]


@pytest.mark.parametrize("path", ["/traces/0af7?last=1h&q=%2F%2Fx", "/a/../b", "/logs?q=a%20b#here", "/x?next=//y"])
def test_local_addresses_are_gone_on_to(tmp_path: Path, path: str) -> None:
    """As they are."""
    answer = _browser(tmp_path).log_in(OPERATOR, next=path)
    assert (answer.status_code, answer.headers["location"]) == (303, path)


def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    """The sixth try from one place is not looked at, though it were right; others get in, and so does it later."""
    clock = Clock()
    site = site_of(tmp_path, clock, users=USERS)
    app = application_of(site)
    guesser, other = (Browser(site, app=app, address=address) for address in ("192.0.2.1", "192.0.2.2"))
    assert [guesser.log_in(f"wrong-{number}").status_code for number in range(5)] == [401] * 5
    clock.forward(100)
    answer = guesser.log_in(OPERATOR)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "200")
    assert "Too many attempts. Try again in 4 min." in answer.text
    assert other.log_in(OPERATOR).status_code == 303
    clock.forward(200)
    assert guesser.log_in(OPERATOR).status_code == 303


def test_logins_are_written_down(tmp_path: Path) -> None:
    """Who came, from where and whether they were let in; what is sent of tokens is not."""
    site = site_of(tmp_path, users=USERS)
    browser = Browser(site, address="192.0.2.1")
    browser.log_in("a-wrong-token")
    browser.log_in(OPERATOR)
    ((_, cookie),) = browser.cookies.items()
    browser.post("/logout", data={"csrf": browser.get("/overview").json()["csrf"]})
    assert _rows(site) == [
        ("", "", "192.0.2.1", "log in", {}, "refused: no user has this token"),
        ("olga", "operate", "192.0.2.1", "log in", {}, "ok"),
        ("olga", "operate", "192.0.2.1", "log out", {"session": cookie.split(".")[3]}, "ok"),
    ]


def test_a_flood_of_attempts_is_summed_up(tmp_path: Path) -> None:
    """One row in five minutes tells of those that were not looked at, and the next row counts the rest."""
    clock = Clock()
    site = site_of(tmp_path, clock, users=USERS)
    browser = Browser(site)
    for _ in range(25):
        browser.log_in("wrong-wrong-wrong")
    clock.forward(301)
    browser.log_in(OPERATOR)
    assert [(action, detail, outcome) for *_, action, detail, outcome in _rows(site)] == [
        *[("log in", {}, "refused: no user has this token")] * 5,
        ("log in", {}, "refused: too many attempts"),
        ("log in", {"refused_before": 19}, "ok"),
    ]


def test_at_most_a_hundred_refused_rows_an_hour(tmp_path: Path) -> None:
    """From however many places they come; the first row of the next hour counts those left out."""
    clock = Clock()
    site = site_of(tmp_path, clock, users=USERS)
    app = application_of(site)
    form = {"csrf": "", "token": "wrong"}
    for number in range(110):
        browser = Browser(site, app=app, address=f"192.0.2.{number}")
        form["csrf"] = form["csrf"] or browser.csrf()
        cookie = form.setdefault("cookie", "; ".join(f"{name}={value}" for name, value in browser.cookies.items()))
        answer = browser.post("/login", data=form, headers={"Cookie": cookie})
        assert answer.status_code == 401
        clock.forward(15)
    assert len(written(site)) == 100
    clock.forward(3600)
    Browser(site, app=app).log_in("wrong")
    last = written(site)[-1]
    assert (len(written(site)), last.detail) == (101, {"refused_before": 10})


def test_two_instances_leave_each_other_in_peace(tmp_path: Path) -> None:
    """A browser sends all cookies of a host name to each of its ports: who is logged in at both stays so."""
    one, other = (_browser(tmp_path / name) for name in ("real", "demo"))
    for browser in (one, other):
        browser.log_in(OPERATOR)
    everything = "; ".join(f"{name}={value}" for browser in (one, other) for name, value in browser.cookies.items())
    for browser in (one, other):
        assert browser.get("/overview", headers={"Cookie": everything}).json()["name"] == "olga"
