"""What the operator may set about the pages: `extensions.dashboard` and `extensions.security_dashboard`."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, FilePath, SecretStr, field_validator, model_validator

from processors.endpoint import Endpoint
from processors.settings_model import Settings
from processors.units import Bytes

Role = Literal["view", "operate"]
_LEAST_TOKEN = 16
_NAME = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?")


def _host(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name of a host, expected for example monitoring.example.com, or with a port")
    return text


def _proxy(text: str) -> str:
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no address or network, expected for example 127.0.0.1 or 10.0.0.0/24") from None
    if not found.prefixlen:
        raise ValueError(f"{text} trusts everybody: name the addresses of your proxies alone")
    if ipaddress.ip_interface(text).ip != found.network_address:
        raise ValueError(f"{text} is an address within {found}. Write one or the other")
    if isinstance(found, ipaddress.IPv6Network) and found.network_address.ipv4_mapped:
        raise ValueError(f"{text} is an IPv4 address: write it as one")
    return text


class UserSettings(Settings):
    """Somebody who may log in; `view` looks, `operate` also silences, acknowledges and tests."""

    token: SecretStr
    role: Role = "view"

    @field_validator("token")
    @classmethod
    def _is_long(cls, token: SecretStr) -> SecretStr:
        """Without blanks at its ends, as of a file's last line: nobody can send them."""
        text = token.get_secret_value().strip()
        if len(text) < _LEAST_TOKEN:
            raise ValueError(
                f"has {len(text)} characters, expected {_LEAST_TOKEN} or more. Make one with: "
                'python -c "import secrets; print(secrets.token_urlsafe())"'
            )
        return SecretStr(text)


class PageTlsSettings(Settings):
    cert_file: FilePath
    key_file: FilePath


class DashboardSettings(Settings):
    """With any user, everybody has to log in; without, only this machine is let in."""

    endpoint: Endpoint = "127.0.0.1:9090"
    users: dict[str, UserSettings] = Field(default_factory=dict)
    allowed_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ()
    """Names by which browsers reach it, besides those of loopback and the endpoint's own."""
    trusted_proxies: tuple[Annotated[str, AfterValidator(_proxy)], ...] = ()
    """Addresses and networks whose word is taken for where a request came from, and whether by TLS."""
    tls: PageTlsSettings | None = None
    memory_limit: Bytes = 2**30
    """Of all queries together."""

    @model_validator(mode="after")
    def _tokens_differ(self) -> Self:
        owners: dict[str, str] = {}
        for name, user in self.users.items():
            other = owners.setdefault(user.token.get_secret_value(), name)
            if other != name:
                raise ValueError(f"users.{name} has the token of {other}, expected one of their own for everybody")
        return self

    @model_validator(mode="after")
    def _proxies_have_users(self) -> Self:
        if self.trusted_proxies and not self.users:
            raise ValueError(
                "trusted_proxies without users: whoever reaches the proxy would get in, so none is let through it. "
                'Name who may look, as users: {anna: {token: "${env:FORECOURT_ANNA_TOKEN}", role: operate}}'
            )
        return self


class SecurityDashboardSettings(Settings):
    """The same pages, beginning with that of security."""

    endpoint: Endpoint = "127.0.0.1:9091"
