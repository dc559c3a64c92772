"""Health as the Collector's health_check extension answers it, and the metrics that Prometheus scrapes."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collector.telemetry import Telemetry

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """`problem` says why the collector is not available, or None; `app` serves / and /metrics."""

    def __init__(self, telemetry: Telemetry, problem: Callable[[], str | None]) -> None:
        self._telemetry = telemetry
        self._problem = problem
        self._started = time.monotonic()
        self._started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.app = Starlette(routes=[Route("/", self._health), Route("/metrics", self._metrics)])

    async def _health(self, _request: Request) -> Response:
        problem = self._problem()
        if problem is not None:
            return JSONResponse({"status": "Server not available", "reason": problem}, 503)
        uptime = f"{time.monotonic() - self._started:.3f}s"
        return JSONResponse({"status": "Server available", "upSince": self._started_at, "uptime": uptime})

    async def _metrics(self, _request: Request) -> Response:
        return Response(self._telemetry.exposition(), headers={"Content-Type": _EXPOSITION})
