"""What the operator may set about alerting, in Alertmanager's words where it has them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, DirectoryPath, Field, FilePath, SecretStr, model_validator

from alerting.addresses import Address, Addresses
from alerting.severity import Severity
from processors.matchers import MatcherText
from processors.settings_model import Settings
from processors.units import Seconds

_LEAST_RETRY_SECONDS = 30
_MOST_EXPIRE_SECONDS = 10_800
"""https://pushover.net/api#priority"""
_PRIORITIES: dict[Severity, int] = {"critical": 2, "high": 1, "medium": 0, "low": -1}
"""Runbook, "Alert Routing"."""
_HOURS = 3600.0


def _url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^/\s]+\S*", value):
        raise ValueError(f"{value!r} is not a URL, expected for example https://example.com/hook")
    return value


Url = Annotated[str, AfterValidator(_url)]


def _secret_url(value: SecretStr) -> SecretStr:
    if value.get_secret_value() and not re.fullmatch(r"https?://[^/\s]+\S*", value.get_secret_value()):
        raise ValueError("is not a URL, expected for example https://example.com/hook")
    return value


SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
"""An address that is a password at the same time."""


def secret(text: SecretStr, file: FilePath | None) -> str:
    """The secret itself, from the file if there is one; raise OSError."""
    return file.read_text(encoding="utf-8").strip() if file is not None else text.get_secret_value()


class SmtpSettings(Settings):
    """The mail server that all e-mail goes through."""

    host: str = ""
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: FilePath | None = None
    ca_file: FilePath | None = None
    sender: Address = ""
    timeout: Seconds = Field(10.0, gt=0)


class EmailSettings(Settings):
    to: Addresses = ()


class PushoverSettings(Settings):
    token: SecretStr = SecretStr("")
    token_file: FilePath | None = None
    user: SecretStr = SecretStr("")
    device: str = ""
    priority: dict[Severity, Annotated[int, Field(ge=-2, le=2)]] = Field(default_factory=lambda: dict(_PRIORITIES))
    retry: Seconds = Field(30.0, ge=_LEAST_RETRY_SECONDS)
    expire: Seconds = Field(3600.0, gt=0, le=_MOST_EXPIRE_SECONDS)
    url: Url = "https://api.pushover.net"
    timeout: Seconds = Field(10.0, gt=0)


class DesktopSettings(Settings):
    timeout: Seconds = Field(10.0, gt=0)


class WebhookSettings(Settings):
    url: SecretUrl = SecretStr("")
    secret: SecretStr = SecretStr("")
    secret_file: FilePath | None = None
    timeout: Seconds = Field(10.0, gt=0)


class AlertmanagerSettings(Settings):
    url: Url = ""
    timeout: Seconds = Field(10.0, gt=0)


class AppriseSettings(Settings):
    urls: tuple[SecretStr, ...] = ()


class ReceiverSettings(Settings):
    """One way to reach somebody: exactly one of the channels."""

    email: EmailSettings | None = None
    pushover: PushoverSettings | None = None
    desktop: DesktopSettings | None = None
    webhook: WebhookSettings | None = None
    alertmanager: AlertmanagerSettings | None = None
    apprise: AppriseSettings | None = None
    send_resolved: bool = True

    @model_validator(mode="after")
    def _is_one_channel(self) -> Self:
        if len(self._named()) != 1:
            raise ValueError(f"needs exactly one of {', '.join(CHANNELS)}")
        return self

    def _named(self) -> list[str]:
        return [name for name in CHANNELS if getattr(self, name) is not None]

    @property
    def channel(self) -> str:
        """Which one it is."""
        return self._named()[0]


CHANNELS = ("email", "pushover", "desktop", "webhook", "alertmanager", "apprise")


class RouteSettings(Settings):
    """Of Alertmanager's routing tree the leaves: the first route that matches takes an alert, unless it continues."""

    matchers: tuple[MatcherText, ...] = ()
    receivers: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ("alertname", "service.name")
    group_wait: Seconds = 30.0
    group_interval: Seconds = Field(300.0, gt=0)
    repeat_interval: Seconds = Field(4 * _HOURS, gt=0)
    continue_: bool = Field(default=False, alias="continue")


class InhibitSettings(Settings):
    """While a source fires, targets with equal labels tell nobody."""

    source_matchers: tuple[MatcherText, ...] = Field(min_length=1)
    target_matchers: tuple[MatcherText, ...] = Field(min_length=1)
    equal: tuple[str, ...] = ()


class RateSettings(Settings):
    max_count: int = Field(ge=1)
    time_window: Seconds = Field(gt=0)


