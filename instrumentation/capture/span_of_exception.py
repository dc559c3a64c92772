"""Which span an exception came out of, for those who log it when the span is over: uvicorn does."""

from __future__ import annotations

from contextlib import suppress

from opentelemetry.trace import SpanContext

_ATTRIBUTE = "__forecourt_span__"


def remember_span(error: BaseException, context: SpanContext) -> None:
    with suppress(AttributeError):  # exceptions with slots have no room for it
        setattr(error, _ATTRIBUTE, context)


def span_of(error: BaseException) -> SpanContext | None:
    context = getattr(error, _ATTRIBUTE, None)
    return context if isinstance(context, SpanContext) else None
