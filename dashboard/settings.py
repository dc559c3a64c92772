"""What the operator may set about the pages: `extensions.dashboard` and `extensions.security_dashboard`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, FilePath, SecretStr, field_validator, model_validator

from processors.endpoint import Endpoint
from processors.settings_model import Settings
from processors.units import Bytes

Role = Literal["view", "operate"]
_LEAST_TOKEN = 16


class UserSettings(Settings):
    """Somebody who may log in; `view` looks, `operate` also silences, acknowledges and tests."""

    token: SecretStr
    role: Role = "view"

    @field_validator("token")
    @classmethod
    def _is_long(cls, token: SecretStr) -> SecretStr:
        if len(token) < _LEAST_TOKEN:
            raise ValueError(
                f"has {len(token)} characters, expected {_LEAST_TOKEN} or more. Make one with: "
                'python -c "import secrets; print(secrets.token_urlsafe())"'
            )
        return token


class PageTlsSettings(Settings):
    cert_file: FilePath
    key_file: FilePath


class DashboardSettings(Settings):
    """With any user, everybody has to log in; without, only this machine is let in."""

    endpoint: Endpoint = "127.0.0.1:9090"
    users: dict[str, UserSettings] = Field(default_factory=dict)
    allowed_hosts: tuple[str, ...] = ()
    """Names by which browsers reach it, besides those of loopback and the endpoint's own."""
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


class SecurityDashboardSettings(Settings):
    """The same pages, beginning with that of security."""

    endpoint: Endpoint = "127.0.0.1:9091"
