"""Pages answer to their own names only: a name of somebody else's that leads here is DNS rebinding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.dashboard.access.visiting import answer_of, application_of, site_of

OWN: dict[str, Any] = {"endpoint": "pages.lan:9090", "allowed_hosts": ("Monitor.example.com", "proxy.example.com:8443")}


def _status(folder: Path, *hosts: str) -> int:
    headers = [(b"host", host.encode("latin-1")) for host in hosts]
    return answer_of(application_of(site_of(folder, **OWN)), headers)[0]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:9090",
        "127.0.0.1:9090",
        "127.0.0.1:8080",
        "[::1]:9090",
        "pages.lan:9090",
        "pages.lan",
        "monitor.example.com",
        "MONITOR.example.com:443",
        "proxy.example.com:8443",
    ],
)
def test_own_names_are_known(tmp_path: Path, host: str) -> None:
    """Those of loopback and of the endpoint, and what is allowed, in any case and by any port that isn't fixed."""
    assert _status(tmp_path, host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "localhost.attacker.example",
        "127.0.0.1.attacker.example",
        "monitor.example.com.attacker.example",
        "sub.monitor.example.com",
        "proxy.example.com",
        "proxy.example.com:8080",
        "192.0.2.1:9090",
        "localhost:",
        "localhost:999999",
        "localhost@attacker.example",
        "attacker.example#localhost",
        "localhost/",
        "localhost, attacker.example",
        " ",
        "",
        "[::1",
        "[attacker.example]",
        "lo\xadcalhost",
        "<script>alert(1)</script>",
        "localhost\r\nX-Injected: 1",
        "x" * 100_000,
    ],
)
def test_other_names_are_not(tmp_path: Path, host: str) -> None:
    """Whatever they look like."""
    assert _status(tmp_path, host) == 421


def test_the_address_that_a_connection_came_in_at_is_known(tmp_path: Path) -> None:
    """Where the endpoint is every address of the machine; a resolver can't lead anybody astray by it."""
    app = application_of(site_of(tmp_path, endpoint="0.0.0.0:9090"))

    async def at_lan(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "server": ("::ffff:192.168.1.5", 9090)}, receive, send)

    asked = ["192.168.1.5:9090", "192.168.1.6:9090"]
    assert [answer_of(at_lan, [(b"host", host.encode())])[0] for host in asked] == [200, 421]


def test_none_and_two_are_refused(tmp_path: Path) -> None:
    """Two could mean one thing to a proxy and another here."""
    app = application_of(site_of(tmp_path))
    two = [(b"host", b"localhost"), (b"host", b"localhost")]
    assert answer_of(app, []) == (400, "0 Host headers, expected one\n")
    assert answer_of(app, two) == (400, "2 Host headers, expected one\n")


def test_the_refusal_says_what_to_set(tmp_path: Path) -> None:
    """In plain text, with no more of the name than one line holds."""
    app = application_of(site_of(tmp_path))
    host = "<script>\x1b[31m" + "x" * 1000
    status, told = answer_of(app, [(b"host", host.encode())])
    assert status == 421
    assert told == (
        f"<script> [31m{'x' * 86}…: these pages don't go by that name. Add it to "
        "extensions.dashboard.allowed_hosts in the configuration, or use 127.0.0.1:9090\n"
    )
