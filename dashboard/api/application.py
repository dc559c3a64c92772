"""The questions of the command line over HTTP, described by OpenAPI."""

from __future__ import annotations

from importlib import metadata

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from dashboard.api import (
    actions,
    alerts,
    events,
    hosts,
    logs,
    metrics,
    overview,
    queries,
    reports,
    requests,
    rules,
    security,
    system,
    traces,
)
from dashboard.api.problems import documented, handlers
from dashboard.api.question import refuse_unknown
from dashboard.presence import WhilePresent
from dashboard.records import Records
from dashboard.site import Site

_PATH = "/api/v1"
_PARTS = (
    *(overview, requests, traces, logs, metrics, queries, events, security, hosts, alerts, rules, reports, system),
    actions,
)
_BEARER = HTTPBearer(
    scheme_name="bearer",
    description="A user's token (extensions.dashboard.users). Where nobody has to log in, reading needs none.",
    auto_error=False,
)
_DESCRIPTION = """What the sidecar has recorded and judged, as the command line tells it.

Times are RFC 3339 in UTC, with nanoseconds; durations are in seconds unless a name says otherwise. What ends in `…`
was cut. An error is `{"error": "…"}`, and says what to do next."""


def application(site: Site, records: Records) -> FastAPI:
    """To be mounted at /api/v1, behind the guard of the pages."""
    app = FastAPI(
        title="Forecourt",
        description=_DESCRIPTION,
        version=metadata.version("forecourt"),
        docs_url=None,
        redoc_url=None,
        servers=[{"url": _PATH}],
        root_path_in_servers=False,
        redirect_slashes=False,
        dependencies=[Depends(_BEARER), Depends(refuse_unknown)],
        responses=documented(),
        exception_handlers=handlers(),
    )
    app.add_middleware(WhilePresent)
    app.state.site, app.state.records = site, records
    app.state.routes = [route for part in _PARTS for route in part.ROUTER.routes]
    for part in _PARTS:
        app.include_router(part.ROUTER)
    return app
