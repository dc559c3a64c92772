"""What happens in the business and to its security, as events: `event` for a moment, `track` for what takes time."""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar, cast

from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import StatusCode

from instrumentation.export.attributes import plain
from instrumentation.export.log_encoding import LogItem, as_record

logger = logging.getLogger("forecourt")

_Function = TypeVar("_Function", bound=Callable[..., Any])

SCOPE = "forecourt"
_PREFIX = "fossa."
_USER_KEYS = frozenset({"user", "user.id", "user_id", "username"})

_meter = metrics.get_meter(SCOPE)
_duration = _meter.create_histogram("fossa.operation.duration", "s", "How long operations took.")
_count = _meter.create_counter("fossa.operation.count", "{operation}", "How many operations and events there were.")


def _emit(item: LogItem) -> None:
    """Through the API, for whoever has set up a provider; nothing where nobody has."""
    _logs.get_logger(SCOPE).emit(as_record(item))


class _Surroundings:
    """What the instrumented app is known by; until then nothing is hashed or known."""

    hash_user: Callable[[str], str] = str
    sender: Callable[[], dict[str, Any]] = dict
    take: Callable[[LogItem], None] = _emit


def describe_with(
    hash_user: Callable[[str], str], sender: Callable[[], dict[str, Any]], take: Callable[[LogItem], None]
) -> None:
    """Set how users are hashed, who the current request comes from, and where log records go."""
    _Surroundings.hash_user = staticmethod(hash_user)
    _Surroundings.sender = staticmethod(sender)
    _Surroundings.take = staticmethod(take)


def event_name(name: str) -> str:
    """`auth.login` is `fossa.auth.login`; a name that has the prefix keeps it."""
    return name if name.startswith(_PREFIX) else f"{_PREFIX}{name}"


def event(name: str, *, outcome: str = "success", body: str | None = None, **attributes: Any) -> None:
    """Record that something happened: a log record with `event.name` and `event.outcome`, beside the current span.

    `outcome` is success, failure or cancelled; `attributes` with dots go in as `**{"client.address": …}`. A user given
    as `user`, `user_id`, `username` or `user.id` leaves as a hash, `user.id`. Never raises.
    """
    try:
        record_event(name, outcome, _with_hashed_user(attributes), body)
    except Exception:
        logger.exception("the event %s could not be recorded", name)


def record_event(name: str, outcome: str, attributes: dict[str, Any], body: str | None = None) -> None:
    named = event_name(name)
    failed = outcome == "failure"
    now = time.time_ns()
    context = trace.get_current_span().get_span_context()
    _Surroundings.take(
        LogItem(
            scope=SCOPE,
            time_unix_nano=now,
            observed_time_unix_nano=now,
            severity_number=SeverityNumber.WARN.value if failed else SeverityNumber.INFO.value,
            severity_text="WARN" if failed else "INFO",
            body=body or f"{named} {outcome}",
            attributes={**_Surroundings.sender(), **attributes, "event.name": named, "event.outcome": outcome},
            place=None,
            trace_id=context.trace_id,
            span_id=context.span_id,
            trace_flags=context.trace_flags,
            event_name=named,
        )
    )
    _count.add(1, {"event.name": named, "event.outcome": outcome})


def _with_hashed_user(attributes: dict[str, Any]) -> dict[str, Any]:
    given = {key: plain(value) for key, value in attributes.items() if value is not None}
    for key in _USER_KEYS & given.keys():
        given["user.id"] = _Surroundings.hash_user(str(given.pop(key)))
    return given


