"""The API behind the real access, over recorded telemetry, and programs that ask it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from dashboard import access, api
from dashboard.records import Records
from dashboard.settings import DashboardSettings
from dashboard.site import Site
from operations.cli import main
from tests.support.week import END, START, Week, iso

OPERATOR = "token-of-olga-0123456789"
VIEWER = "token-of-viktor-0123456789"
USERS = {"olga": {"token": OPERATOR, "role": "operate"}, "viktor": {"token": VIEWER}}
NOWHERE = "http://forecourt.invalid"
"""A name that no resolver knows (RFC 2606): what is not answered in this process is answered by nobody."""
_SETTINGS = {"users": USERS, "memory_limit": "512MiB", "allowed_hosts": ["forecourt.invalid"]}
NANO = 1_000_000_000


def site_of(folder: Path, *, now: float = END, **given: Any) -> Site:
    """With two users, at the end of the recorded week."""
    settings = DashboardSettings.model_validate(_SETTINGS)
    return Site(folder, None, **{"settings": settings, "clock": lambda: round(now * NANO), **given})


def application_of(site: Site) -> Starlette:
    records = Records(site.folder, site.archive, site.own_folder, site.settings.memory_limit)
    app = api.application(site, records)
    # Every application has the same, and to make it takes far longer than to answer.
    app.openapi = description  # type: ignore[method-assign]  # as FastAPI says to give another
    return Starlette(routes=[Mount("/api/v1", app)], middleware=access.middleware(site))


@cache
def description() -> dict[str, Any]:
    """The API's OpenAPI document, of which nobody changes anything; nothing is read for it."""
    site = site_of(Path("nowhere"))
    return api.application(site, Records(site.folder, None, site.own_folder, 2**29)).openapi()


class Client(TestClient):
    """A program with a user's token, or with none."""

    def __init__(self, site: Site, token: str = VIEWER) -> None:
        super().__init__(
            application_of(site),
            base_url=NOWHERE,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            client=("127.0.0.1", 50_000),
            raise_server_exceptions=False,
        )

    def asked(self, path: str, *, code: int = 200, **query: Any) -> Any:
        """What is answered; `from_` is `from`."""
        response = self.get(f"/api/v1{path}", params={name.rstrip("_"): value for name, value in query.items()})
        assert response.status_code == code, response.text
        return response.json()


def told_by_command(week: Week, *command: str) -> Any:
    """What a command's `--json` says of the whole week."""
    given = [*command, "--json", "--logs", str(week.logs), "--from", iso(START), "--to", iso(END)]
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return orjson.loads(result.stdout)
