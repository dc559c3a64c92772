"""Who gets where, and who may change what."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.websockets import WebSocketDisconnect

from dashboard.access.sessions import Sessions
from tests.dashboard.access.visiting import (
    OPERATOR,
    USERS,
    VIEWER,
    Browser,
    Clock,
    answer_of,
    application_of,
    site_of,
    written,
)

CHANGE = "/alerts/x/silence"
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def _closed(folder: Path, token: str = "") -> Browser:
    browser = Browser(site_of(folder, users=USERS))
    if token:
        assert browser.log_in(token).status_code == 303
    return browser


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("path", "status", "header", "value"),
    [
        (
            "/overview?last=1h&route=%2Fa%26b",
            303,
            "location",
            "/login?next=%2Foverview%3Flast%3D1h%26route%3D%252Fa%2526b",
        ),
        ("/", 303, "location", "/login"),
        ("/nowhere", 303, "location", "/login?next=%2Fnowhere"),
        ("//attacker.example/x", 303, "location", "/login"),
        ("/login/", 303, "location", "/login?next=%2Flogin%2F"),
        ("/static", 303, "location", "/login?next=%2Fstatic"),
        ("/live?path=/overview", 401, "www-authenticate", "Bearer"),
        ("/logs/tail", 401, "www-authenticate", "Bearer"),
        ("/api/v1/rules", 401, "www-authenticate", "Bearer"),
        ("/api", 401, "www-authenticate", "Bearer"),
        ("/login", 200, "content-type", "text/html; charset=utf-8"),
        ("/static/app.css", 200, "content-type", "application/json"),
    ],
)
def test_without_a_login_nothing_is_shown(tmp_path: Path, path: str, status: int, header: str, value: str) -> None:
    """Pages lead to the login and back, programs are told what to send."""
    browser = _closed(tmp_path)
    answer = browser.get(f"http://127.0.0.1:9090{path}")
    assert (answer.status_code, answer.headers[header]) == (status, value)
    assert browser.head(f"http://127.0.0.1:9090{path}").status_code == status


def test_programs_are_answered_in_their_own_form(tmp_path: Path) -> None:
    """The API in JSON, a stream in a line."""
    browser = _closed(tmp_path)
    assert browser.get("/api/v1/rules").json() == {"error": "log in, or send a user's token"}
    assert browser.get("/live").text == "log in, or send a user's token\n"


def test_who_asks_jaegers_api_is_refused_in_its_form(tmp_path: Path) -> None:
    """Grafana shows what it finds there: without a token, and where another site's page asks."""
    browser = _closed(tmp_path)
    elsewhere = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", **_bearer(VIEWER)}
    refused = [browser.get("/api/services"), browser.get("/api/traces", headers=elsewhere), browser.get("/api")]
    told = [(401, "log in, or send a user's token"), (403, "another site's page may link here and no more")]
    assert [(one.status_code, one.json()) for one in refused] == [
        (code, {"data": None, "total": 0, "limit": 0, "offset": 0, "errors": [{"code": code, "msg": text}]})
        for code, text in [*told, told[0]]
    ]
    assert [one.headers.get("www-authenticate") for one in refused] == ["Bearer", None, "Bearer"]


@pytest.mark.parametrize(
    ("shown", "location"),
    [
        ("http://127.0.0.1:9090/alerts?last=6h", "/login?next=%2Falerts%3Flast%3D6h"),
        ("http://127.0.0.1:9090//attacker.example", "/login"),
        ("http://[", "/login"),
        (None, "/login?next=%2Foverview"),
    ],
)
def test_a_page_that_is_open_is_led_to_the_login(tmp_path: Path, shown: str | None, location: str) -> None:
    """By the header that htmx obeys, and back to the page, not to the part of it that was asked for."""
    headers = {"HX-Request": "true", **({"HX-Current-URL": shown} if shown else {})}
    answer = _closed(tmp_path).get("/overview", headers=headers)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, location)


@pytest.mark.parametrize(
    "cookie", ["x", "1...", "", "forecourt_session=", '"', "1.b2xnYQ.1.aaaaaaaaaaaaaaaaaaaaaa." + "a" * 43]
)
def test_a_garbled_cookie_is_none(tmp_path: Path, cookie: str) -> None:
    """It is asked for a login, no more."""
    browser = _closed(tmp_path)
    name = Sessions(site_of(tmp_path)).cookie
    answer = browser.get("/overview", headers={"Cookie": f"{name}={cookie}"})
    assert answer.status_code == 303


