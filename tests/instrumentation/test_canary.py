"""One secret in forty places: it is found in nothing that leaves the process, whole or in part."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry import baggage, context, metrics, trace
from opentelemetry.trace import Link, SpanContext, StatusCode, TraceFlags
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from instrumentation import event, instrument, track
from instrumentation.testing import Telemetry

CANARY = "cAnArY7fLiEs0vErThEmInE"
JWT = f"eyJhbGciOiJIUzI1NiJ9.{base64.urlsafe_b64encode(json.dumps({'sub': CANARY}).encode()).decode().rstrip('=')}.c2ln"
E_MAIL = f"{CANARY}@example.com"
URL = f"https://user:{CANARY}@example.com/x"
log = logging.getLogger("canary")
log.setLevel(logging.INFO)
tracer = trace.get_tracer("canary")

app = FastAPI()


@pytest.fixture(autouse=True)
def _instrumented() -> None:
    instrument(app)


@app.get("/orders/{number}")
def orders(number: str) -> str:
    log.info("order %s", number[:3])
    return "done"


@app.get("/broken")
def broken() -> None:
    raise ValueError(f"password={CANARY}")


def _span(name: str = "work", **attributes: Any) -> None:
    tracer.start_span(name, attributes=attributes).end()


def _request(path: str = "/orders/1", **options: Any) -> None:
    TestClient(app, raise_server_exceptions=False).get(path, **options)


def _span_event() -> None:
    with tracer.start_as_current_span("work") as span:
        span.add_event(f"sent to {E_MAIL}", {"token": CANARY})


def _span_exception() -> None:
    with tracer.start_as_current_span("work") as span:
        span.record_exception(ValueError(f"api_key={CANARY}"))


def _span_status() -> None:
    with tracer.start_as_current_span("work") as span:
        span.set_status(StatusCode.ERROR, f"secret={CANARY}")


def _span_link() -> None:
    linked = SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(1))
    tracer.start_span("work", links=[Link(linked, {"cookie": CANARY})]).end()


def _raised() -> None:
    try:
        raise RuntimeError(f"passwd: {CANARY}")  # noqa: TRY301
    except RuntimeError:
        log.exception("failed")


def _sql() -> None:
    with create_engine("sqlite://").connect() as connection, pytest.raises(OperationalError):
        connection.execute(text(f"SELECT * FROM users WHERE password = '{CANARY}'"))  # noqa: S608  # on purpose


def _metric() -> None:
    metrics.get_meter("canary").create_counter("canaries").add(1, {"token": CANARY})


def _baggage() -> None:
    token = context.attach(baggage.set_baggage("password", CANARY))
    _span(**{f"baggage.{key}": str(value) for key, value in baggage.get_all().items()})
    context.detach(token)


class _Holder:
    def __repr__(self) -> str:
        return f"Holder(password='{CANARY}')"


PLACES: dict[str, Callable[[], Any]] = {
    "span attribute under a key": lambda: _span(password=CANARY),
    "span attribute under a dotted key": lambda: _span(**{"db.password": CANARY}),
    "span attribute, bearer": lambda: _span(note=f"Bearer {CANARY}"),
    "span attribute, JSON web token": lambda: _span(note=JWT),
    "span attribute, e-mail": lambda: _span(note=E_MAIL),
    "span attribute, URL credentials": lambda: _span(note=URL),
    "span attribute, query parameter": lambda: _span(note=f"/x?token={CANARY}"),
    "span attribute, list": lambda: _span(note=[f"Bearer {CANARY}"]),
    "span name": lambda: _span(f"login {E_MAIL}"),
    "span event": _span_event,
    "span exception": _span_exception,
    "span status": _span_status,
    "span link": _span_link,
    "baggage copied to attributes": _baggage,
    "request, Authorization": lambda: _request(headers={"Authorization": f"Bearer {CANARY}"}),
    "request, Cookie": lambda: _request(headers={"Cookie": f"session={CANARY}"}),
    "request, query": lambda: _request(f"/orders/1?api_key={CANARY}"),
    "request, path": lambda: _request(f"/orders/{E_MAIL}"),
    "request, unknown path": lambda: _request(f"/nowhere/{E_MAIL}"),
    "request, user agent": lambda: _request(headers={"User-Agent": f"curl {E_MAIL}"}),
    "request, token's subject": lambda: _request(headers={"Authorization": f"Bearer {JWT}"}),
    "request, exception": lambda: _request("/broken"),
    "log body, key": lambda: log.info("password=%s", CANARY),
    "log body, bearer": lambda: log.info("Authorization: Bearer %s", CANARY),
    "log body, headers": lambda: log.info("%s", {"authorization": CANARY, "x-api-key": CANARY}),
    "log body, raw headers": lambda: log.info("%s", [(b"cookie", CANARY.encode())]),
    "log body, JSON": lambda: log.info(json.dumps({"access_token": CANARY})),
    "log body, URL": lambda: log.info("connecting to %s", URL),
    "log body, e-mail": lambda: log.info("mail to %s", E_MAIL),
    "log body, form": lambda: log.info("username=x&password=%s&next=/", CANARY),
    "log body, mapping": lambda: log.info({"secret": CANARY}),
    "log body, object": lambda: log.info(_Holder()),
    "log extra": lambda: log.info("x", extra={"client_secret": CANARY}),
    "log extra, nested": lambda: log.info("x", extra={"details": {"headers": {"authorization": CANARY}}}),
    "log extra, object": lambda: log.info("x", extra={"held": _Holder()}),
    "log extra, set": lambda: log.info("x", extra={"held": {f"Bearer {CANARY}"}}),
    "log exception": _raised,
    "statement": _sql,
    "metric attribute": _metric,
    "event attribute": lambda: event("auth.login", password=CANARY, username=E_MAIL),
    "operation attribute": lambda: track("work", token=CANARY).__enter__().end(),
    "operation reason": lambda: track("work").__enter__().fail(f"token={CANARY}"),
}


@pytest.mark.parametrize("place", list(PLACES))
def test_the_canary_is_in_nothing_that_leaves(telemetry: Telemetry, place: str) -> None:
    """Neither as it is nor in base64, and something did leave."""
    PLACES[place]()
    telemetry.points("canaries")
    sent = b"".join(body for _, body in telemetry.bodies)
    assert sent
    for form in (CANARY.encode(), CANARY.lower().encode(), base64.b64encode(CANARY.encode())[:20], JWT[30:60].encode()):
        assert form not in sent


def test_there_are_forty_places() -> None:
    """As many as were asked for, and two more."""
    assert len(PLACES) >= 40
