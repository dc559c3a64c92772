"""Who may see and do what on the pages."""

from __future__ import annotations

from starlette.middleware import Middleware

from dashboard.access.bodies import form_of
from dashboard.access.guard import Guard
from dashboard.access.headers import SecurityHeaders
from dashboard.access.hosts import Hosts
from dashboard.access.identity import Identity
from dashboard.access.login import routes
from dashboard.site import Site

__all__ = ["Identity", "form_of", "middleware", "routes"]


def middleware(site: Site) -> list[Middleware]:
    """The outermost first: headers on every answer, then the name, then who and what."""
    return [Middleware(SecurityHeaders), Middleware(Hosts, site=site), Middleware(Guard, site=site)]