def test_where_nobody_logs_in_everybody_operates(tmp_path: Path) -> None:
    """Under the name of whoever runs the pages; whatever token is sent."""
    browser = Browser(site_of(tmp_path))
    shown = browser.get("/overview").json()
    assert (shown["name"], shown["role"], shown["logged_in"]) == (getpass.getuser(), "operate", False)
    assert browser.post(CHANGE, data={"csrf": shown["csrf"], "note": "ä"}).json()["form"] == {
        "csrf": shown["csrf"],
        "note": "ä",
    }
    assert browser.get("/api/v1/rules", headers=_bearer("x")).status_code == 200


def test_the_first_page_brings_a_session_along(tmp_path: Path) -> None:
    """Only a whole page does: what it loads would make its forms those of another session."""
    browser = Browser(site_of(tmp_path))
    for path, headers in (
        ("/static/app.css", {}),
        ("/api/v1/rules", {}),
        ("/live", {}),
        ("/logs/tail", {}),
        ("/overview", {"HX-Request": "true"}),
    ):
        answer = browser.get(path, headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers, answer.json()["csrf"]) == (200, False, "")
    first, second = browser.get("/overview"), browser.get("/overview")
    assert ("set-cookie" in first.headers, "set-cookie" in second.headers) == (True, False)
    assert first.json()["csrf"] == second.json()["csrf"] != ""


