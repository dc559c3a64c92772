"""`GET /metrics`: the format that the scraper asks for, behind the same guard as the pages."""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dashboard.exposition.exposition import Exposition
from dashboard.exposition.openmetrics import OPENMETRICS, TEXT, wants_openmetrics
from dashboard.records import Records
from dashboard.site import Site

_log = logging.getLogger(__name__)


def exposition_route(site: Site, records: Records) -> Route:
    """Scrapers that ask at the same time get the same answer."""
    exposition = Exposition(site)

    async def scrape(request: Request) -> Response:
        openmetrics = wants_openmetrics(request.headers.get("accept", ""))
        try:
            content = await records.shared(
                ("metrics", openmetrics),
                lambda: asyncio.to_thread(exposition.content, openmetrics=openmetrics),
                fresh_seconds=0.0,
            )
        except OSError as error:
            _log.warning("the metrics can't be told: %s", error)
            return PlainTextResponse(f"the records can't be read: {error}\n", 503)
        return Response(content, headers={"content-type": OPENMETRICS if openmetrics else TEXT})

    return Route("/metrics", scrape, name="metrics")
