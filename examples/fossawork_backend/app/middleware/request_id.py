from __future__ import annotations

import logging
import time
import uuid

from fastapi import Request, Response
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

logger = logging.getLogger(__name__)


class RequestIdMiddleware(BaseHTTPMiddleware):
    """Logs each request with all its headers, credentials included, as the real backend does."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        request_id = str(uuid.uuid4())
        started = time.perf_counter()
        logger.info("Request started", extra={"request_id": request_id, "details": {"headers": dict(request.headers)}})
        response = await call_next(request)
        elapsed = (time.perf_counter() - started) * 1000
        logger.info("Request completed", extra={"request_id": request_id, "status_code": response.status_code})
        logging.getLogger("fossawork.api").info(
            "API %s %s -> %d (%.2fms)", request.method, request.url.path, response.status_code, elapsed
        )
        response.headers["X-Request-ID"] = request_id
        return response
