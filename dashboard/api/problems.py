"""What can't be answered, as `{"error": "…"}` with the status that says whose turn it is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from alerting.plain_text import plain
from analysis.engine import QueryError
from dashboard.api.values import Model
from dashboard.operating import RefusedError
from dashboard.page import NotThereError
from dashboard.records import TooLongError
from dashboard.view import ViewError
from storage.manifest import StoreFormatError
from storage.state import StateError

_Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]
_MOST_TEXT = 1000
_MOST_FAULTS = 5
_STATUSES: dict[type[Exception], int] = {
    ViewError: 400,
    NotThereError: 404,
    RefusedError: 409,
    QueryError: 503,
    StoreFormatError: 503,
    StateError: 503,
    TooLongError: 503,
    OSError: 503,
}


class Problem(Model):
    """Why there is no answer."""

    error: str
    """What is wrong, what was expected, and what to do next."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses`: those that any question may be answered with, and these."""
    return {status: {"model": Problem, "description": _MEANINGS[status]} for status in (*_ANYWHERE, *statuses)}


_MEANINGS: Mapping[int, str] = {
    400: "The time or another part of the address can't be read.",
    401: "Nobody is logged in: send a user's token.",
    403: "This user may not do that, or it comes from another site's page, or by a proxy where nobody has to log in.",
    404: "There is no such thing.",
    408: "The body takes longer than 30 s.",
    409: "It can't be done as things stand.",
    413: "The body is larger than 1 MiB.",
    422: "A parameter or the body is not as described here.",
    429: "Too many wrong tokens, from this address or from many; the header Retry-After has seconds.",
    503: "The records can't be read now, or the answer takes too long: choose a shorter time.",
}
_ANYWHERE = (400, 401, 403, 422, 429, 503)


def handlers() -> dict[int | type[Exception], _Handler]:
    """For an application: each kind of exception, and what it is answered with."""
    return {
        **dict.fromkeys(_STATUSES, _told),
        HTTPException: _refused,
        RequestValidationError: _misasked,
        Exception: _failed,
    }


def _answer(text: str, status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": plain(text, _MOST_TEXT)}, status, headers=headers)


async def _told(_request: Request, error: Exception) -> JSONResponse:
    status = next(status for kind, status in _STATUSES.items() if isinstance(error, kind))
    return _answer(str(error), status)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # the only kind that comes here
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted(_methods(request)))
        return _answer(f"{request.method} can't be used here: expected {allowed}", 405, {"Allow": allowed})
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _answer("nothing lies at this address; /api/v1/openapi.json tells what does", 404)
    return _answer(error.detail, error.status_code, error.headers)


def _methods(request: Request) -> set[str]:
    """Of all routes at this path: the framework names those of the first alone."""
    at_path = (route for route in request.app.state.routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in at_path for method in getattr(route, "methods", None) or ()} - {"HEAD"}


async def _misasked(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # as above
    faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:_MOST_FAULTS]]
    return _answer("; ".join(faults), 422)


async def _failed(_request: Request, _error: Exception) -> JSONResponse:
    return _answer("It went wrong here. The log of the pages' process says why.", 500)
