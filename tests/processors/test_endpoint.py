from __future__ import annotations

import pytest

from processors.endpoint import clash, is_loopback, url_of


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("127.0.0.1:9090", "http://127.0.0.1:9090"),
        ("[::1]:9090", "http://[::1]:9090"),
        ("0.0.0.0:9090", "http://127.0.0.1:9090"),
        ("[::]:9090", "http://[::1]:9090"),
        ("monitor.example.com:9090", "http://monitor.example.com:9090"),
    ],
)
def test_an_endpoint_is_told_as_a_browser_on_this_machine_reaches_it(endpoint: str, address: str) -> None:
    """Nobody can go to the address of all interfaces."""
    assert url_of(endpoint) == address
    assert url_of(endpoint, secure=True) == address.replace("http:", "https:")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("127.0.0.1:9090", "127.0.0.1:9090", True),
        ("127.0.0.1:9090", "localhost:9090", True),
        ("0.0.0.0:9090", "127.0.0.1:9090", True),
        ("[::]:9090", "[::1]:9090", True),
        ("127.0.0.1:9090", "127.0.0.1:9091", False),
        ("127.0.0.1:9090", "127.0.0.2:9090", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
def test_two_endpoints_clash_when_both_cannot_be_listened_on(one: str, other: str, expected: bool) -> None:  # noqa: FBT001  # a case
    assert clash(one, other) is clash(other, one) is expected


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [("127.0.0.1:1", True), ("localhost:1", True), ("[::1]:1", True), ("0.0.0.0:1", False), ("example.com:1", False)],
)
def test_only_this_machine_reaches_loopback(endpoint: str, expected: bool) -> None:  # noqa: FBT001  # a case
    assert is_loopback(endpoint) is expected
