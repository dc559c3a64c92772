"""A session is what was issued here, of somebody who is a user now, for twelve hours."""

from __future__ import annotations

import getpass
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.access.identity import Identity
from dashboard.access.sessions import Sessions
from tests.dashboard.access.visiting import NANO, NOW, OPERATOR, USERS, VIEWER, site_of

HOUR = 3600 * NANO


def _identity(sessions: Sessions, cookie: str, now: int = NOW) -> tuple[str, str, bool] | None:
    found = sessions.identity_of(cookie, now)
    return (found.name, found.role, found.logged_in) if found else None


def test_a_session_is_its_users_in_the_role_of_now(tmp_path: Path) -> None:
    """The cookie holds no role: the configuration says it whenever the cookie is shown."""
    first = Sessions(site_of(tmp_path, users=USERS))
    cookies = {name: first.issue(name, NOW) for name in USERS}
    assert {name: _identity(first, cookie) for name, cookie in cookies.items()} == {
        "olga": ("olga", "operate", True),
        "viktor": ("viktor", "view", True),
    }
    promoted = Sessions(site_of(tmp_path, users={"viktor": {"token": VIEWER, "role": "operate"}}))
    assert _identity(promoted, cookies["viktor"]) == ("viktor", "operate", True)
    assert _identity(promoted, cookies["olga"]) is None


def test_a_changed_token_ends_the_sessions_of_its_user(tmp_path: Path) -> None:
    """Whoever had the old token is out at the next request; the others stay in."""
    before = Sessions(site_of(tmp_path, users=USERS))
    cookies = {name: before.issue(name, NOW) for name in USERS}
    after = Sessions(site_of(tmp_path, users={**USERS, "olga": {"token": "another-token-of-olga", "role": "operate"}}))
    assert _identity(after, cookies["olga"]) is None
    assert _identity(after, cookies["viktor"]) == ("viktor", "view", True)


def test_a_session_lasts_twelve_hours(tmp_path: Path) -> None:
    """By the clock of the site, to the nanosecond; a clock set back a little ends none, one from the future is none."""
    sessions = Sessions(site_of(tmp_path, users=USERS))
    cookie = sessions.issue("olga", NOW)
    lives = {-61: False, -60: True, 0: True, 12 * 3600: False}
    assert {seconds: _identity(sessions, cookie, NOW + seconds * NANO) is not None for seconds in lives} == lives
    assert _identity(sessions, cookie, NOW + 12 * HOUR - 1) == ("olga", "operate", True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.floats(0, 1, exclude_max=True), put=st.binary(min_size=0, max_size=2), name=st.sampled_from(["olga", ""])
)
def test_any_change_of_a_cookie_is_refused(tmp_path: Path, place: float, put: bytes, name: str) -> None:
    """Whatever byte is taken away, doubled or another one."""
    sessions = Sessions(site_of(tmp_path, state=False, users=USERS))
    cookie = sessions.issue(name or None, NOW).encode()
    index = int(place * len(cookie))
    changed = cookie[:index] + put + cookie[index + 1 :]
    found = sessions.identity_of(changed.decode("latin-1"), NOW)
    assert (found is None) == (changed != cookie)


def test_every_single_character_of_a_cookie_matters(tmp_path: Path) -> None:
    """Also the last of the signature, some bits of which say nothing."""
    sessions = Sessions(site_of(tmp_path, users=USERS))
    cookie = sessions.issue("olga", NOW)
    others = 'AZaz09-_.="; \x00é'
    accepted = [
        cookie[:index] + other + cookie[index + 1 :]
        for index in range(len(cookie))
        for other in others
        if other != cookie[index] and sessions.identity_of(cookie[:index] + other + cookie[index + 1 :], NOW)
    ]
    assert accepted == []


@given(st.text() | st.binary().map(lambda content: content.decode("latin-1")))
def test_garbage_is_no_session(text: str) -> None:
    """And no error, however it looks."""
    sessions = Sessions(site_of(Path("/nonexistent"), state=False))
    assert [sessions.identity_of(one, NOW) for one in (text, f"1.{text}.1.{text}.{text}", text * 10_000)] == [None] * 3


