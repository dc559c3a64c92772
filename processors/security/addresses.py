"""Where somebody comes from: addresses as keys, networks, families of browsers."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

_OF_ONE_SUBSCRIBER = 64
"""Whoever has an IPv6 address has the whole /64 (RFC 6177, section 2)."""
_MAPPED = 96
"""Bits before an IPv4 address that is written as an IPv6 one."""
_NETWORKS = {4: 24, 6: 48}
"""Prefixes of what counts as one place: a line's address changes more often than its network."""
_LONGEST = 256
_FAMILIES = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"\b(?:OPR|Opera)/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Chrome|CriOS|Chromium)/")),
    ("Safari", re.compile(r"\bSafari/")),
)
"""The first that fits: Edge and Opera call themselves Chrome too, and Chrome calls itself Safari."""
_PRODUCT = re.compile(r"[\w.-]+")


@lru_cache(4096)
def address_key(text: str) -> str:
    """One for each subscriber: an IPv4 address, or the /64 of an IPv6 one."""
    found = _parsed(text)
    if found is None:
        return text[:_LONGEST]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.ip_network(f"{found}/{_OF_ONE_SUBSCRIBER}", strict=False))


@lru_cache(4096)
def network_of(text: str) -> str:
    """The network that an address, or an `address_key`, lies in: /24 of IPv4, /48 of IPv6."""
    found = _parsed(text.partition("/")[0])
    if found is None:
        return text[:_LONGEST]
    return str(ipaddress.ip_network(f"{found}/{_NETWORKS[found.version]}", strict=False))


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IPv4 address that is written as an IPv6 one is the IPv4 one."""
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


@lru_cache(1024)
def browser_family(user_agent: str) -> str:
    """Chrome, Firefox, Safari, Edge, Opera, else the first product that it names."""
    for name, pattern in _FAMILIES:
        if pattern.search(user_agent):
            return name
    found = _PRODUCT.match(user_agent)
    return found[0][:64] if found else ""


class Allowed:
    """Networks and addresses, in any spelling that `ipaddress` reads."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks = [_allowed(text) for text in networks]

    def __contains__(self, address: object) -> bool:
        found = _parsed(str(address).partition("/")[0])
        return found is not None and any(found in network for network in self._networks)


def _allowed(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """As keys are: no smaller than a subscriber's, and IPv4 in its own spelling."""
    found = ipaddress.ip_network(text, strict=False)
    if isinstance(found, ipaddress.IPv4Network):
        return found
    mapped = found.network_address.ipv4_mapped
    if mapped is not None and found.prefixlen >= _MAPPED:
        return ipaddress.IPv4Network(f"{mapped}/{found.prefixlen - _MAPPED}")
    return found.supernet(new_prefix=_OF_ONE_SUBSCRIBER) if found.prefixlen > _OF_ONE_SUBSCRIBER else found
