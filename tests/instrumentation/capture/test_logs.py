from __future__ import annotations

import logging
import logging.config
import logging.handlers
import queue
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from loguru import logger as loguru_logger
from opentelemetry import trace

from instrumentation.capture.log_items import severity_number
from instrumentation.capture.span_of_exception import remember_span
from instrumentation.testing import Telemetry


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger of the test's own that lets everything through."""
    made = logging.getLogger("test.logs")
    made.setLevel(logging.DEBUG)
    yield made
    made.handlers.clear()
    made.propagate = True


def test_a_record_is_taken_once_whatever_handlers_there_are(telemetry: Telemetry, log: logging.Logger) -> None:
    """Three handlers, one of them feeding a queue whose listener handles the record again."""
    held: queue.SimpleQueue[Any] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(held, logging.NullHandler())
    listener.start()
    log.handlers = [logging.NullHandler(), logging.NullHandler(), logging.handlers.QueueHandler(held)]
    log.info("once %d", 1)
    listener.stop()
    assert [taken.body for taken in telemetry.logs("test.logs")] == ["once 1"]


def test_loggers_that_do_not_propagate_and_new_configurations_are_seen(
    telemetry: Telemetry, log: logging.Logger
) -> None:
    """uvicorn's loggers don't propagate, and `dictConfig` throws away the handlers of the root."""
    log.propagate = False
    log.info("alone")
    before = logging.root.handlers[:]
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}})
    log.info("after")
    logging.root.handlers = before
    assert [taken.body for taken in telemetry.logs("test.logs")] == ["alone", "after"]


def test_what_the_app_filters_out_is_not_sent(telemetry: Telemetry, log: logging.Logger) -> None:
    """Levels and filters of loggers hold for us too."""
    log.setLevel(logging.WARNING)
    log.addFilter(lambda record: "health" not in record.getMessage())
    log.info("too low")
    log.warning("health check")
    log.warning("kept")
    log.filters.clear()
    assert [taken.body for taken in telemetry.logs("test.logs")] == ["kept"]


def test_a_record_becomes_what_the_conventions_say(telemetry: Telemetry, log: logging.Logger) -> None:
    """Severity, extra, exception and place as attributes; ids only once; message arguments that don't fit are kept."""
    with trace.get_tracer("test").start_as_current_span("work") as span:
        try:
            raise KeyError("token=abcdefgh")  # noqa: TRY301
        except KeyError:
            log.exception(
                "failed", extra={"order": 7, "otelTraceID": "copy", "details": {"headers": {"cookie": "a=b"}}}
            )
        log.propagate = False  # pytest's own handler raises on it
        log.critical("%d items", "three")
    failed, wrong = telemetry.logs("test.logs")
    assert failed.severity == "ERROR"
    assert failed.trace_id == f"{span.get_span_context().trace_id:032x}"
    assert failed.attributes["exception.type"] == "KeyError"
    assert failed.attributes["exception.message"] == "'token=[REDACTED]'"
    assert "abcdefgh" not in failed.attributes["exception.stacktrace"]
    assert failed.attributes["order"] == 7
    assert failed.attributes["details"] == {"headers": {"cookie": "[REDACTED]"}}
    assert failed.attributes["code.function.name"] == "test_a_record_becomes_what_the_conventions_say"
    assert "otelTraceID" not in failed.attributes
    assert (wrong.severity, wrong.body) == ("FATAL", "%d items ('three',)")


@pytest.mark.parametrize(
    ("level", "number"), [(5, 4), (10, 5), (15, 8), (20, 9), (25, 12), (30, 13), (40, 17), (50, 21), (99, 24)]
)
def test_levels_between_the_named_ones_lie_between_them(level: int, number: int) -> None:
    """SeverityNumber of the log data model: four numbers for each name."""
    assert severity_number(level) == number


def test_an_object_that_hides_a_secret_in_its_text_is_redacted(telemetry: Telemetry, log: logging.Logger) -> None:
    """What is not plain is turned into text before it is searched, not after."""

    class Headers:
        def __str__(self) -> str:
            return "authorization: Bearer abcdefghijklmnop"

    log.info(
        "headers", extra={"headers": Headers(), "seen": {"Bearer abcdefghijklmnop"}, "nested": {"deep": [Headers()]}}
    )
    (taken,) = telemetry.logs("test.logs")
    assert "abcdefgh" not in str(taken)


def test_an_exception_belongs_to_its_request_though_another_span_that_is_over_is_current(
    telemetry: Telemetry, log: logging.Logger
) -> None:
    """uvicorn logs it in the context of the request before it on the same connection."""
    tracer = trace.get_tracer("app")
    with tracer.start_as_current_span("the request before") as before:
        pass
    with tracer.start_as_current_span("the request that fails") as failing:
        error = RuntimeError("broken")
        remember_span(error, failing.get_span_context())
    with trace.use_span(before):
        log.error("Exception in ASGI application", exc_info=error)
    (taken,) = telemetry.logs("test.logs")
    assert taken.trace_id == f"{failing.get_span_context().trace_id:032x}"


def test_loguru_is_taken_once_in_whichever_direction_it_is_bridged(telemetry: Telemetry, log: logging.Logger) -> None:
    """loguru alone, loguru into `logging`, and `logging` into loguru."""

    class Intercept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            loguru_logger.opt(depth=6, exception=record.exc_info).log(record.levelname, record.getMessage())

    class Propagate(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log.handle(record)

    sink = loguru_logger.add(sys.stderr, level="CRITICAL")
    loguru_logger.bind(order=7).warning("alone")
    bridge = loguru_logger.add(Propagate(), format="{message}")
    loguru_logger.info("into logging")
    loguru_logger.remove(bridge)
    log.addHandler(Intercept())
    log.info("into loguru")
    loguru_logger.remove(sink)
    bodies = [taken.body for taken in telemetry.logs()]
    assert sorted(bodies) == ["alone", "into logging", "into loguru"]
    (alone,) = [taken for taken in telemetry.logs() if taken.body == "alone"]
    assert (alone.severity, alone.attributes["order"]) == ("WARN", 7)


@pytest.mark.usefixtures("log")
def test_structlog_is_taken_with_its_event_and_values(telemetry: Telemetry) -> None:
    """Printed by structlog itself, or rendered by `logging`."""
    structlog.reset_defaults()
    structlog.get_logger().bind(order=7).warning("printed", password="hunter22")
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    structlog.get_logger("test.logs").warning("through logging", order=8)
    structlog.reset_defaults()
    printed, through = telemetry.logs()
    assert (printed.body, printed.severity) == ("printed", "WARN")
    assert printed.attributes == {"order": 7, "password": "[REDACTED]"}
    assert (through.body, through.attributes["order"]) == ("through logging", 8)


def test_the_export_path_does_not_feed_itself(telemetry: Telemetry) -> None:
    """Records of our own threads and of the export are left out."""
    logging.getLogger("instrumentation.export.pipeline").error("could not encode")
    assert telemetry.logs() == []