def test_a_session_of_nobody_is_the_owners_where_nobody_logs_in(tmp_path: Path) -> None:
    """And nobody's where somebody has to."""
    open_to_all, closed = Sessions(site_of(tmp_path)), Sessions(site_of(tmp_path, users=USERS))
    cookie = open_to_all.issue(None, NOW)
    found, other = open_to_all.identity_of(cookie, NOW), closed.identity_of(cookie, NOW)
    assert found is not None
    assert other is not None
    assert found == Identity(getpass.getuser(), "operate", found.csrf, logged_in=False)
    assert other == Identity("", "view", found.csrf, logged_in=False)
    assert len(found.csrf) == 43


def test_forms_of_one_session_are_no_good_in_another(tmp_path: Path) -> None:
    """The token of a form hangs on the session, the same for as long as that lasts."""
    sessions = Sessions(site_of(tmp_path, users=USERS))
    cookies = [sessions.issue("olga", NOW) for _ in range(2)]
    found = [sessions.identity_of(cookie, NOW + hours * HOUR) for cookie in cookies for hours in (0, 11)]
    tokens = [one.csrf for one in found if one]
    assert tokens[0] == tokens[1] != tokens[2] == tokens[3]


def test_a_session_that_was_ended_is_over(tmp_path: Path) -> None:
    """A copy of its cookie too; the user's other sessions go on."""
    sessions = Sessions(site_of(tmp_path, users=USERS))
    ended, other = sessions.issue("olga", NOW), sessions.issue("olga", NOW)
    sessions.end(ended)
    sessions.end("garbage")
    assert (_identity(sessions, ended), _identity(sessions, other)) == (None, ("olga", "operate", True))


def test_a_restart_ends_no_session(tmp_path: Path) -> None:
    """The key lies in a file that only its owner reads."""
    site = site_of(tmp_path, users=USERS)
    cookie = Sessions(site).issue("olga", NOW)
    assert _identity(Sessions(site), cookie) == ("olga", "operate", True)
    path = site.own_folder / "dashboard.key"
    assert len(path.read_bytes()) == 32
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in site.own_folder.iterdir() if "key" in one.name] == ["dashboard.key"]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_torn_key_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """As after a full disk."""
    site = site_of(tmp_path, users=USERS)
    path = site.own_folder / "dashboard.key"
    path.write_bytes(content)
    path.chmod(0o600)
    cookie = Sessions(site).issue("olga", NOW)
    assert (_identity(Sessions(site), cookie), len(path.read_bytes())) == (("olga", "operate", True), 32)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_key_that_others_could_read_is_made_anew(tmp_path: Path) -> None:
    """Whoever has read it could be anybody."""
    site = site_of(tmp_path, users=USERS)
    path = site.own_folder / "dashboard.key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o644)
    Sessions(site)
    assert path.read_bytes() != b"k" * 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_over_an_archive_nothing_is_written(tmp_path: Path) -> None:
    """Sessions are as good there, for as long as the process lives."""
    site = site_of(tmp_path, state=False, users=USERS)
    sessions = Sessions(site)
    assert _identity(sessions, sessions.issue("olga", NOW)) == ("olga", "operate", True)
    assert list(tmp_path.iterdir()) == []


def test_where_the_key_cant_be_kept_sessions_last_as_long_as_the_process(tmp_path: Path) -> None:
    """As on a read-only disk."""
    site = site_of(tmp_path, users=USERS)
    (site.own_folder / "dashboard.key").mkdir()
    sessions = Sessions(site)
    cookie = sessions.issue("olga", NOW)
    assert (_identity(sessions, cookie), _identity(Sessions(site), cookie)) == (("olga", "operate", True), None)


def test_names_of_any_kind_have_sessions(tmp_path: Path) -> None:
    """What a configuration may call somebody never breaks the cookie."""
    names = ["Ωlga; Path=/", 'a"b', "a.b.c", "line\r\nSet-Cookie: x=y", "1"]
    sessions = Sessions(site_of(tmp_path, users={name: {"token": f"{OPERATOR}{name}"} for name in names}))
    cookies = [sessions.issue(name, NOW) for name in names]
    assert [_identity(sessions, cookie) for cookie in cookies] == [(name, "view", True) for name in names]
    assert all(
        set(cookie) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") for cookie in cookies
    )
