"""The receiver that is replayed to; never the one that fills the folder of the records."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import psutil
from pydantic import ValidationError

from collector.exporting.settings import OtlpGrpcSettings, OtlpHttpSettings
from collector.exporting.target import Target
from operations.quiet_grpc import quiet_grpc
from processors.endpoint import host_and_port, is_loopback
from storage import State, StateError
from storage.names import OWN_FOLDER

_TIMEOUT = "30s"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_GRPC_PORT = 4317
_OPTIONS: dict[str | int, str] = {"headers": "--header", "tls": "--ca-file"}
"""By the setting that they give."""


def target_of(endpoint: str, protocol: str, headers: Iterable[str], *, insecure: bool, ca_file: Path | None) -> Target:
    """Raise click.UsageError, which tells no header's value."""
    if insecure and protocol != "grpc":
        raise click.UsageError("--insecure is for --protocol grpc: over HTTP the address decides, http:// or https://")
    if protocol == "http" and endpoint.endswith(f":{_GRPC_PORT}"):
        click.echo(f"port {_GRPC_PORT} is usually that of gRPC (--protocol grpc), 4318 that of HTTP", err=True)
    local = is_loopback(_host_and_port(endpoint))
    settings: dict[str, Any] = {
        "endpoint": endpoint,
        "headers": _headers(headers),
        "timeout": _TIMEOUT,
        "compression": "none" if local else "gzip",
        "tls": {"insecure": insecure or (local and "://" not in endpoint), "ca_file": ca_file},
    }
    try:
        if protocol == "grpc":
            quiet_grpc()
            from collector.exporting.grpc_target import GrpcTarget  # noqa: PLC0415  # a fifth of a second

            return GrpcTarget(OtlpGrpcSettings.model_validate(settings))
        from collector.exporting.http_target import HttpTarget  # noqa: PLC0415  # a tenth

        return HttpTarget(OtlpHttpSettings.model_validate(settings))
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        told = str(problem["msg"]).removeprefix("Value error, ")
        option = next((_OPTIONS[part] for part in problem["loc"] if part in _OPTIONS), "--to-endpoint")
        raise click.UsageError(f"{option}: {told}") from error


def _headers(given: Iterable[str]) -> Mapping[str, str]:
    pairs = [one.partition("=") for one in given]
    for name, sign, _ in pairs:
        if not name.strip() or not sign:
            raise click.UsageError("--header: expected KEY=VALUE, for example authorization='Bearer …'")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _host_and_port(endpoint: str) -> str:
    """HOST:PORT of an address in any form; raise click.UsageError."""
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
        host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise click.UsageError(f"--to-endpoint {endpoint!r}: {error}") from error
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refuse_own(folder: Path, endpoint: str) -> None:
    """Raise click.UsageError for a receiver of the sidecar that runs on the folder: all would be there twice."""
    for name, own in _receivers(folder).items():
        if _reaches(_host_and_port(endpoint), own):
            raise click.UsageError(
                f"--to-endpoint {endpoint}: there listens the sidecar that fills {folder} (its {name} receiver), so "
                "all of it would be there twice. Name a viewer's address (on the same machine often port 14318), or "
                "other records (--logs DIR)"
            )


def _receivers(folder: Path) -> Mapping[str, str]:
    try:
        state = State.reading(folder / OWN_FOLDER / "state.db")
    except StateError:  # nobody runs there, or another version did: nothing says where it listens
        return {}
    try:
        row = state.collector() if state.collector_lives() else None
    finally:
        state.close()
    return {} if row is None else {name: row.endpoints[name] for name in ("grpc", "http") if name in row.endpoints}


def _reaches(endpoint: str, own: str) -> bool:
    (host, port), (own_host, own_port) = host_and_port(endpoint), host_and_port(own)
    if port != own_port:
        return False
    mine = _addresses(own_host)
    if any(address.is_unspecified for address in mine):
        mine |= _addresses_of_machine()
        return any(address.is_loopback or address.is_unspecified or address in mine for address in _addresses(host))
    return not mine.isdisjoint(_addresses(host))


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _addresses(host: str) -> set[_Address]:
    """None of a name that nobody knows."""
    try:
        return {ipaddress.ip_address(str(found[4][0]).partition("%")[0]) for found in socket.getaddrinfo(host, None)}
    except (OSError, ValueError, UnicodeError):
        return set()


def _addresses_of_machine() -> set[_Address]:
    found = [one.address.partition("%")[0] for each in psutil.net_if_addrs().values() for one in each]
    return {address for text in found for address in _parsed(text)}


def _parsed(text: str) -> list[_Address]:
    try:
        return [ipaddress.ip_address(text)]
    except ValueError:  # a hardware address
        return []
