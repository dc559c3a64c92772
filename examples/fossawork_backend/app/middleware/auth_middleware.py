from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from typing import Any

from fastapi import Request, Response, status
from fastapi.responses import JSONResponse
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

logger = logging.getLogger(__name__)
_KEY = secrets.token_bytes(32)


class InvalidTokenError(Exception):
    """The token is not one of ours, or not any more."""


def make_token(user_id: str, email: str) -> str:
    """A JSON web token (RFC 7519) with HS256."""
    head = _encode({"alg": "HS256", "typ": "JWT"})
    body = _encode({"sub": user_id, "email": email, "exp": int(time.time()) + 3600})
    return f"{head}.{body}.{_signature(f'{head}.{body}')}"


def verify_token(token: str) -> dict[str, Any]:
    """The claims of a token that is ours; raise InvalidTokenError."""
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature, _signature(signed)):
        raise InvalidTokenError("signature does not match")
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(signed.split(".")[1] + "=="))
    if claims["exp"] < time.time():
        raise InvalidTokenError("expired")
    return claims


def _encode(held: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(held).encode()).decode().rstrip("=")


def _signature(text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(_KEY, text.encode(), hashlib.sha256)).decode().rstrip("=")


class AuthenticationMiddleware(BaseHTTPMiddleware):
    """Answers 401 itself, before any route is looked for."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        path = request.url.path
        if not path.startswith("/api/v1"):
            return await call_next(request)
        header = request.headers.get("Authorization", "")
        if not header.startswith("Bearer "):
            logger.warning("Unauthorized access attempt to %s - No auth header", path)
            return self._refused()
        try:
            claims = verify_token(header.removeprefix("Bearer "))
        except InvalidTokenError:
            logger.warning("Unauthorized access attempt to %s - Invalid token", path)
            return self._refused()
        request.state.user = {"id": claims["sub"], "email": claims["email"]}
        return await call_next(request)

    def _refused(self) -> JSONResponse:
        return JSONResponse({"detail": "Authentication required"}, status.HTTP_401_UNAUTHORIZED)
