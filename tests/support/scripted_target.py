"""A viewer without a socket: it answers what a test tells it, and remembers the spans by their numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.exporting.target import SendError, Taken

Answer = Callable[[list[int]], Taken | SendError | None]
"""To the numbers of a request's spans; None takes it."""


def span(number: int, received_unix_nano: int = 2) -> bytes:
    """A stored line, without its newline; the name is the number."""
    record = {
        "time_unix_nano": 1,
        "received_unix_nano": received_unix_nano,
        "end_time_unix_nano": 3,
        "name": str(number),
        "kind": "SERVER",
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "status": "UNSET",
        "attributes": {"padding": "x" * (number % 7)},
        "resource": {"attributes": {}},
        "scope": {"name": "", "attributes": {}},
    }
    return orjson.dumps(record)


def numbers_of(body: bytes) -> list[int]:
    request = ExportTraceServiceRequest.FromString(body)
    scopes = [scope for part in request.resource_spans for scope in part.scope_spans]
    return [int(one.name) for scope in scopes for one in scope.spans]


@dataclass(slots=True)
class ScriptedTarget:
    """`taken` are the numbers that were acknowledged, in their order."""

    answer: Answer = lambda _numbers: None
    requests: list[list[int]] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    closed: bool = False

    def send(self, signal: str, body: bytes) -> Taken:
        assert signal == "traces"
        numbers = numbers_of(body)
        self.requests.append(numbers)
        answer = self.answer(numbers)
        if isinstance(answer, SendError):
            raise answer
        self.taken += numbers
        return answer or Taken()

    def close(self) -> None:
        self.closed = True
