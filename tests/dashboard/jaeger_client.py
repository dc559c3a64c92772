"""A client of Jaeger's query API that checks each answer field by field, and spans for it to find."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tests.dashboard.opening import Opening, address
from tests.support.stored import HOUR

MS = 1_000_000
SECOND = 1_000_000_000
_Hex = Annotated[str, Field(pattern="^[0-9a-f]{16}([0-9a-f]{16})?$")]
_SpanId = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class Strict(BaseModel):
    """Of jaeger's internal/uimodel/model.go: no field more, no field less, no type but its own."""

    model_config = ConfigDict(extra="forbid", strict=True)


class KeyValue(Strict):
    key: str
    type: Literal["string", "bool", "int64", "float64", "binary"]
    value: str | bool | int | float

    @model_validator(mode="after")
    def _is_of_its_type(self) -> KeyValue:
        kinds: dict[str, set[type]] = {
            "string": {str},
            "bool": {bool},
            "int64": {int, str},
            "float64": {float, str},
            "binary": {str},
        }
        assert type(self.value) in kinds[self.type]
        assert self.type != "int64" or isinstance(self.value, str) is (abs(int(self.value)) >= 2**53)
        return self


class Reference(Strict):
    refType: Literal["CHILD_OF", "FOLLOWS_FROM"]  # noqa: N815  # Jaeger's
    traceID: _Hex  # noqa: N815
    spanID: _SpanId  # noqa: N815


class Log(Strict):
    timestamp: Annotated[int, Field(ge=0)]
    fields: list[KeyValue]


class Span(Strict):
    traceID: _Hex  # noqa: N815
    spanID: _SpanId  # noqa: N815
    operationName: str  # noqa: N815
    references: list[Reference]
    startTime: Annotated[int, Field(ge=0)]  # noqa: N815
    duration: Annotated[int, Field(ge=0)]
    tags: list[KeyValue]
    logs: list[Log]
    processID: str  # noqa: N815
    warnings: list[str] | None


class Process(Strict):
    serviceName: str  # noqa: N815
    tags: list[KeyValue]


class Trace(Strict):
    traceID: _Hex  # noqa: N815
    spans: Annotated[list[Span], Field(min_length=1)]
    """Grafana falls over a trace without spans."""
    processes: dict[str, Process]
    warnings: list[str] | None

    @model_validator(mode="after")
    def _hangs_together(self) -> Trace:
        assert {span.processID for span in self.spans} == set(self.processes)
        assert {span.traceID for span in self.spans} == {self.traceID}
        return self


class Problem(Strict):
    code: int | None = None
    msg: str
    traceID: _Hex | None = None  # noqa: N815


class Envelope(Strict):
    data: Any
    total: int
    limit: Literal[0]
    offset: Literal[0]
    errors: list[Problem] | None


class Traces(Envelope):
    data: list[Trace]


class Jaeger(Opening):
    """What a client of Jaeger's asks and is told."""

    def told(self, path: str, *, code: int = 200, **query: Any) -> Envelope:
        answer = self.get(address(path, **query))
        assert answer.status_code == code, answer.text
        assert answer.headers["content-type"] == "application/json"
        return Envelope.model_validate_json(answer.text)

    def traces(self, path: str = "/api/traces", **query: Any) -> list[Trace]:
        """Checked field by field."""
        told = Traces.model_validate(self.told(path, **query).model_dump())
        assert (told.total, told.errors) == (0, None)
        return told.data

    def numbers(self, **query: Any) -> list[int]:
        """The ids of the traces that are found."""
        return [int(trace.traceID, 16) for trace in self.traces(**query)]


def span(number: int, own: str = "a", **more: Any) -> dict[str, Any]:
    """Of the trace with this number, so many seconds after the hour, a tenth of a second long."""
    begun = HOUR + number * SECOND
    ids = {"trace_id": f"{number:032x}", "span_id": own * 16, "name": "GET /orders", "kind": "SERVER"}
    times = {"time_unix_nano": begun, "end_time_unix_nano": begun + 100 * MS, "received_unix_nano": begun}
    return {"service": "shop", "status": "UNSET", "attributes": {}, **times, **ids, **more}
