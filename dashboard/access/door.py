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
        return set_cookie(self._cookie(request), value, secure=self._is_secure(request))

    def cookie_of(self, request: Request) -> str:
        return request.cookies.get(self._cookie(request), "")

    def _cookie(self, request: Request) -> str:
        """Over TLS a name that no other host and nobody without TLS can set (RFC 6265bis, section 4.1.3.2)."""
        return f"__Host-{self.sessions.cookie}" if self._is_secure(request) else self.sessions.cookie

    def _is_secure(self, request: Request) -> bool:
        return self.site.settings.tls is not None or request.scope["scheme"] == "https"

    def admits(self, request: Request) -> bool:
        """Whether who began this request may still see what it gives: a stream lasts longer than a session."""
        identity = request.state.identity
        if not identity.logged_in:
            return True
        now = self.sessions.identity_of(self.cookie_of(request), self.site.clock())
        return now is not None and (now.name, now.role) == (identity.name, identity.role)


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""
