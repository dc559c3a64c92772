from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from instrumentation.export.transport import Target
from instrumentation.settings import resolve


@pytest.mark.parametrize(
    ("keywords", "environ", "url"),
    [
        ({}, {}, "http://127.0.0.1:4318/v1/traces"),
        ({"endpoint": "http://127.0.0.1:14318/"}, {}, "http://127.0.0.1:14318/v1/traces"),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://example.com/otlp"}, "https://example.com/otlp/v1/traces"),
        ({}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/t"}, "http://127.0.0.1:1/t"),
        (
            {"endpoint": "http://127.0.0.1:2"},
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/t"},
            "http://127.0.0.1:2/v1/traces",
        ),
        ({}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://127.0.0.1:4317"),
        ({"endpoint": "127.0.0.1"}, {}, "http://127.0.0.1:4318/v1/traces"),
        ({"endpoint": "http://[bad"}, {}, "http://127.0.0.1:4318/v1/traces"),
    ],
)
def test_the_address_comes_from_keyword_then_signal_then_environment(
    keywords: dict[str, Any], environ: dict[str, str], url: str
) -> None:
    """As the OTLP exporter specification has it, a keyword before all; what is no address gives the default."""
    assert resolve(keywords, environ).targets["traces"].url == url


def test_the_standard_variables_shape_the_request() -> None:
    """Headers percent-decoded, timeout in milliseconds, compression and certificates; a signal's own before all."""
    target = resolve(
        {},
        {
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc,x-team=ops",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem",
        },
    ).targets["traces"]
    assert target == Target(
        url="http://127.0.0.1:4318/v1/traces",
        headers={"authorization": "Bearer abc", "x-team": "ops"},
        timeout_seconds=2.5,
        gzip=True,
        ca_file="ca.pem",
    )


def test_values_that_cannot_be_used_are_told_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """The app starts all the same."""
    settings = resolve(
        {"trusted_proxies": ["10.0.0.0/8", "proxy"], "disabled": ["system", "sytem"]},
        {
            "OTEL_METRIC_EXPORT_INTERVAL": "often",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        },
    )
    assert settings.metric_interval_seconds == 10.0
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"),)
    assert settings.disabled == frozenset({"system"})
    for told in ("=often is not a number", "proxy is no address", "no part sytem", "=soon is no number", "http/json"):
        assert told in caplog.text


def test_parts_are_turned_off_by_the_standard_variables_too() -> None:
    """OTEL_*_EXPORTER=none and OTEL_PYTHON_DISABLED_INSTRUMENTATIONS mean what they mean elsewhere."""
    settings = resolve(
        {}, {"OTEL_METRICS_EXPORTER": "none", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "aiohttp-client, sqlalchemy"}
    )
    assert settings.disabled == frozenset({"metrics", "aiohttp", "sqlalchemy"})


@pytest.mark.parametrize(
    ("keyword", "environ", "folder"),
    [
        (False, {}, None),
        (None, {"FORECOURT_SPOOL": "off"}, None),
        (None, {"FORECOURT_SPOOL": "/var/spool/x"}, Path("/var/spool/x")),
        ("here", {}, Path("here")),
    ],
)
def test_the_spool_is_a_folder_or_off(keyword: Any, environ: dict[str, str], folder: Path | None) -> None:
    """By keyword or variable."""
    assert resolve({"spool": keyword}, environ).spool == folder
