from __future__ import annotations

from typing import Any

import orjson
import pytest

from instrumentation.redaction import Redactor
from processors.observation import Projection
from tests.collector.decoding.requests import REQUESTS, decode

CANARY = "c4n4ry-s3cr3t-0123456789"
IN_TEXT = f"calling with Bearer {CANARY} now"


def _attributes(message: Any, field: str = "attributes") -> None:
    pairs = getattr(message, field)
    pairs.add(key="http.request.header.authorization").value.string_value = CANARY
    pairs.add(key="note").value.string_value = IN_TEXT
    pairs.add(key="url.full").value.string_value = f"https://host/path?api_key={CANARY}&page=2"
    pairs.add(key="blob").value.bytes_value = IN_TEXT.encode()
    pairs.add(key="list").value.array_value.values.add().string_value = IN_TEXT
    nested = pairs.add(key="map").value.kvlist_value.values
    nested.add(key="password").value.string_value = CANARY
    nested.add(key="secret").value.kvlist_value.values.add(key="x").value.string_value = CANARY
    pairs.add(key=f"token={CANARY}").value.int_value = 1


def _traces() -> Any:
    request: Any = REQUESTS["traces"]()
    outer = request.resource_spans.add()
    inner = outer.scope_spans.add()
    span = inner.spans.add(name=IN_TEXT, trace_state=f"vendor={CANARY},token={CANARY}"[-40:])
    span.trace_state = f"token={CANARY}"
    span.status.message = IN_TEXT
    span.events.add(name=IN_TEXT)
    span.links.add(trace_state=f"token={CANARY}")
    for message in (span, span.events[0], span.links[0], outer.resource, inner.scope):
        _attributes(message)
    outer.schema_url = inner.schema_url = f"https://user:{CANARY}@host/schema"
    inner.scope.name = inner.scope.version = IN_TEXT
    return request


def _logs() -> Any:
    request: Any = REQUESTS["logs"]()
    outer = request.resource_logs.add()
    scope = outer.scope_logs.add()
    for body in (IN_TEXT, f"{{'authorization': '{CANARY}', 'host': 'x'}}", f"Cookie: session={CANARY}; a={CANARY}"):
        log = scope.log_records.add(severity_text=IN_TEXT, event_name=IN_TEXT)
        log.body.string_value = body
        _attributes(log)
    scope.log_records.add().body.kvlist_value.values.add(key="api_key").value.string_value = CANARY
    _attributes(outer.resource)
    return request


def _metrics() -> Any:
    request: Any = REQUESTS["metrics"]()
    metric = (
        request.resource_metrics.add().scope_metrics.add().metrics.add(name=IN_TEXT, description=IN_TEXT, unit=IN_TEXT)
    )
    point = metric.sum.data_points.add(as_int=1)
    _attributes(metric, "metadata")
    _attributes(point)
    _attributes(point.exemplars.add(), "filtered_attributes")
    return request


MAKERS = {"traces": _traces, "logs": _logs, "metrics": _metrics}


@pytest.mark.parametrize("signal", MAKERS)
def test_a_secret_reaches_no_line_and_no_observation(signal: str) -> None:
    """In each textual place, under a telling key or in a known form, the canary is gone and the rest is readable."""
    names = frozenset({"http.request.header.authorization", "note", "url.full", "list", "map", "blob"})
    projection = Projection(1, names, names, names, names)
    body = MAKERS[signal]().SerializeToString()
    records, observations, _, _ = decode(signal, body, redactor=Redactor(), projection=projection)
    plain, _, _, _ = decode(signal, body)
    for text in (orjson.dumps(records).decode(), repr(observations)):
        assert CANARY not in text
        assert "YzRuNHJ5" not in text  # its base64
    assert CANARY in orjson.dumps(plain).decode()
    assert records[0]["attributes"]["url.full"] == "https://host/path?api_key=[REDACTED]&page=2"
    assert records[0]["attributes"]["note"] == "calling with Bearer [REDACTED] now"
