"""What the operator may set about exporters, in the OpenTelemetry Collector's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, FilePath, SecretStr, model_validator

from collector.exporting.sampling_settings import TailSamplingSettings
from collector.store_settings import StoreSettings
from processors.endpoint import checked_endpoint
from processors.settings_model import Settings
from processors.units import Bytes, Seconds

_MIB = 2**20
_URL = re.compile(r"https?://[^/\s?#@]+(?:/[^\s?#]*)?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, 5.6.2)."""
_NOT_IN_A_LINE = frozenset("\r\n\0")
_METADATA_NAME = re.compile(r"[0-9A-Za-z_.-]+")
_METADATA_VALUE = re.compile(r"[ -~]*")
_SHOWN = 60
_SCHEME = re.compile(r"(?P<scheme>https?)://(?P<rest>[^/\s]+)/?")


def _checked_url(value: str) -> str:
    if "@" in value.partition("://")[2].partition("/")[0]:
        raise ValueError("holds a user or a password: send them as headers: {authorization: Basic …}")
    if not _URL.fullmatch(value):
        raise ValueError(f"{value!r} is not a URL, expected for example http://127.0.0.1:14318")
    return value.rstrip("/")


def _checked_target(value: str) -> str:
    found = _SCHEME.fullmatch(value)
    checked_endpoint(found["rest"] if found else value)
    return value.rstrip("/")


def _checked_certificates(path: Path) -> Path:
    import ssl  # noqa: PLC0415  # for who names such a file

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ValueError(f"{str(path)!r} holds no certificate, expected PEM: -----BEGIN CERTIFICATE-----") from error
    except OSError:
        pass  # who sends may read what who checks may not; else it is told where it is sent
    return path


def _check_pair(certificate: Path, key: Path) -> None:
    import ssl  # noqa: PLC0415  # for who names such files

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, lambda: "")
    except ssl.SSLError as error:
        raise ValueError(
            f"key_file {str(key)!r} is not the key of {str(certificate)!r}, expected that in PEM, without a password"
        ) from error
    except OSError:
        pass  # as above


def _checked_text(value: object) -> object:
    if not isinstance(value, str | SecretStr):
        raise ValueError("expected a text: put quotes around it")  # noqa: TRY004  # pydantic's, without the value
    return value


def _checked_headers(headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name[:_SHOWN]!r} is no name of a header, expected letters, digits and hyphens")
        if not _NOT_IN_A_LINE.isdisjoint(value.get_secret_value()):
            raise ValueError(f"{name[:_SHOWN]!r} has a line's end in its value, expected one line: look at the quotes")
    return headers


def _checked_metadata(headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
    for name, value in headers.items():
        if not _METADATA_NAME.fullmatch(name):
            raise ValueError(f"{name[:_SHOWN]!r} is no name for gRPC, expected letters, digits, '-', '_' and '.'")
        if not name.lower().endswith("-bin") and not _METADATA_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"{name[:_SHOWN]!r} has a value that gRPC can't carry, expected ASCII on one line")
    return headers


Url = Annotated[str, AfterValidator(_checked_url)]
Compression = Literal["gzip", "zstd", "none"]
Certificates = Annotated[FilePath, AfterValidator(_checked_certificates)]
Headers = dict[str, Annotated[SecretStr, BeforeValidator(_checked_text)]]


class ClientTlsSettings(Settings):
    """How the other side is trusted, and what it is shown."""

    insecure: bool = False
    """gRPC without TLS; over HTTP the scheme of the address decides."""
    insecure_skip_verify: bool = False
    ca_file: Certificates | None = None
    cert_file: Certificates | None = None
    key_file: FilePath | None = None
    server_name_override: str = ""

    @model_validator(mode="after")
    def _both_or_none(self) -> ClientTlsSettings:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: give both or none")
        if self.cert_file is not None and self.key_file is not None:
            _check_pair(self.cert_file, self.key_file)
        return self


class RetrySettings(Settings):
    """Growing pauses between attempts, give or take `randomization_factor`."""

    enabled: bool = True
    initial_interval: Seconds = Field(5.0, gt=0)
    multiplier: float = Field(1.5, ge=1, le=10)
    randomization_factor: float = Field(0.5, ge=0, le=1)
    max_interval: Seconds = Field(30.0, gt=0)
    max_elapsed_time: Seconds = Field(0.0, ge=0)
    """After it a request is set aside; 0: never."""


class QueueSettings(Settings):
    """The store is the queue; this is how it is read."""

    queue_size: Bytes = 20 * 2**30
    """So much of the records that retention keeps for this exporter; beyond it the oldest are dropped."""
    order: Literal["oldest_first", "newest_first"] = "oldest_first"
    start_at: Literal["end", "beginning"] = "end"
    """Where an exporter that is new begins: with what comes from now on, or with all that there is."""
    batch_size: Bytes = Field(2 * _MIB, ge=1024, le=64 * _MIB)
    """Lines that one request is made of; the request is smaller."""
    rate_limit: int = Field(0, ge=0)
    """Records per second; 0: none."""