@pytest.mark.parametrize(
    ("token", "path", "status"),
    [
        ("", CHANGE, 303),
        ("", "/api/v1/rules", 401),
        (VIEWER, CHANGE, 403),
        (VIEWER, "/api/v1/rules", 403),
        (OPERATOR, CHANGE, 200),
        (OPERATOR, "/api/v1/rules", 200),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_operators_change_anything(tmp_path: Path, token: str, path: str, status: int, method: str) -> None:
    """Whoever may look is told what is missing."""
    browser = _closed(tmp_path, token)
    csrf = browser.get("/overview").json()["csrf"] if token else browser.csrf()
    answer = browser.request(method, path, headers={"X-CSRF-Token": csrf})
    assert answer.status_code == status
    if status == 403:
        assert "viktor may look, and not change anything: that needs the role operate" in answer.text


def test_what_somebody_may_not_is_written_down(tmp_path: Path) -> None:
    """Who tried it, from where and what; a hundred an hour at most, the rest are counted."""
    clock = Clock()
    site = site_of(tmp_path, clock, users=USERS)
    browser = Browser(site, address="192.0.2.1")
    assert browser.post(CHANGE, headers=_bearer(VIEWER)).status_code == 303
    for path in ("/api/v1/rules", "/api/v1/" + "\u202e" * 500):
        assert browser.post(path, headers=_bearer(VIEWER)).status_code == 403
    assert [(row.by_whom, row.role, row.address, row.action, row.outcome) for row in written(site)] == [
        ("viktor", "view", "192.0.2.1", action, "refused: that needs the role operate")
        for action in ("POST /api/v1/rules", "POST /api/v1/")
    ]


def test_whoever_may_look_can_log_out(tmp_path: Path) -> None:
    """That changes nobody else's things."""
    browser = _closed(tmp_path, VIEWER)
    csrf = browser.get("/overview").json()["csrf"]
    assert browser.post("/logout", data={"csrf": csrf}).headers["location"] == "/login"


TOO_OLD = "this page is too old, or the browser keeps no cookies: load it again"


@pytest.mark.parametrize("users", [USERS, {}])
@pytest.mark.parametrize(
    ("path", "form", "header", "allowed"),
    [
        (CHANGE, True, False, True),
        (CHANGE, False, True, True),
        (CHANGE, False, False, False),
        ("/api/v1/rules", False, True, True),
        ("/api/v1/rules", True, False, False),
        ("/api/v1/rules", False, False, False),
        ("/login", False, False, False),
        ("/logout", False, False, False),
    ],
)
def test_forms_carry_the_token_of_their_session(
    tmp_path: Path, users: dict[str, Any], path: str, *, form: bool, header: bool, allowed: bool
) -> None:
    """Or a header does; to the API the header alone, since a form of another site can't send one."""
    browser = Browser(site_of(tmp_path, users=users))
    if users:
        browser.log_in(OPERATOR)
    csrf = browser.get("/overview").json()["csrf"]
    data, headers = ({"csrf": csrf} if form else {"a": "b"}), ({"X-CSRF-Token": csrf} if header else {})
    answer = browser.post(path, data=data, headers=headers)
    assert answer.status_code == (200 if allowed else 403)
    if not allowed:
        assert TOO_OLD in answer.text


@pytest.mark.parametrize("wrong", ["", "x", "é", "0" * 43, "of another session"])
def test_a_wrong_token_of_a_form_is_refused(tmp_path: Path, wrong: str) -> None:
    """Also a right one of somebody else's session, in a field or in a header, and with a right one beside it."""
    site = site_of(tmp_path)
    app = application_of(site)
    browser = Browser(site, app=app)
    csrf = browser.get("/overview").json()["csrf"]
    given = Browser(site, app=app).get("/overview").json()["csrf"] if wrong == "of another session" else wrong
    latin = given.encode("latin-1")
    assert browser.post(CHANGE, data={"csrf": given}).status_code == 403
    assert browser.post(CHANGE, headers={b"X-CSRF-Token": latin}).status_code == 403
    assert browser.post(CHANGE, data={"csrf": csrf}, headers={b"X-CSRF-Token": latin}).status_code == 403
    assert browser.post(CHANGE, data={"csrf": csrf}).status_code == 200


def test_a_browser_without_cookies_changes_nothing(tmp_path: Path) -> None:
    """Though it knows what a form would carry, or that there is nothing to carry."""
    browser = Browser(site_of(tmp_path))
    csrf = browser.get("/overview").json()["csrf"]
    browser.cookies.clear()
    for sent in ({"data": {"csrf": csrf}}, {"data": {"csrf": ""}}, {"headers": {"X-CSRF-Token": ""}}, {}):
        answer = browser.post(CHANGE, **sent)
        assert (answer.status_code, answer.text) == (403, f"{TOO_OLD}\n")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:9090"}, 200),
        ({"Origin": "HTTP://127.0.0.1:9090"}, 403),
        ({"Origin": "https://127.0.0.1:9090"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://127.0.0.1:9090", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://127.0.0.1:9091"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://localhost:9090"}, 403),
        ({"Origin": "http://attacker.example"}, 403),
        ({"Origin": "http://127.0.0.1:9090.attacker.example"}, 403),
        ({"Origin": "http://attacker.example@127.0.0.1:9090"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "file://"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "http://127.0.0.1:9090", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://attacker.example", "Sec-Fetch-Site": "same-origin"}, 403),
    ],
)
def test_no_other_site_changes_anything(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    """Though its request had cookie and token."""
    browser = Browser(site_of(tmp_path))
    csrf = browser.get("/overview").json()["csrf"]
    assert browser.post(CHANGE, data={"csrf": csrf}, headers=headers).status_code == status


def test_over_tls_nothing_in_the_clear_changes_anything(tmp_path: Path) -> None:
    """A page of the same name without TLS can be anybody's on the way."""
    browser = Browser(site_of(tmp_path), url="https://127.0.0.1:9090")
    csrf = browser.get("/overview").json()["csrf"]
    origins = ["https://127.0.0.1:9090", "http://127.0.0.1:9090"]
    sent = [browser.post(CHANGE, data={"csrf": csrf}, headers={"Origin": origin}) for origin in origins]
    assert [answer.status_code for answer in sent] == [200, 403]


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("monitor.example.com", "https://monitor.example.com", 200),
        ("monitor.example.com:443", "https://monitor.example.com", 200),
        ("monitor.example.com", "https://MONITOR.example.com:443", 200),
        ("monitor.example.com", "http://monitor.example.com:443", 403),
        ("[::1]:9090", "http://[::1]:9090", 200),
        ("[::1]", "http://[::1]", 200),
    ],
)
def test_behind_a_proxy_the_origin_is_the_name_that_is_shown(
    tmp_path: Path, host: str, origin: str, status: int
) -> None:
    """It ends TLS and hands the name on."""
    site = site_of(tmp_path, allowed_hosts=("monitor.example.com",))
    app = application_of(site)
    browser = Browser(site, app=app)
    shown = browser.get("/overview")
    cookie = shown.headers["set-cookie"].partition(";")[0]
    headers = {"Host": host, "Origin": origin, "Cookie": cookie}
    answer = Browser(site, app=app).post(CHANGE, data={"csrf": shown.json()["csrf"]}, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
    ],
)
def test_no_other_site_asks_questions(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    """A page that somebody has open elsewhere keeps no query of ours busy; links are followed."""
    assert Browser(site_of(tmp_path)).get("/api/v1/rules", headers=headers).status_code == status


@pytest.mark.parametrize("users", [USERS, {}])
def test_a_link_on_another_site_loses_no_session(tmp_path: Path, users: dict[str, Any]) -> None:
    """The browser sends no cookie with it: it is asked to come again from here, and keeps what it has."""
    browser = Browser(site_of(tmp_path, users=users))
    answer = browser.get('/traces/0af7?q="><script>alert(1)</script>&last=1h', headers=LINK)
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
    address = "/traces/0af7?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&amp;last=1h"
    assert answer.text == (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Forecourt</title>'
        f'<meta http-equiv="refresh" content="0;url={address}"><p><a href="{address}">Go on</a></p></html>'
    )


def test_a_link_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    """Two slashes would be another server's."""
    answer = _closed(tmp_path).get("http://127.0.0.1:9090//attacker.example/", headers=LINK)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


@pytest.mark.parametrize(("token", "status"), [(OPERATOR, 200), (VIEWER, 403)])
def test_programs_have_the_role_of_their_token(tmp_path: Path, token: str, status: int) -> None:
    """They send it with each request, keep no cookie and need no form's token."""
    browser = _closed(tmp_path)
    shown = browser.get("/api/v1/rules", headers=_bearer(token))
    assert (shown.status_code, shown.json()["logged_in"], "set-cookie" in shown.headers) == (200, True, False)
    answer = browser.post("/api/v1/rules", headers=_bearer(token), content=json.dumps({"a": 1}))
    assert answer.status_code == status
    if status == 200:
        assert (answer.json()["name"], answer.json()["body"]) == ("olga", '{"a": 1}')


def test_a_token_of_any_letters_is_one(tmp_path: Path) -> None:
    """As a terminal sends it, and without the end of the line that it was read with."""
    token = "sésame öffne dich"
    app = application_of(site_of(tmp_path, users={"olga": {"token": f" {token}\n"}}))
    asked = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]
    assert answer_of(app, asked, "/api/v1/rules")[0] == 200
    browser = Browser(site_of(tmp_path), app=app)
    assert browser.log_in(token).status_code == 303


def test_who_was_here_before_is_not_kept_out_by_those_who_guess(tmp_path: Path) -> None:
    """Neither a program nor somebody at the login; whoever comes from that network for the first time waits."""
    site = site_of(tmp_path, users=USERS)
    app = application_of(site)

    def at(number: int) -> Browser:
        return Browser(site, app=app, address=f"192.0.2.{number}")

    assert at(1).get("/api/v1/rules", headers=_bearer(VIEWER)).status_code == 200
    assert at(2).log_in(VIEWER).status_code == 303
    for number in range(20):
        assert at(100 + number).get("/api/v1/rules", headers=_bearer("wrong")).status_code == 401
    asked = [at(number).get("/api/v1/rules", headers=_bearer(VIEWER)).status_code for number in (1, 2, 3)]
    assert (asked, [at(number).log_in(VIEWER).status_code for number in (1, 2, 3)]) == (
        [200, 200, 429],
        [303, 303, 429],
    )


def test_a_token_is_for_the_api_alone(tmp_path: Path) -> None:
    """Pages ask for a login."""
    browser = _closed(tmp_path)
    assert browser.get("/overview", headers=_bearer(OPERATOR)).status_code == 303
    assert browser.get("/live", headers=_bearer(OPERATOR)).status_code == 401
    assert browser.get("/api/v1/rules", headers={"Authorization": f"Basic {OPERATOR}"}).status_code == 401


def test_wrong_tokens_of_programs_are_counted(tmp_path: Path) -> None:
    """Not the one of yesterday that a program goes on sending; five other ones close the way for five minutes."""
    clock = Clock()
    site = site_of(tmp_path, clock, users=USERS)
    browser = Browser(site, address="192.0.2.1")

    def tried(*tokens: str) -> list[int]:
        return [browser.get("/api/v1/rules", headers=_bearer(token)).status_code for token in tokens]

    assert tried(*["of-yesterday"] * 8, OPERATOR) == [401] * 8 + [200]
    assert tried(*"abcd", OPERATOR, "e") == [401] * 4 + [429] * 2
    answer = browser.get("/api/v1/rules", headers=_bearer(OPERATOR))
    assert answer.json() == {"error": "too many wrong tokens: wait, or ask from elsewhere"}
    assert answer.headers["retry-after"] == "300"
    assert [(row.address, row.action, row.outcome) for row in written(site)] == [
        *[("192.0.2.1", "use the API", "refused: no user has this token")] * 5,
        ("192.0.2.1", "use the API", "refused: too many attempts"),
    ]
    clock.forward(300)
    assert tried(OPERATOR) == [200]


@pytest.mark.parametrize(
    ("kind", "size", "status"),
    [
        ("application/x-www-form-urlencoded", 2**16, 200),
        ("application/x-www-form-urlencoded", 2**16 + 1, 413),
        ("application/json", 2**20, 200),
        ("application/json", 2**20 + 1, 413),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_bodies_have_a_limit(tmp_path: Path, kind: str, size: int, status: int, *, announced: bool) -> None:
    """64 KiB for a form that carries its token, 1 MiB for anything else, whether its length is told or not."""
    browser = Browser(site_of(tmp_path))
    csrf = browser.get("/overview").json()["csrf"]
    start = f"csrf={csrf}&a=".encode()
    body = start + b"b" * (size - len(start))
    headers = {"Content-Type": kind, **({"X-CSRF-Token": csrf} if kind.endswith("json") else {})}
    answer = browser.post(CHANGE, content=body if announced else iter([body[:100], body[100:]]), headers=headers)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["body"] == body.decode()[:100]
    else:
        assert answer.text in {"the body is larger than 64 KiB\n", "the body is larger than 1024 KiB\n"}


@pytest.mark.parametrize("length", ["-1", "1e3", "\xb2", "1048577", "9" * 5000])
def test_a_length_that_is_none_is_refused(tmp_path: Path, length: str) -> None:
    """Also with a GET, whose body nobody reads."""
    headers = [(b"host", b"localhost"), (b"content-length", length.encode("latin-1"))]
    told = "the body is larger than 1024 KiB\n"
    assert answer_of(application_of(site_of(tmp_path)), headers) == (413, told)


def test_a_form_of_thousands_of_fields_is_refused(tmp_path: Path) -> None:
    """Nobody's form has them."""
    browser = Browser(site_of(tmp_path))
    csrf = browser.get("/overview").json()["csrf"]
    answer = browser.post(CHANGE, data={"csrf": csrf, **{f"a{number}": "" for number in range(300)}})
    assert (answer.status_code, answer.text) == (400, "the form has more than 200 fields\n")


def test_reading_changes_nothing_whatever_it_says(tmp_path: Path) -> None:
    """A GET stays one, with a body, an override, or a token: it logs nobody in and nobody out."""
    browser = _closed(tmp_path, OPERATOR)
    csrf = browser.get("/overview").json()["csrf"]
    data = {"csrf": csrf, "_method": "POST", "token": OPERATOR}
    headers = {"X-HTTP-Method-Override": "POST", "Content-Type": "application/x-www-form-urlencoded"}
    assert browser.request("GET", "/logout", params=data, data=data, headers=headers).status_code == 405
    assert browser.get("/overview").json()["logged_in"]
    stranger = _closed(tmp_path)
    stranger.request("GET", "/login", params=data, data=data, headers=headers)
    assert stranger.get("/overview").status_code == 303


def test_no_socket_is_opened(tmp_path: Path) -> None:
    """The pages have none, and none may pass by the guard."""
    browser = _closed(tmp_path)
    with pytest.raises(WebSocketDisconnect) as closed, browser.websocket_connect("/live"):
        pass
    assert closed.value.code == 1008


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#"), max_size=30),
    query=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=30),
)
def test_the_way_to_the_login_stays_here(tmp_path: Path, path: str, query: str) -> None:
    """Whatever is asked for, the answer leads to the login of this server, and holds one line."""
    browser = _closed(tmp_path)
    answer = browser.get(f"http://127.0.0.1:9090/x{path}?{query}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
    assert answer.headers["location"].isprintable()
