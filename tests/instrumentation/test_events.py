from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry import trace

from instrumentation import event, track
from instrumentation.testing import Telemetry


def _outcome(telemetry: Telemetry, name: str) -> tuple[str, str, str | None]:
    (span,) = telemetry.spans(f"fossa.{name}")
    assert span.attributes["event.name"] == f"fossa.{name}"
    return span.attributes["event.outcome"], span.status, span.attributes.get("event.reason")


def test_a_block_that_ends_is_a_success_and_what_happens_in_it_belongs_to_it(telemetry: Telemetry) -> None:
    """A span with the attributes given and added, parent of the spans within."""
    with track("work_order.sync", trigger="manual") as operation:
        trace.get_tracer("test").start_span("query").end()
        operation.set(found=12)
    query, sync = telemetry.spans()
    assert (query.name, query.parent_span_id) == ("query", sync.span_id)
    assert sync.attributes == {
        "trigger": "manual",
        "found": 12,
        "event.name": "fossa.work_order.sync",
        "event.outcome": "success",
    }


def test_failures_are_told_raised_and_judged(telemetry: Telemetry) -> None:
    """An exception, `fail`, `cancel` and `succeeded=` give the outcome; the app sees its own exception and value."""
    with pytest.raises(ValueError, match="broken"), track("raised"):
        raise ValueError("broken")
    with track("told") as operation:
        operation.fail("WorkFossa did not answer")
    with track("given_up") as operation:
        operation.cancel()

    @track("judged", succeeded=lambda result: result is not None)
    def judged() -> None:
        return None

    assert judged() is None  # type: ignore[func-returns-value]
    assert _outcome(telemetry, "raised") == ("failure", "ERROR", None)
    assert _outcome(telemetry, "told") == ("failure", "ERROR", "WorkFossa did not answer")
    assert _outcome(telemetry, "given_up") == ("cancelled", "UNSET", None)
    assert _outcome(telemetry, "judged") == ("failure", "ERROR", "returned None")


def test_coroutines_and_their_cancellation(telemetry: Telemetry) -> None:
    """A cancelled coroutine is neither a success nor a failure."""

    @track("slow")
    async def slow() -> None:
        await asyncio.sleep(60)

    @track("quick", succeeded=bool)
    async def quick() -> int:
        return 7

    async def main() -> int:
        task = asyncio.create_task(slow())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await quick()

    assert asyncio.run(main()) == 7
    assert _outcome(telemetry, "slow") == ("cancelled", "UNSET", None)
    assert _outcome(telemetry, "quick") == ("success", "UNSET", None)


def test_generators_are_measured_to_their_end_and_do_not_leak_their_span(telemetry: Telemetry) -> None:
    """Current inside the generator and not between its values; send, throw, close and return work as without."""

    @track("lines")
    def lines() -> Iterator[Any]:
        inside = trace.get_current_span()
        got = yield inside.get_span_context().span_id
        try:
            yield got
        except KeyError:
            yield "caught"
        return "end"  # a generator's value is part of what must survive

    generator: Any = lines()
    span_id = next(generator)
    assert not trace.get_current_span().get_span_context().is_valid
    assert generator.send("sent") == "sent"
    assert generator.throw(KeyError()) == "caught"
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "end"
    abandoned: Any = lines()
    next(abandoned)
    abandoned.close()
    ended, closed = telemetry.spans("fossa.lines")
    assert (f"{span_id:016x}", "success") == (ended.span_id, ended.attributes["event.outcome"])
    assert closed.attributes["event.outcome"] == "cancelled"


def test_asynchronous_generators_too(telemetry: Telemetry) -> None:
    """An exception inside is a failure and goes on."""

    @track("feed")
    async def feed() -> AsyncIterator[int]:
        yield 1
        raise ValueError("broken")

    async def main() -> list[int]:
        seen = []
        with suppress(ValueError):
            async for number in feed():
                seen.append(number)  # noqa: PERF401  # it ends by raising
        return seen

    assert asyncio.run(main()) == [1]
    assert _outcome(telemetry, "feed")[0] == "failure"


def test_the_decorated_function_is_still_itself(telemetry: Telemetry) -> None:  # noqa: ARG001
    """Name, docstring and signature are kept: frameworks and schedulers look at them."""

    @track("kept")
    def kept(number: int) -> int:
        """What it does."""
        return number

    assert (kept.__name__, kept.__doc__, kept.__wrapped__.__code__.co_argcount) == (  # type: ignore[attr-defined]
        "kept",
        "What it does.",
        1,
    )


def test_an_event_is_a_log_record_and_is_counted(telemetry: Telemetry) -> None:
    """With its outcome, a hashed user and without secrets; a failure is a warning."""
    event("auth.login", outcome="failure", username="bob@example.com", token="abcdefgh12345", reason="wrong password")
    event("auth.login", username="Bob@example.com")
    failed, succeeded = telemetry.events("auth.login")
    assert (failed.severity, failed.event_name) == ("WARN", "fossa.auth.login")
    assert failed.attributes["event.outcome"] == "failure"
    assert failed.attributes["user.id"].startswith("email:")
    assert failed.attributes["user.id"] == succeeded.attributes["user.id"]
    assert failed.attributes["token"] == "[REDACTED]"
    assert "bob" not in str(failed).lower()
    counts = {point.attributes["event.outcome"]: point.value for point in telemetry.points("fossa.operation.count")}
    assert counts["failure"] >= 1 <= counts["success"]


def test_durations_are_measured(telemetry: Telemetry) -> None:
    """`fossa.operation.duration` by name and outcome."""
    with track("timed"):
        pass
    durations = telemetry.points("fossa.operation.duration")
    assert [
        (point.value, point.attributes["event.outcome"])
        for point in durations
        if point.attributes["event.name"] == "fossa.timed"
    ] == [(1, "success")]


def test_attributes_that_cannot_be_sent_harm_nobody(telemetry: Telemetry) -> None:
    """An object whose text raises, a huge integer, a set."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

    with track("odd", huge=2**80, hostile=Hostile()):
        event("odd.event", hostile=Hostile(), huge=2**80)
    assert len(telemetry.spans("fossa.odd")) == 1
    assert len(telemetry.events("odd.event")) == 1