class ExporterSettings(Settings):
    headers: Annotated[Headers, AfterValidator(_checked_headers)] = Field(default_factory=dict)
    tls: ClientTlsSettings = ClientTlsSettings()
    compression: Compression = "gzip"
    retry_on_failure: RetrySettings = RetrySettings()
    sending_queue: QueueSettings = QueueSettings()
    tail_sampling: TailSamplingSettings | None = None

    def endpoints(self) -> Iterator[str]:
        """Where it sends to, each as HOST:PORT."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _sampled_in_order(self) -> Any:
        if self.tail_sampling is not None and self.sending_queue.order == "newest_first":
            raise ValueError("tail_sampling needs sending_queue.order oldest_first: it waits for the rest of a trace")
        return self


class OtlpGrpcSettings(ExporterSettings):
    """`otlp_grpc/NAME`: HOST:PORT, or with http:// or https:// before it, which decides about TLS."""

    kind: Literal["otlp_grpc"] = Field("otlp_grpc", exclude=True)
    headers: Annotated[Headers, AfterValidator(_checked_metadata)] = Field(default_factory=dict)
    endpoint: Annotated[str, AfterValidator(_checked_target)]
    timeout: Seconds = Field(5.0, gt=0)

    @model_validator(mode="after")
    def _what_grpc_has(self) -> OtlpGrpcSettings:
        if self.compression == "zstd":
            raise ValueError("compression zstd is not known to gRPC here, expected gzip or none")
        if self.tls.insecure_skip_verify:
            raise ValueError(
                "tls.insecure_skip_verify can't be had over gRPC here: give the certificate as ca_file, and "
                "server_name_override if its name is another"
            )
        return self

    @property
    def target(self) -> str:
        """HOST:PORT."""
        return self.endpoint.rpartition("/")[2]

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken: what stands before the address decides, else `tls.insecure`."""
        found = _SCHEME.fullmatch(self.endpoint)
        return found["scheme"] == "https" if found else not self.tls.insecure

    def endpoints(self) -> Iterator[str]:
        yield self.target


class OtlpHttpSettings(ExporterSettings):
    """`otlp_http/NAME`: /v1/traces, /v1/metrics and /v1/logs are added to `endpoint`, not to those of one signal."""

    kind: Literal["otlp_http"] = Field("otlp_http", exclude=True)
    endpoint: Url | None = None
    traces_endpoint: Url | None = None
    metrics_endpoint: Url | None = None
    logs_endpoint: Url | None = None
    encoding: Literal["proto", "json"] = "proto"
    timeout: Seconds = Field(30.0, gt=0)

    @model_validator(mode="after")
    def _somewhere(self) -> OtlpHttpSettings:
        if not (self.endpoint or self.traces_endpoint or self.metrics_endpoint or self.logs_endpoint):
            raise ValueError("needs an endpoint, for example http://127.0.0.1:14318")
        return self

    def url(self, signal: str) -> str | None:
        """Where `traces`, `metrics` or `logs` go; None when nowhere."""
        own: str | None = getattr(self, f"{signal}_endpoint")
        return own or (f"{self.endpoint}/v1/{signal}" if self.endpoint else None)

    def endpoints(self) -> Iterator[str]:
        for url in filter(None, (self.endpoint, self.traces_endpoint, self.metrics_endpoint, self.logs_endpoint)):
            parts = urlsplit(url)
            host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
            yield f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


OtlpSettings = Annotated[OtlpGrpcSettings | OtlpHttpSettings, Field(discriminator="kind")]
_KINDS = {"otlp_grpc": "otlp_grpc", "otlp": "otlp_grpc", "otlp_http": "otlp_http", "otlphttp": "otlp_http"}
"""By type; the Collector has the second name of each too."""
EXPORTERS = "jsonl, otlp_grpc/NAME or otlp_http/NAME"
"""As people are told of what may stand there."""
KINDS: dict[str, type[ExporterSettings]] = {"otlp_grpc": OtlpGrpcSettings, "otlp_http": OtlpHttpSettings}


def kind_of(name: str) -> str:
    """`otlp_grpc` or `otlp_http`; empty where the name begins with no type of exporter."""
    kind, slash, own = name.partition("/")
    return _KINDS.get(kind, "") if own.strip() or not slash else ""


class ExportersSettings(Settings):
    """`jsonl`, and any number of `otlp_grpc/NAME` and `otlp_http/NAME`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, OtlpSettings]

    jsonl: StoreSettings = StoreSettings()

    @model_validator(mode="before")
    @classmethod
    def _by_type(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        found = {name: value for name, value in content.items() if name == "jsonl"}
        for name, value in content.items():
            if name == "jsonl":
                continue
            given = {} if value is None else value
            found[name] = {**given, "kind": kind_of(str(name))} if isinstance(given, dict) else given
        return found

    @property
    def otlp(self) -> dict[str, OtlpGrpcSettings | OtlpHttpSettings]:
        """Those that send on, by name."""
        return dict(self.__pydantic_extra__ or {})
