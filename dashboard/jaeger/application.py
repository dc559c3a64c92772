"""The part of Jaeger's HTTP JSON API that reads: services, operations, traces, dependencies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from analysis.dependencies import dependencies
from analysis.period import NANO
from analysis.span_names import Operation, SpanNames, span_names
from analysis.span_search import find_traces
from analysis.trace_search import find_trace
from analysis.trace_spans import StoredTrace, stored_traces
from dashboard.jaeger import parameters
from dashboard.jaeger.answers import answer, handlers, refusal
from dashboard.jaeger.translation import kind_json, trace_id_json, trace_json
from dashboard.page import NotThereError
from dashboard.presence import WhilePresent
from dashboard.records import Records, TooLongError
from dashboard.site import Site

_NAMES_SECONDS = 60.0
"""So long an answer about services and operations is good enough."""
_GRAIN_NANO = 10 * NANO
_NOT_FOUND = "trace not found"
_BY_IDS_SECONDS = 30.0
"""For all ids of a request: one that nowhere is has all records read."""


def application(site: Site, records: Records) -> Starlette:
    """To be mounted at /api, behind the guard of the pages."""
    jaeger = _Jaeger(site, records)
    routes = [
        Route("/services", jaeger.services),
        Route("/services/{service:path}/operations", jaeger.operations_of_service),
        Route("/operations", jaeger.operations),
        Route("/traces", jaeger.search),
        Route("/traces/{trace_id}", jaeger.trace),
        Route("/dependencies", jaeger.dependencies),
        Route("/metrics/{indicator}", jaeger.metrics),
    ]
    return Starlette(routes=routes, middleware=[Middleware(WhilePresent)], exception_handlers=handlers())


class _Jaeger:
    """Each method answers one path."""

    def __init__(self, site: Site, records: Records) -> None:
        self._site = site
        self._records = records
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="jaeger")
        """An answer may have fifty megabytes, and some hundred while it is written, be the client there or not."""

    async def services(self, request: Request) -> Response:
        found = (await self._names()).services
        return answer(request, found, total=len(found))

    async def operations_of_service(self, request: Request) -> Response:
        """Their names alone, of any kind."""
        found = sorted({one.name for one in await self._operations(request.path_params["service"])})
        return answer(request, found, total=len(found))

    async def operations(self, request: Request) -> Response:
        service, kind = parameters.service_of(request.query_params), parameters.kind_of(request.query_params)
        named = ({"name": one.name, "spanKind": kind_json(one.kind)} for one in await self._operations(service))
        found = [one for one in named if kind in {"", one["spanKind"]}]
        return answer(request, found, total=len(found))

    async def search(self, request: Request) -> Response:
        asked = parameters.search_of(request.query_params, self._site.clock())
        if asked.trace_ids:
            return await self._by_ids(request, asked.trace_ids)
        found = await self._records.ask(find_traces, asked.period, asked.wanted, asked.limit)
        return await self._answer(request, found)

    async def trace(self, request: Request) -> Response:
        trace_id = parameters.trace_id_of(request.path_params["trace_id"])
        parameters.check_times(request.query_params)
        parameters.check_booleans(request.query_params)
        found = await self._trace(trace_id)
        if not found:
            raise NotThereError(_NOT_FOUND)
        return await self._answer(request, found)

    async def dependencies(self, request: Request) -> Response:
        period = parameters.dependencies_of(request.query_params, self._site.clock())
        only = parameters.only_service_of(request.query_params)
        found = await self._records.ask(dependencies, period)
        told = [
            {"parent": one.parent, "child": one.child, "callCount": one.calls}
            for one in found
            if only in {"", one.parent, one.child}
        ]
        return answer(request, told)

    async def metrics(self, _request: Request) -> Response:
        """As Jaeger without a storage for metrics: its page of monitoring then says that there is none."""
        return refusal("metrics querying is currently disabled", 501)

    async def _names(self) -> SpanNames:
        now = self._site.clock()
        return await self._records.shared(
            ("span names of Jaeger",), lambda: self._records.ask(span_names, now), _NAMES_SECONDS
        )

    async def _operations(self, service: str) -> tuple[Operation, ...]:
        return (await self._names()).operations.get(service, ())

    async def _by_ids(self, request: Request, trace_ids: Sequence[str]) -> Response:
        found: list[StoredTrace] = []
        errors = []
        try:
            async with asyncio.timeout(_BY_IDS_SECONDS):
                for trace_id in dict.fromkeys(trace_ids):
                    traces = await self._trace(trace_id)
                    found += traces
                    if not traces:
                        errors.append({"msg": _NOT_FOUND, "traceID": trace_id_json(trace_id)})
        except TimeoutError:
            raise TooLongError(
                f"it takes longer than {_BY_IDS_SECONDS:.0f} s. Ask for fewer traces at a time"
            ) from None
        return await self._answer(request, found, errors)

    async def _trace(self, trace_id: str) -> list[StoredTrace]:
        """One, or none."""
        now = self._site.clock()
        period = await self._records.ask(find_trace, trace_id, now - now % _GRAIN_NANO)
        return await self._records.ask(stored_traces, (trace_id,), period) if period else []

    async def _answer(
        self, request: Request, traces: Sequence[StoredTrace], errors: Sequence[dict[str, Any]] = ()
    ) -> Response:
        """Made beside the event loop, one at a time."""
        packed = not parameters.is_pretty(request.query_params)
        return await asyncio.get_running_loop().run_in_executor(
            self._writing,
            lambda: answer(request, [trace_json(trace, packed=packed) for trace in traces], errors=errors),
        )
