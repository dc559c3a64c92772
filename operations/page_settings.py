"""What the whole file says of the pages, and what of it can't be, or should not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from collector.settings import CollectorSettings
from collector.settings import ExtensionSettings as CollectorExtensionSettings
from collector.settings import ServiceSettings as CollectorServiceSettings
from dashboard.settings import DashboardSettings, SecurityDashboardSettings
from operations.yaml_document import Way
from processors.endpoint import clash, is_loopback

DASHBOARD, SECURITY = PAGES = ("dashboard", "security_dashboard")
"""The extensions that the web process serves."""
PAGE_TITLES = {DASHBOARD: "dashboard", SECURITY: "security"}
"""As people are told of them."""
_OPEN = (
    "{} can be reached from other machines and asks for no login. Bind to 127.0.0.1, or name who may look under "
    'extensions.dashboard.users, as {{anna: {{token: "${{env:FORECOURT_ANNA_TOKEN}}", role: operate}}}}'
)
_READABLE = (
    "extensions.{}.endpoint: {} can be reached from other machines without TLS, so whoever listens on the way reads "
    "tokens and records. Give extensions.dashboard.tls, or bind to 127.0.0.1 behind a proxy that has it"
)


class ExtensionSettings(CollectorExtensionSettings):
    dashboard: DashboardSettings = DashboardSettings()
    security_dashboard: SecurityDashboardSettings = SecurityDashboardSettings()

    def page_endpoints(self) -> dict[str, str]:
        """By extension."""
        return {"dashboard": self.dashboard.endpoint, "security_dashboard": self.security_dashboard.endpoint}


class ServiceSettings(CollectorServiceSettings):
    extensions: tuple[str, ...] = ("health_check", *PAGES)

    @property
    def pages(self) -> tuple[str, ...]:
        """Those extensions of the web process that are started."""
        return tuple(name for name in PAGES if name in self.extensions)


class PagedSettings(CollectorSettings):
    """The collector and the web process beside it."""

    extensions: ExtensionSettings = ExtensionSettings()
    service: ServiceSettings = ServiceSettings()


def problems(settings: PagedSettings) -> Iterator[tuple[Way, str]]:
    """Pages that are open to everybody, and two things on one port."""
    for name, endpoint in settings.extensions.page_endpoints().items():
        if not settings.extensions.dashboard.users and not is_loopback(endpoint):
            yield ("extensions", name, "endpoint"), _OPEN.format(endpoint)
    for (way, endpoint), (other, other_endpoint) in combinations(_endpoints(settings).items(), 2):
        if clash(endpoint, other_endpoint):
            yield other, f"{other_endpoint} is the port of {'.'.join(way)} too. Choose another for one of them"


def warnings(settings: PagedSettings) -> Iterator[str]:
    """What works and should not be."""
    if settings.extensions.dashboard.tls is None:
        for name, endpoint in settings.extensions.page_endpoints().items():
            if name in settings.service.pages and not is_loopback(endpoint):
                yield _READABLE.format(name, endpoint)


def _endpoints(settings: PagedSettings) -> dict[Way, str]:
    """All that is listened on."""
    found: dict[Way, str] = {
        ("receivers", "otlp", "protocols", name, "endpoint"): server.endpoint
        for name, server in settings.servers().items()
    }
    if "health_check" in settings.service.extensions:
        found["extensions", "health_check", "endpoint"] = settings.extensions.health_check.endpoint
    found["service", "telemetry", "metrics", "endpoint"] = settings.service.telemetry.metrics.endpoint
    pages = settings.extensions.page_endpoints()
    return {**found, **{("extensions", name, "endpoint"): pages[name] for name in settings.service.pages}}
