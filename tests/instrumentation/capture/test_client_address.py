from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from instrumentation.capture.client_address import client_address

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


def _scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"client": (peer, 1234) if peer else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),  # not a proxy of ours: what it claims does not count
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.7, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),  # what a client put first is its own word
        ("10.0.0.1", ["198.51.100.7", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["<script>, unknown"], "10.0.0.1"),
        ("2001:db8::1", ["2001:db9::5"], "2001:db9::5"),
        ("testclient", ["203.0.113.9"], "testclient"),
        (None, ["203.0.113.9"], None),
    ],
)
def test_an_address_counts_as_far_as_those_who_wrote_it_are_trusted(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    """The rightmost address of X-Forwarded-For that is no trusted proxy."""
    assert client_address(_scope(peer, *forwarded), TRUSTED) == expected


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    """Nobody's header can choose another address."""
    assert client_address(_scope("10.0.0.1", "203.0.113.9"), ()) == "10.0.0.1"
