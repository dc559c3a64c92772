from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import fastapi.routing
from starlette.routing import Match, Mount


def route_of(app: Any, scope: Mapping[str, Any]) -> str | None:
    """The template of the route that this request would reach, for those that a middleware answered on the way."""
    partial = None
    for route in _routes(app):
        match, child = route.matches(scope)
        if match is Match.NONE:
            continue
        if isinstance(getattr(route, "route", route), Mount):
            below = route_of(_mounted(route), {**scope, **child})
            if below is not None:
                return f"{route.path}{below}"
            continue
        if match is Match.FULL:
            return str(route.path)
        partial = partial or str(route.path)
    return partial


def _mounted(route: Any) -> Any:
    return getattr(route, "route", route)


def _routes(app: Any) -> Iterable[Any]:
    routes = getattr(app, "routes", None) or ()
    # Since 0.137 routers keep to themselves what was included in them; the public way in came with 0.137.2.
    flatten = getattr(fastapi.routing, "iter_route_contexts", None)
    return flatten(routes) if flatten else routes