class StormSettings(Settings):
    """Runbook, "Alert Storm Prevention"."""

    same_alert: RateSettings = RateSettings.model_validate({"max_count": 5, "time_window": "300s"})
    total_alerts: RateSettings = RateSettings.model_validate({"max_count": 20, "time_window": "600s"})


class EscalationStepSettings(Settings):
    """`levels` are lists of receivers, told one after the other."""

    after: Seconds = Field(gt=0)
    levels: tuple[tuple[str, ...], ...] = ()


class EscalationSettings(Settings):
    critical: EscalationStepSettings = EscalationStepSettings.model_validate({"after": "5min"})
    high: EscalationStepSettings = EscalationStepSettings.model_validate({"after": "15min"})


class FlappingSettings(Settings):
    transitions: int = Field(6, ge=3)
    within: Seconds = Field(1 * _HOURS, gt=0)
    stable_after: Seconds = Field(1800.0, gt=0)


class DeliverySettings(Settings):
    queue_size: int = Field(1000, ge=1)
    give_up_after: Seconds = Field(24 * _HOURS, gt=0)


class DeadMansSwitchSettings(Settings):
    url: SecretUrl = SecretStr("")
    interval: Seconds = Field(300.0, ge=10)
    timeout: Seconds = Field(10.0, gt=0)


DEFAULT_RECEIVERS = {
    "email-critical": {"email": {"to": []}},
    "email": {"email": {"to": []}},
    "pushover": {"pushover": {}},
    "desktop": {"desktop": {}},
}
DEFAULT_ROUTES = {
    "critical": {
        "matchers": ["severity = critical"],
        "receivers": ["email-critical", "pushover", "desktop"],
        "group_wait": "0s",
        "group_interval": "1min",
        "repeat_interval": "1h",
    },
    "high": {"matchers": ["severity = high"], "receivers": ["email", "pushover"]},
    "medium": {"matchers": ["severity = medium"], "receivers": ["email", "pushover"]},
    "low": {
        "matchers": ["severity = low"],
        "receivers": ["email", "pushover"],
        "group_by": [],
        "group_interval": "4h",
    },
}
"""Runbook, "Alert Routing"; the low ones are gathered."""
DEFAULT_INHIBITIONS = (
    {
        "source_matchers": ["alertname = backend.down"],
        "target_matchers": [r"alertname =~ (http\.server|db|anomaly|baseline)\..*|service\.(absent|hung)"],
    },
    {
        "source_matchers": ["alertname = service.absent"],
        "target_matchers": ["alertname != service.absent"],
        "equal": ["service.name"],
    },
    {
        "source_matchers": [r"alertname =~ security\.(spraying|stuffing|failed_logins\.spike)"],
        "target_matchers": [r"alertname =~ auth\.(failed_logins|success_rate)|anomaly\.failed_logins"],
    },
    {
        "source_matchers": [r"alertname =~ http\.server\.(p95|p99|mean)|baseline\.response_time"],
        "target_matchers": ["alertname = anomaly.response_time_p95"],
        "equal": ["service.name"],
    },
    {
        "source_matchers": [r"alertname =~ http\.server\.(error_rate|5xx_rate)|baseline\.error_rate"],
        "target_matchers": ["alertname = anomaly.error_rate"],
        "equal": ["service.name"],
    },
)


def _receivers() -> dict[str, ReceiverSettings]:
    return {name: ReceiverSettings.model_validate(given) for name, given in DEFAULT_RECEIVERS.items()}


def _routes() -> dict[str, RouteSettings]:
    return {name: RouteSettings.model_validate(given) for name, given in DEFAULT_ROUTES.items()}


def _inhibitions() -> tuple[InhibitSettings, ...]:
    return tuple(InhibitSettings.model_validate(given) for given in DEFAULT_INHIBITIONS)


class AlertingSettings(Settings):
    """`alerting`."""

    link: Url = "http://127.0.0.1:9090"
    templates: DirectoryPath | None = None
    smtp: SmtpSettings = SmtpSettings()
    receivers: dict[str, ReceiverSettings] = Field(default_factory=_receivers)
    routes: dict[str, RouteSettings] = Field(default_factory=_routes)
    inhibit_rules: tuple[InhibitSettings, ...] = Field(default_factory=_inhibitions)
    storm: StormSettings = StormSettings()
    escalation: EscalationSettings = EscalationSettings()
    flapping: FlappingSettings = FlappingSettings()
    delivery: DeliverySettings = DeliverySettings()
    dead_mans_switch: DeadMansSwitchSettings = DeadMansSwitchSettings()
