from __future__ import annotations

import logging
import time
from collections import defaultdict, deque
from typing import ClassVar

from fastapi import HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

logger = logging.getLogger(__name__)
_LIMITS = {"/api/auth/login": 60}
"""Requests a minute and address."""


def rate_limit_exceeded_handler(request: Request, error: Exception) -> JSONResponse:
    logger.warning("Rate limit exceeded for %s: %s", request.client.host if request.client else "?", error)
    raise HTTPException(429, {"error": "Rate limit exceeded", "message": "Too many requests."})


class RateLimitMiddleware(BaseHTTPMiddleware):
    """Fails open, as the real one: it logs that the limit is exceeded, and lets the request through."""

    _seen: ClassVar[defaultdict[tuple[str, str], deque[float]]] = defaultdict(deque)

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        address = request.client.host if request.client else "?"
        try:
            if self._exceeded(address, request.url.path):
                logger.warning("Rate limit exceeded for %s on %s", address, request.url.path)
                rate_limit_exceeded_handler(request, Exception("60 per 1 minute"))
        except HTTPException as error:
            logger.error("Rate limiting error for %s on %s: %s", address, request.url.path, error)  # noqa: TRY400
        return await call_next(request)

    def _exceeded(self, address: str, path: str) -> bool:
        limit = _LIMITS.get(path)
        if limit is None:
            return False
        now, seen = time.monotonic(), self._seen[address, path]
        while seen and seen[0] < now - 60:
            seen.popleft()
        seen.append(now)
        return len(seen) > limit
