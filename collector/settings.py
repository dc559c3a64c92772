"""What the operator may set about receiving, in the OpenTelemetry Collector's words."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, SecretStr, model_validator
from pydantic.fields import FieldInfo

from collector.decoding import DecodingLimits
from collector.units import Bytes, Seconds

_ENDPOINT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>\d{1,5})")
_MAX_PORT = 65535
_MIB = 2**20


def _endpoint(value: str) -> str:
    found = _ENDPOINT.fullmatch(value)
    if found is None or int(found["port"]) > _MAX_PORT:
        raise ValueError(f"{value!r} is not HOST:PORT, expected for example 127.0.0.1:4317")
    return value


def is_loopback(endpoint: str) -> bool:
    """Whether only this machine can reach HOST:PORT."""
    host = endpoint.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Endpoint = Annotated[str, AfterValidator(_endpoint)]


class Settings(BaseModel):
    """A component that is named without settings (`health_check:`) has its defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _fill_named(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        named = {name for name, value in content.items() if value is None and _has_defaults(cls.model_fields.get(name))}
        return {name: {} if name in named else value for name, value in content.items()}


def _has_defaults(field: FieldInfo | None) -> bool:
    kinds = get_args(field.annotation) or (field.annotation,) if field else ()
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Settings)]
    return bool(models) and not any(inner.is_required() for inner in models[0].model_fields.values())


class TlsSettings(Settings):
    cert_file: FilePath
    key_file: FilePath
    client_ca_file: FilePath | None = None


class AuthSettings(Settings):
    authenticator: str


class ServerSettings(Settings):
    tls: TlsSettings | None = None
    auth: AuthSettings | None = None


class GrpcSettings(ServerSettings):
    endpoint: Endpoint = "127.0.0.1:4317"
    max_recv_msg_size_mib: int = Field(64, ge=1, le=1024)


class CorsSettings(Settings):
    allowed_origins: tuple[str, ...] = ()
    allowed_headers: tuple[str, ...] = ()
    max_age: Seconds = 7200.0


class HttpSettings(ServerSettings):
    endpoint: Endpoint = "127.0.0.1:4318"
    max_request_body_size: Bytes = 64 * _MIB
    cors: CorsSettings = CorsSettings()


class ProtocolSettings(Settings):
    """A protocol that is not named, or null without being empty, is not served."""

    grpc: GrpcSettings | None = None
    http: HttpSettings | None = None


class OtlpSettings(Settings):
    protocols: ProtocolSettings = ProtocolSettings(grpc=GrpcSettings(), http=HttpSettings())


class ReceiverSettings(Settings):
    otlp: OtlpSettings = OtlpSettings()


class MemoryLimiterSettings(Settings):
    limit_mib: int = Field(192, ge=1)

    @property
    def limit_bytes(self) -> int:
        return self.limit_mib * _MIB


class RedactionSettings(Settings):
    keys: tuple[str, ...] = ()


class LimitSettings(Settings):
    attribute_count: int = Field(128, ge=1)
    attribute_value_length: int = Field(16_384, ge=1)
    body_length: int = Field(131_072, ge=1)
    event_count: int = Field(256, ge=0)
    link_count: int = Field(256, ge=0)
    record_bytes: Bytes = 1_048_576
    records_per_request: int = Field(500_000, ge=1)

    def decoding_limits(self) -> DecodingLimits:
        return DecodingLimits(**{name: getattr(self, name) for name in type(self).model_fields})


class ProcessorSettings(Settings):
    memory_limiter: MemoryLimiterSettings = MemoryLimiterSettings()
    redaction: RedactionSettings = RedactionSettings()
    limits: LimitSettings = LimitSettings()


class HealthCheckSettings(Settings):
    endpoint: Endpoint = "127.0.0.1:13133"


class BearerTokenSettings(Settings):
    """Senders need one of the tokens; several let them change one by one."""

    tokens: tuple[SecretStr, ...] = ()
    token_file: FilePath | None = None

    def values(self) -> tuple[str, ...]:
        """The tokens of both places; raise OSError, or ValueError when there is none."""
        lines = self.token_file.read_text(encoding="utf-8").split() if self.token_file else []
        found = (*(token.get_secret_value() for token in self.tokens), *lines)
        if not found or not all(found):
            raise ValueError("has no token, or an empty one: give it tokens or a token_file")
        return found


class ExtensionSettings(Settings):
    health_check: HealthCheckSettings = HealthCheckSettings()
    bearertokenauth: BearerTokenSettings | None = None


class MetricsEndpointSettings(Settings):
    endpoint: Endpoint = "127.0.0.1:8888"


class OwnLogSettings(Settings):
    level: Literal["debug", "info", "warn", "error"] = "info"


class TelemetrySettings(Settings):
    metrics: MetricsEndpointSettings = MetricsEndpointSettings()
    logs: OwnLogSettings = OwnLogSettings()


class PipelineSettings(Settings):
    receivers: tuple[str, ...] = ("otlp",)
    processors: tuple[str, ...] = ("memory_limiter", "redaction", "limits")
    exporters: tuple[str, ...] = ("jsonl",)


class PipelinesSettings(Settings):
    """A signal without a pipeline is not received."""

    traces: PipelineSettings | None = None
    metrics: PipelineSettings | None = None
    logs: PipelineSettings | None = None


class ServiceSettings(Settings):
    extensions: tuple[str, ...] = ("health_check",)
    telemetry: TelemetrySettings = TelemetrySettings()
    pipelines: PipelinesSettings = PipelinesSettings(
        traces=PipelineSettings(), metrics=PipelineSettings(), logs=PipelineSettings()
    )


class CollectorSettings(Settings):
    receivers: ReceiverSettings = ReceiverSettings()
    processors: ProcessorSettings = ProcessorSettings()
    extensions: ExtensionSettings = ExtensionSettings()
    service: ServiceSettings = ServiceSettings()

    def servers(self) -> dict[str, GrpcSettings | HttpSettings]:
        """The protocols that are served, by name."""
        protocols = self.receivers.otlp.protocols
        found = {"grpc": protocols.grpc, "http": protocols.http}
        return {name: server for name, server in found.items() if server is not None}
