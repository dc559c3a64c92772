"""The forms of the pages: what they ask is done, and told in a line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from alerting.plain_text import plain
from alerting.silence import describe
from dashboard import access
from dashboard.access.origins import local_path
from dashboard.operating import Operating, Operator, RefusedError
from dashboard.page import NotThereError
from dashboard.records import Records
from dashboard.site import Site
from processors.quantities import parse_duration
from storage.state import StateError

_Action = Callable[[Operating, Operator, Request, FormData], Awaitable[str]]


def routes(site: Site, records: Records) -> list[BaseRoute]:
    """All of them POST; the guard before them has looked at role and token."""
    operating = Operating(site, records)
    return [
        Route(path, _endpoint(operating, action), methods=["POST"])
        for path, action in (
            ("/alerts/{alert}/acknowledge", _acknowledge),
            ("/silences", _silence),
            ("/silences/{silence}/end", _end_silence),
            ("/channels/{receiver:path}/test", _test_channel),
        )
    ]


def operator_of(request: Request) -> Operator:
    return Operator(request.state.identity, request.client.host if request.client else "")


def _endpoint(operating: Operating, action: _Action) -> Callable[[Request], Awaitable[Response]]:
    async def act(request: Request) -> Response:
        form = await access.form_of(request)
        try:
            told = await action(operating, operator_of(request), request, form)
        except NotThereError as error:
            return PlainTextResponse(f"{error}\n", 404)
        except (RefusedError, StateError) as error:
            return PlainTextResponse(f"{error}\n", 409)
        if request.headers.get("hx-request"):
            events: dict[str, Any] = {"told": plain(told, 300), "changed": True}
            # A header holds ASCII alone; whoever reads it decodes the escapes.
            return Response(status_code=204, headers={"HX-Trigger": _ascii(events)})
        return RedirectResponse(_back(request), 303)

    return act


def _ascii(content: Any) -> str:
    text = orjson.dumps(content).decode()
    return "".join(one if " " <= one <= "~" else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[index]:02x}{units[index + 1]:02x}" for index in range(0, len(units), 2))


def _back(request: Request) -> str:
    """The page that the form stands on; nobody else's."""
    try:
        came = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/alerts"
    own = came.netloc == request.headers.get("host", "")
    return local_path(came.path + (f"?{came.query}" if came.query else "")) if own else "/alerts"


async def _acknowledge(operating: Operating, who: Operator, request: Request, form: FormData) -> str:
    return await operating.acknowledge(who, request.path_params["alert"], str(form.get("note", "")))


async def _silence(operating: Operating, who: Operator, _request: Request, form: FormData) -> str:
    try:
        seconds = parse_duration(str(form.get("for", ""))[:40])
    except ValueError as error:
        raise RefusedError(f"for how long: {error}") from error
    matchers = str(form.get("matchers", "")).splitlines()
    made = await operating.silence(
        who, str(form.get("kind", "silence")), matchers, seconds, str(form.get("comment", ""))
    )
    return f"silenced: {describe(made)}"


async def _end_silence(operating: Operating, who: Operator, request: Request, _form: FormData) -> str:
    return await operating.end_silence(who, request.path_params["silence"])


async def _test_channel(operating: Operating, who: Operator, request: Request, form: FormData) -> str:
    severity = str(form.get("severity", "low"))
    answers = await operating.test_channel(who, request.path_params["receiver"], severity)
    return "; ".join(f"{one.get('receiver', '')}: {one.get('answer', '')}" for one in answers) or "no answer"
