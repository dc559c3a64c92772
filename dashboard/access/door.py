"""All that is remembered about who comes in, once for a site."""

from __future__ import annotations

from starlette.requests import Request

from dashboard.access.attempts import Attempts
from dashboard.access.audit import Refusals
from dashboard.access.sessions import Sessions, set_cookie
from dashboard.access.users import Users
from dashboard.site import Site


class Door:
    """Used on the event loop only."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.users = Users(site.settings.users)
        self.sessions = Sessions(site)
        self.attempts = Attempts()
        self.refusals = Refusals(site)

    def set_cookie(self, request: Request, value: str) -> str:
        """A Set-Cookie header for this session; an empty value ends it."""
        secure = self.site.settings.tls is not None or request.scope["scheme"] == "https"
        return set_cookie(self.sessions.cookie, value, secure=secure)

    def cookie_of(self, request: Request) -> str:
        return request.cookies.get(self.sessions.cookie, "")

    def admits(self, request: Request) -> bool:
        """Whether who began this request may still see what it gives: a stream lasts longer than a session."""
        identity = request.state.identity
        if not identity.logged_in:
            return True
        now = self.sessions.identity_of(self.cookie_of(request), self.site.clock())
        return now is not None and (now.name, now.role) == (identity.name, identity.role)


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""
