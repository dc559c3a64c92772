from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

from instrumentation.settings import Network


def client_address(scope: Any, trusted: Sequence[Network]) -> str | None:
    """Who sent the request: the peer, or, if that is a trusted proxy, the last address it names that is none.

    An address in X-Forwarded-For counts only as far as the chain of those who wrote it is trusted: the rest the client
    may have made up.
    """
    client = scope.get("client")
    address = str(client[0]) if client else None
    if address is None or not _is_trusted(address, trusted):
        return address
    for forwarded in reversed(list(_forwarded(scope["headers"]))):
        address = forwarded
        if not _is_trusted(forwarded, trusted):
            break
    return address


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[str]:
    for name, value in headers:
        if name == b"x-forwarded-for":
            for part in value.decode("latin-1").split(","):
                text = part.strip()
                if _is_address(text):
                    yield text


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    if not trusted or not _is_address(address):
        return False
    return any(ip_address(address) in network for network in trusted)
