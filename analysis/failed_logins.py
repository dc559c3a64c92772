"""Failed logins in a trailing window: of one address, of one user, and of many users from one address."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

_NANO = 1_000_000_000


class Failure(NamedTuple):
    """Address and user are empty where nobody says them."""

    time_unix_nano: int
    address: str
    user: str


@dataclass(slots=True)
class Offender:
    """Who failed at least so often within the window; an episode begins when that holds again after a whole window."""

    kind: Literal["address", "user"]
    key: str
    failures: int
    """All of the key, also those outside the episodes."""
    episodes: int
    first_unix_nano: int
    """When the threshold was first reached."""
    last_unix_nano: int
    """When it held last."""


@dataclass(slots=True)
class Sprayer:
    """An address that tried many users within the window."""

    key: str
    failures: int
    users: int
    first_unix_nano: int
    last_unix_nano: int


class _Window:
    """The failures of one key in the trailing window, both ends included."""

    def __init__(self) -> None:
        self.recent: deque[tuple[int, str]] = deque()
        self.count = 0
        self.others: set[str] = set()

    def add(self, time: int, other: str, within_nano: int) -> None:
        self.recent.append((time, other))
        self.count += 1
        self.others.add(other)
        while self.recent[0][0] < time - within_nano:
            self.recent.popleft()


def failed_logins(failures: Iterable[Failure], threshold: int = 5, within_seconds: float = 900) -> list[Offender]:
    """Those over the threshold, the most failures first; `failures` come in the order of their times."""
    within = int(within_seconds * _NANO)
    windows: dict[tuple[Literal["address", "user"], str], _Window] = {}
    found: dict[tuple[Literal["address", "user"], str], Offender] = {}
    for failure in failures:
        address = plain_address(failure.address)
        keys: tuple[tuple[Literal["address", "user"], str, str], ...] = (
            ("address", address, failure.user),
            ("user", failure.user, address),
        )
        for kind, key, other in keys:
            if not key:
                continue
            window = windows.setdefault((kind, key), _Window())
            window.add(failure.time_unix_nano, other, within)
            if len(window.recent) >= threshold:
                _holds(found, (kind, key), failure.time_unix_nano, within)
    for name, offender in found.items():
        offender.failures = windows[name].count
    return sorted(found.values(), key=lambda one: (-one.failures, one.kind, one.key))


def _holds(
    found: dict[tuple[Literal["address", "user"], str], Offender],
    name: tuple[Literal["address", "user"], str],
    time: int,
    within: int,
) -> None:
    offender = found.get(name)
    if offender is None:
        found[name] = Offender(*name, 0, 1, time, time)
        return
    offender.episodes += time - offender.last_unix_nano > within
    offender.last_unix_nano = time


def spraying(failures: Iterable[Failure], users: int = 5, within_seconds: float = 900) -> list[Sprayer]:
    """Addresses that tried at least so many users within the window, the most failures first."""
    within = int(within_seconds * _NANO)
    windows: dict[str, _Window] = {}
    found: dict[str, Sprayer] = {}
    for failure in failures:
        address = plain_address(failure.address)
        if not address or not failure.user:
            continue
        window = windows.setdefault(address, _Window())
        window.add(failure.time_unix_nano, failure.user, within)
        if len({user for _, user in window.recent}) >= users:
            sprayer = found.setdefault(address, Sprayer(address, 0, 0, failure.time_unix_nano, 0))
            sprayer.last_unix_nano = failure.time_unix_nano
    for address, sprayer in found.items():
        sprayer.failures, sprayer.users = windows[address].count, len(windows[address].others)
    return sorted(found.values(), key=lambda one: (-one.failures, one.key))


def plain_address(text: str) -> str:
    """An IPv4 address that is written as an IPv6 one is the IPv4 one; what is no address stays as it is."""
    if not text.lower().startswith("::ffff:"):
        return text
    try:
        mapped = ipaddress.IPv6Address(text).ipv4_mapped
    except ValueError:
        return text
    return str(mapped) if mapped is not None else text