class Operation:
    """One run of what is tracked: a span, which ends with an outcome."""

    def __init__(self, name: str, attributes: dict[str, Any]) -> None:
        self._name = event_name(name)
        self._attributes = attributes
        self._outcome = "success"

    def fail(self, reason: str = "") -> None:
        """Say that it failed, though nothing was raised."""
        self._conclude("failure", reason)

    def cancel(self, reason: str = "") -> None:
        """Say that it was given up: neither a success nor a failure."""
        self._conclude("cancelled", reason)

    def set(self, **attributes: Any) -> None:
        """Add attributes that are known only now."""
        self._attributes |= attributes

    def _conclude(self, outcome: str, reason: str) -> None:
        self._outcome = outcome
        if reason:
            self._attributes["event.reason"] = reason

    def begin(self) -> None:
        try:
            self._started = time.perf_counter()
            self.span = trace.get_tracer(SCOPE).start_span(self._name)
        except Exception:
            logger.exception("%s could not be tracked", self._name)
            self.span = trace.INVALID_SPAN

    def current(self) -> AbstractContextManager[Any]:
        """While this lasts, what happens belongs to the operation."""
        return trace.use_span(self.span, record_exception=False, set_status_on_exception=False)

    def raised(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._outcome = "failure"
            self.span.record_exception(error)
            self._attributes.setdefault("error.type", type(error).__qualname__)
        else:  # CancelledError, GeneratorExit, KeyboardInterrupt
            self._outcome = "cancelled"

    def judge(self, result: Any, succeeded: Callable[[Any], bool] | None) -> None:
        if succeeded is None:
            return
        try:
            if not succeeded(result):
                self.fail(f"returned {result!r:.80}")
        except Exception:
            logger.exception("succeeded= of %s raised", self._name)

    def end(self) -> None:
        try:
            named = {"event.name": self._name, "event.outcome": self._outcome}
            self.span.set_attributes({**_with_hashed_user(self._attributes), **named})
            if self._outcome == "failure":
                self.span.set_status(StatusCode.ERROR, str(self._attributes.get("event.reason", "")) or None)
            with self.current():  # so that the exemplar has the trace
                _duration.record(time.perf_counter() - self._started, named)
                _count.add(1, named)
            self.span.end()
        except Exception:
            logger.exception("%s could not be tracked", self._name)


class track:  # noqa: N801  # reads as the verb it is, as a decorator and after `with`
    """Measure what takes time: `@track("form_automation")`, or `with track("work_order.sync") as operation:`.

    Gives a span with `event.name` and `event.outcome` (success, failure, cancelled) and the metrics
    `fossa.operation.duration` in seconds and `fossa.operation.count`. An exception is a failure and goes on; a failure
    that comes back as a value is told by `succeeded(result)` of a decorator or by `operation.fail(reason)`. Functions,
    coroutine functions and generators of both kinds can be decorated.
    """

    def __init__(self, name: str, *, succeeded: Callable[[Any], bool] | None = None, **attributes: Any) -> None:
        self._name = name
        self._succeeded = succeeded
        self._attributes = attributes

    def __enter__(self) -> Operation:
        self._operation = self._begin()
        self._current = self._operation.current()
        self._current.__enter__()
        return self._operation

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self._operation.raised(error)
        self._current.__exit__(None, None, None)
        self._operation.end()

    def _begin(self) -> Operation:
        operation = Operation(self._name, dict(self._attributes))
        operation.begin()
        return operation

    def __call__(self, function: _Function) -> _Function:
        if inspect.iscoroutinefunction(function):
            wrapper: Any = self._coroutine(function)
        elif inspect.isasyncgenfunction(function):
            wrapper = self._async_generator(function)
        elif inspect.isgeneratorfunction(function):
            wrapper = self._generator(function)
        else:
            wrapper = self._function(function)
        wrapped: Any = functools.wraps(function)(wrapper)
        return cast("_Function", wrapped)

    def _function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            with track(self._name, **self._attributes) as operation:
                result = function(*arguments, **keywords)
                operation.judge(result, self._succeeded)
                return result

        return call

    def _coroutine(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **keywords: Any) -> Any:
            with track(self._name, **self._attributes) as operation:
                result = await function(*arguments, **keywords)
                operation.judge(result, self._succeeded)
                return result

        return call

    def _generator(self, function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Generator[Any, Any, Any]]:
        def call(*arguments: Any, **keywords: Any) -> Generator[Any, Any, Any]:
            operation = self._begin()
            generator = function(*arguments, **keywords)
            step: Callable[[], Any] = functools.partial(next, generator)
            try:
                while True:
                    # Current only while the generator runs: between two values its caller does something else.
                    with operation.current():
                        value = step()
                    try:
                        step = functools.partial(generator.send, (yield value))
                    except Exception as error:  # noqa: BLE001  # thrown in, and so the generator's to handle
                        step = functools.partial(generator.throw, error)
            except StopIteration as stop:
                operation.judge(stop.value, self._succeeded)
                return stop.value
            except BaseException as error:
                generator.close()
                operation.raised(error)
                raise
            finally:
                operation.end()

        return call

    def _async_generator(
        self, function: Callable[..., AsyncGenerator[Any, Any]]
    ) -> Callable[..., AsyncGenerator[Any, Any]]:
        async def call(*arguments: Any, **keywords: Any) -> AsyncGenerator[Any, Any]:
            operation = self._begin()
            generator = function(*arguments, **keywords)
            step: Callable[[], Awaitable[Any]] = functools.partial(anext, generator)
            try:
                while True:
                    with operation.current():
                        value = await step()
                    try:
                        step = functools.partial(generator.asend, (yield value))
                    except Exception as error:  # noqa: BLE001  # thrown in, and so the generator's to handle
                        step = functools.partial(generator.athrow, error)
            except StopAsyncIteration:
                return
            except BaseException as error:
                await generator.aclose()
                operation.raised(error)
                raise
            finally:
                operation.end()

        return call
