"""Behind proxies: who asks is whom the trusted ones tell, and nobody comes in by one without a login."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.access.proxies import Proxies
from tests.dashboard.access.visiting import (
    OPERATOR,
    USERS,
    VIEWER,
    Browser,
    answers_of,
    application_of,
    site_of,
    status_of,
    written,
)

TRUSTED = ["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"]
GUESS = {"Authorization": "Bearer a-wrong-token-of-nobody"}
NAMED = "extensions.dashboard.trusted_proxies does not name it"


def _request(path: str, *headers: tuple[str, str], method: str = "GET", body: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers), "", body]).encode("latin-1")


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ([], "127.0.0.1"),
        (["203.0.113.7"], "203.0.113.7"),
        (["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (["198.51.100.1,203.0.113.7 ,\t10.1.2.3"], "203.0.113.7"),
        (["198.51.100.1, 203.0.113.7", "10.1.2.3"], "203.0.113.7"),
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["2001:db8::1"], "2001:db8::1"),
        (["[2001:db8::1]:443, 2001:db8:1::5"], "2001:db8::1"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["10.1.2.3, 10.1.2.4"], "10.1.2.3"),
        (["198.51.100.1, unknown"], "127.0.0.1"),
        (["198.51.100.1, , 10.1.2.3"], "10.1.2.3"),
        (["198.51.100.1, _hidden, 10.1.2.3"], "10.1.2.3"),
        (["198.51.100.1" + ", 10.1.2.3" * 1000], "10.1.2.3"),
    ],
)
def test_who_asks_is_whom_trusted_proxies_tell(tmp_path: Path, told: list[str], address: str) -> None:
    """The first from the right that is none of them; what stands left of it the client may have made up."""
    site = site_of(tmp_path, users=USERS, trusted_proxies=TRUSTED)
    headers = [*GUESS.items(), *(("X-Forwarded-For", value) for value in told)]
    (answer,) = answers_of(site, _request("/api/v1/rules", *headers))
    assert (status_of(answer), [row.address for row in written(site)]) == (401, [address])


@pytest.mark.parametrize(
    ("trusted", "headers"),
    [
        ([], {"X-Forwarded-For": "203.0.113.7"}),
        (["127.0.0.2", "10.0.0.0/8"], {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}),
        (TRUSTED, {"Forwarded": "for=203.0.113.7;proto=https", "X-Real-IP": "203.0.113.7"}),
        (TRUSTED, {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "attacker.example"}),
        (TRUSTED, {"X-Forwarded-Proto": "https, http"}),
    ],
)
def test_what_others_tell_counts_for_nothing(tmp_path: Path, trusted: list[str], headers: Mapping[str, str]) -> None:
    """Nor what trusted ones tell in any other header: clients may have sent that on."""
    site = site_of(tmp_path, users=USERS, trusted_proxies=trusted)
    guess = _request("/api/v1/rules", *GUESS.items(), *headers.items())
    _, login = answers_of(site, guess, _request("/login", *headers.items()))
    assert [row.address for row in written(site)] == ["127.0.0.1"]
    assert status_of(login) == 200
    assert b"; SameSite=Strict\r\n" in login


def test_behind_tls_of_a_proxy_the_cookie_is_secure(tmp_path: Path) -> None:
    """One logs in as without it, and what was done is written down with where one really is."""
    site = site_of(tmp_path, users=USERS, trusted_proxies=TRUSTED, allowed_hosts=["monitor.example.com"])
    app, sent = application_of(site), {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    browser = Browser(site, app=app, url="http://monitor.example.com")
    browser.headers.update({**sent, "Origin": "https://monitor.example.com"})
    shown = browser.get("/login")
    cookies, csrf = (
        shown.headers["set-cookie"].partition(";")[0],
        re.findall(r'name="csrf" value="([^"]*)"', shown.text),
    )
    answer = browser.post("/login", data={"csrf": csrf[0], "token": OPERATOR}, headers={"Cookie": cookies})
    assert answer.status_code == 303
    assert re.fullmatch(
        r"__Host-forecourt_session_[0-9a-f]{8}=1\.[^;]+; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure",
        answer.headers["set-cookie"],
    )
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert browser.get("/overview", headers=cookie).json()["name"] == "olga"
    in_the_clear = Browser(site, app=app, url="http://monitor.example.com")
    assert in_the_clear.get("/overview", headers=cookie).status_code == 303
    assert [(row.by_whom, row.address) for row in written(site)] == [("olga", "203.0.113.7")]


def test_who_guesses_behind_a_proxy_keeps_nobody_else_out(tmp_path: Path) -> None:
    """Each client has attempts of its own."""
    site = site_of(tmp_path, users=USERS, trusted_proxies=TRUSTED)

    def asked(token: str, address: str) -> bytes:
        return _request("/api/v1/rules", ("Authorization", f"Bearer {token}"), ("X-Forwarded-For", address))

    guesses = [asked(f"a-wrong-token-of-nobody-{number}", "198.51.100.1, 203.0.113.7") for number in range(5)]
    answers = answers_of(
        site, *guesses, asked(VIEWER, "203.0.113.7"), asked(VIEWER, "198.51.100.1"), asked(VIEWER, "127.0.0.1")
    )
    assert [status_of(answer) for answer in answers] == [401] * 5 + [429, 200, 200]


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "x-forwarded-proto", "X-FORWARDED-HOST", "Forwarded", "Via", "X-Real-IP"]
)
def test_without_a_login_nobody_comes_in_by_a_proxy(tmp_path: Path, name: str) -> None:
    """One on this machine would make everybody who reaches it somebody on this machine; the answer says what to do."""
    paths = ["/overview", "/static/app.css", "/live?path=/overview", "/login", "/metrics"]
    programs = ["/api/v1/rules", "/api/services"]
    asked = [_request(path, (name, "127.0.0.1")) for path in (*paths, *programs)]
    *pages, ours, jaegers, changed, direct = answers_of(
        site_of(tmp_path), *asked, _request("/overview", (name, ""), method="POST"), _request("/overview")
    )
    told = (
        "a proxy has sent this on, and these pages ask for no login: whoever reaches the proxy would get in. Name who "
        "may look under extensions.dashboard.users, and the proxy's address under extensions.dashboard.trusted_proxies"
    )
    assert [(status_of(one), one.partition(b"\r\n\r\n")[2].decode()) for one in (*pages[:4], changed)] == [
        (403, f"{told}\n")
    ] * 5
    assert b"set-cookie" not in b"".join([*pages, ours, jaegers, changed]).lower()
    assert [status_of(one) for one in (pages[4], ours, jaegers)] == [403] * 3
    assert ours.endswith(f'{{"error":"{told}"}}'.encode())
    assert f'"errors":[{{"code":403,"msg":"{told}"}}]'.encode() in jaegers
    assert status_of(direct) == 200


@pytest.mark.parametrize(
    ("trusted", "address", "times"), [([], "127.0.0.1", 1), ([], "192.168.1.9", 0), (["127.0.0.1"], "127.0.0.1", 0)]
)
def test_a_proxy_that_is_not_named_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, trusted: list[str], address: str, times: int
) -> None:
    """One on this machine; from elsewhere anybody may send what looks like one."""
    browser = Browser(site_of(tmp_path, users=USERS, trusted_proxies=trusted), address=address)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert browser.get("/login", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 200
    assert [NAMED in one.getMessage() for one in caplog.records] == [True] * times


@given(told=st.text(st.characters(max_codepoint=255), max_size=60), last=st.ip_addresses())
def test_nothing_that_clients_send_changes_who_they_are(told: str, last: object) -> None:
    """A proxy puts what it sees behind it, in any form that there is."""
    scope = {"client": ("127.0.0.1", 1), "scheme": "http"}
    proxies = Proxies(["127.0.0.1"])
    seen = [
        proxies.seen_through({**scope, "headers": [(b"x-forwarded-for", value.encode("latin-1"))]})["client"]
        for value in (f"{told},{last}", f"{last}")
    ]
    assert seen[0] == seen[1] or str(last) in {"127.0.0.1", "::ffff:7f00:1"}
