"""The envelope in which Jaeger puts answers and refusals."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from alerting.plain_text import plain
from analysis.engine import QueryError
from dashboard.jaeger.parameters import ParameterError, is_pretty
from dashboard.page import NotThereError
from dashboard.records import TooLongError
from storage.manifest import StoreFormatError

_MOST_TEXT = 1000
_STATUSES: dict[type[Exception], int] = {
    ParameterError: 400,
    NotThereError: 404,
    QueryError: 503,
    StoreFormatError: 503,
    TooLongError: 503,
    OSError: 503,
}


def answer(request: Request, data: Any, *, total: int = 0, errors: Sequence[dict[str, Any]] = ()) -> Response:
    """With status 200; `errors` are of single traces that were asked for."""
    option = orjson.OPT_INDENT_2 if is_pretty(request.query_params) else 0
    return Response(_envelope(data, total, list(errors) or None, option), media_type="application/json")


def handlers() -> dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]:
    """For an application: each kind of exception, and what it is answered with."""
    return {**dict.fromkeys(_STATUSES, _told), HTTPException: _refused, Exception: _failed}


def refusal(text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    errors = [{"code": status, "msg": plain(text, _MOST_TEXT)}]
    return Response(_envelope(None, 0, errors, 0), status, headers, media_type="application/json")


def _envelope(data: Any, total: int, errors: list[dict[str, Any]] | None, option: int) -> bytes:
    return orjson.dumps({"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors}, option=option)


async def _told(_request: Request, error: Exception) -> Response:
    return refusal(str(error), next(status for kind, status in _STATUSES.items() if isinstance(error, kind)))


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # the only kind that comes here
    if error.status_code == HTTPStatus.NOT_FOUND:
        return refusal("nothing lies at this address: here are the paths of Jaeger's query API and /api/v1", 404)
    return refusal(error.detail, error.status_code, error.headers)


async def _failed(_request: Request, _error: Exception) -> Response:
    return refusal("It went wrong here. The log of the pages' process says why.", 500)
