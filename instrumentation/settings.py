from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import unquote, urlsplit

import platformdirs

from instrumentation.export.transport import SIGNALS, Signal, Target

logger = logging.getLogger("forecourt")

PARTS = (
    *("traces", "metrics", "logs", "server", "sqlalchemy", "requests", "httpx", "aiohttp", "urllib3"),
    *("loguru", "structlog", "system", "event_loop", "users", "fossawork"),
)
"""What `disabled=` and FORECOURT_DISABLED can turn off."""
Network = IPv4Network | IPv6Network
_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `instrument` was told, by keyword before environment before default."""

    service_name: str | None
    targets: Mapping[Signal, Target]
    spool: Path | None
    """The folder; None keeps in memory."""
    spool_bytes: int = 64 << 20
    spool_seconds: float = 24 * 3600.0
    redact: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    exports: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    slow_statement_seconds: float = 0.1
    metric_interval_seconds: float = 10.0
    operation_spans: bool = False
    disabled: frozenset[str] = field(default_factory=frozenset)

    def on(self, part: str) -> bool:
        return part not in self.disabled


def state_folder() -> Path:
    """Where this user's programs keep what must outlive them, by the platform's custom."""
    return Path(platformdirs.user_state_dir("forecourt", appauthor=False))


def resolve(keywords: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """`keywords` that are None count as not given. A value that can't be used is reported and its default taken."""
    given = {key: value for key, value in keywords.items() if value is not None}
    source = _Source(given, environ)
    endpoint = source.text("endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "")
    spool = given.get("spool", True)
    return Settings(
        service_name=given.get("service_name") or environ.get("OTEL_SERVICE_NAME"),
        targets={signal: _target(signal, endpoint, "endpoint" in given, environ) for signal in SIGNALS},
        spool=_spool_folder(spool, environ),
        spool_bytes=source.number("spool_bytes", "FORECOURT_SPOOL_BYTES", 64 << 20, int),
        spool_seconds=source.number("spool_seconds", "FORECOURT_SPOOL_SECONDS", 24 * 3600.0, float),
        redact=source.names("redact", "FORECOURT_REDACT"),
        trusted_proxies=_networks(source.names("trusted_proxies", "FORECOURT_TRUSTED_PROXIES")),
        exports=source.names("exports", "FORECOURT_EXPORTS"),
        excluded=source.names("excluded", "FORECOURT_EXCLUDED"),
        slow_statement_seconds=source.number("slow_statement_seconds", "FORECOURT_SLOW_STATEMENT_SECONDS", 0.1, float),
        metric_interval_seconds=source.number(
            "metric_interval_seconds", "OTEL_METRIC_EXPORT_INTERVAL", 10.0, lambda text: float(text) / 1000
        ),
        operation_spans=bool(given.get("operation_spans", False)),
        disabled=_disabled(source.names("disabled", "FORECOURT_DISABLED"), environ),
    )


class _Source:
    def __init__(self, given: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._given = given
        self._environ = environ

    def text(self, keyword: str, variable: str, default: str) -> str:
        return str(self._given.get(keyword) or self._environ.get(variable) or default)

    def names(self, keyword: str, variable: str) -> tuple[str, ...]:
        given: str | Iterable[str] = self._given.get(keyword, self._environ.get(variable, ""))
        parts = given.split(",") if isinstance(given, str) else given
        return tuple(name for part in parts if (name := str(part).strip()))

    def number(self, keyword: str, variable: str, default: _Parsed, parse: Callable[[str], _Parsed]) -> _Parsed:
        if keyword in self._given:
            return type(default)(self._given[keyword])  # type: ignore[call-arg]  # numbers take numbers
        text = self._environ.get(variable, "").strip()
        try:
            return parse(text) if text else default
        except ValueError:
            logger.warning("%s=%s is not a number; %s is taken", variable, text, default)
            return default


def _spool_folder(spool: str | Path | Literal[True, False], environ: Mapping[str, str]) -> Path | None:
    if spool is False or environ.get("FORECOURT_SPOOL", "").strip().lower() in {"false", "0", "off", "no"}:
        return None
    if spool is True:
        return Path(environ.get("FORECOURT_SPOOL") or state_folder() / "spool")
    return Path(spool)


def _networks(names: Iterable[str]) -> tuple[Network, ...]:
    networks = []
    for name in names:
        try:
            networks.append(ip_network(name, strict=False))
        except ValueError:
            logger.warning("trusted_proxies: %s is no address or network such as 10.0.0.0/8; it is left out", name)
    return tuple(networks)


def _disabled(names: tuple[str, ...], environ: Mapping[str, str]) -> frozenset[str]:
    off = {f"{signal}" for signal in SIGNALS if environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip() == "none"}
    standard = environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
    off.update(name.strip().replace("aiohttp-client", "aiohttp") for name in standard)
    for unknown in set(names) - set(PARTS):
        logger.warning("disabled: there is no part %s; the parts are %s", unknown, ", ".join(PARTS))
    return frozenset({*names, *off} & set(PARTS))


def _target(signal: Signal, endpoint: str, given: bool, environ: Mapping[str, str]) -> Target:  # noqa: FBT001
    """The variables are those of the OTLP exporter specification: a signal's own before the common one."""

    def variable(name: str, default: str = "") -> str:
        specific = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", "").strip()
        return specific or environ.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip() or default

    protocol: Literal["http/protobuf", "grpc"] = "grpc" if variable("PROTOCOL") == "grpc" else "http/protobuf"
    if variable("PROTOCOL") not in {"", "grpc", "http/protobuf"}:
        logger.warning("OTEL_EXPORTER_OTLP_PROTOCOL=%s is not known here; http/protobuf is taken", variable("PROTOCOL"))
    return Target(
        url=_url(
            signal,
            protocol,
            endpoint,
            "" if given else environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", ""),
        ),
        protocol=protocol,
        headers=_headers(variable("HEADERS")),
        timeout_seconds=_seconds(variable("TIMEOUT", "10000")),
        gzip=variable("COMPRESSION") == "gzip",
        ca_file=variable("CERTIFICATE") or None,
        certificate_file=variable("CLIENT_CERTIFICATE") or None,
        key_file=variable("CLIENT_KEY") or None,
    )


def _url(signal: Signal, protocol: str, endpoint: str, of_signal: str) -> str:
    default = "http://127.0.0.1:4317" if protocol == "grpc" else "http://127.0.0.1:4318"
    url = of_signal or endpoint or default
    try:
        usable = urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname)
    except ValueError:
        usable = False
    if not usable:
        logger.warning("endpoint: %s is no address such as %s, which is taken", url, default)
        url, of_signal = default, ""
    if protocol == "grpc" or of_signal:
        return url
    return f"{url.rstrip('/')}/v1/{signal}"


def _headers(text: str) -> dict[str, str]:
    """`key=value,key=value` with percent-encoded values, as W3C Baggage."""
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return {unquote(name).strip(): unquote(value).strip() for name, _, value in pairs}


def _seconds(milliseconds: str) -> float:
    try:
        return float(milliseconds) / 1000
    except ValueError:
        logger.warning("OTEL_EXPORTER_OTLP_TIMEOUT=%s is no number of milliseconds; 10000 is taken", milliseconds)
        return 10.0
