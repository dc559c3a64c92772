"""Where something listens: HOST:PORT, [IPv6]:PORT too."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator

_ENDPOINT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>\d{1,5})")
_MAX_PORT = 65535
_EVERY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104  # compared, not bound


def checked_endpoint(value: str) -> str:
    """The same; raise ValueError when it is none."""
    found = _ENDPOINT.fullmatch(value)
    if found is None or int(found["port"]) > _MAX_PORT:
        raise ValueError(f"{value!r} is not HOST:PORT, expected for example 127.0.0.1:4317")
    return value


Endpoint = Annotated[str, AfterValidator(checked_endpoint)]


def host_and_port(endpoint: str) -> tuple[str, int]:
    """The host without the brackets of IPv6."""
    host, _, port = endpoint.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(endpoint: str) -> bool:
    """Whether only this machine can reach HOST:PORT."""
    host, _ = host_and_port(endpoint)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url_of(endpoint: str, *, secure: bool = False) -> str:
    """As a browser on this machine reaches it."""
    host, port = host_and_port(endpoint)
    if host in _EVERY_HOST:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def clash(one: str, other: str) -> bool:
    """Whether both can't be listened on at once; port 0 is any that is free."""
    (host, port), (other_host, other_port) = host_and_port(one), host_and_port(other)
    names = {"127.0.0.1" if name == "localhost" else name for name in (host, other_host)}
    return port == other_port != 0 and (len(names) == 1 or not names.isdisjoint(_EVERY_HOST))
