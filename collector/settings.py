"""What the operator may set about receiving, in the OpenTelemetry Collector's words."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, FilePath, SecretStr, field_validator

from collector.exporting.settings import ExportersSettings
from processors.endpoint import Endpoint, checked_endpoint
from processors.judgement import Judgement
from processors.judging_settings import JudgingSettings
from processors.settings_model import Settings
from processors.units import Bytes, Seconds

_MIB = 2**20


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


class ProcessMatch(Settings):
    """A process by words of its command line."""

    name: str
    command: str = Field(min_length=1)


class HostMetricsSettings(Settings):
    collection_interval: Seconds = 30.0
    processes: tuple[ProcessMatch, ...] = ()


class ProbeSettings(Settings):
    """One look at a target; an empty address means that there is no such target here."""

    name: str
    timeout: Seconds = Field(5.0, gt=0)
    unhealthy_after: int = Field(3, ge=1)


class HttpProbeSettings(ProbeSettings):
    endpoint: str
    method: Literal["GET", "HEAD", "POST", "OPTIONS"] = "GET"
    expected_status: tuple[int, ...] = ()
    body: str = ""
    headers: dict[str, SecretStr] = Field(default_factory=dict)

    @field_validator("endpoint")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^/\s]+\S*", value):
            raise ValueError(f"{value!r} is not a URL, expected for example http://127.0.0.1:8000/api/health")
        return value

    @field_validator("body")
    @classmethod
    def _is_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression: {error}") from error
        return value


class TcpProbeSettings(ProbeSettings):
    endpoint: str

    @field_validator("endpoint")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return checked_endpoint(value) if value else value


class SqlProbeSettings(ProbeSettings):
    url: SecretStr
    quick_check_interval: Seconds = 3600.0


class HttpCheckSettings(Settings):
    collection_interval: Seconds = Field(30.0, ge=1)
    targets: tuple[HttpProbeSettings, ...] = (
        HttpProbeSettings(name="backend", endpoint="http://127.0.0.1:8000/api/health"),
        HttpProbeSettings(name="frontend", endpoint="http://127.0.0.1:5173/"),
        HttpProbeSettings.model_validate({"name": "workfossa", "endpoint": "", "timeout": "10s"}),
    )


class TcpCheckSettings(Settings):
    collection_interval: Seconds = Field(60.0, ge=1)
    targets: tuple[TcpProbeSettings, ...] = (
        TcpProbeSettings(name="smtp", endpoint=""),
        TcpProbeSettings(name="pushover", endpoint=""),
    )


class SqlCheckSettings(Settings):
    collection_interval: Seconds = Field(30.0, ge=1)
    targets: tuple[SqlProbeSettings, ...] = (SqlProbeSettings(name="database", url=SecretStr("")),)


class ReceiverSettings(Settings):
    otlp: OtlpSettings = OtlpSettings()
    hostmetrics: HostMetricsSettings = HostMetricsSettings()
    httpcheck: HttpCheckSettings = HttpCheckSettings()
    tcpcheck: TcpCheckSettings = TcpCheckSettings()
    sqlcheck: SqlCheckSettings = SqlCheckSettings()


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


class ProcessorSettings(JudgingSettings):
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


JUDGES = ("thresholds", "baselines", "anomalies", "security")
"""The processors that judge."""


class PipelineSettings(Settings):
    receivers: tuple[str, ...] = ("otlp",)
    processors: tuple[str, ...] = ("memory_limiter", "redaction", "limits", *JUDGES)
    exporters: tuple[str, ...] = ("jsonl",)


_METRIC_RECEIVERS = ("otlp", "hostmetrics", "httpcheck", "tcpcheck", "sqlcheck")


class PipelinesSettings(Settings):
    """A signal without a pipeline is not received."""

    traces: PipelineSettings | None = None
    metrics: PipelineSettings | None = None
    logs: PipelineSettings | None = None


class ServiceSettings(Settings):
    extensions: tuple[str, ...] = ("health_check",)
    telemetry: TelemetrySettings = TelemetrySettings()
    pipelines: PipelinesSettings = PipelinesSettings(
        traces=PipelineSettings(), metrics=PipelineSettings(receivers=_METRIC_RECEIVERS), logs=PipelineSettings()
    )


class CollectorSettings(Settings):
    receivers: ReceiverSettings = ReceiverSettings()
    processors: ProcessorSettings = ProcessorSettings()
    exporters: ExportersSettings = ExportersSettings()
    extensions: ExtensionSettings = ExtensionSettings()
    service: ServiceSettings = ServiceSettings()

    def judgement(self) -> Judgement:
        """By the judges that any pipeline lists."""
        pipelines = self.service.pipelines
        listed = (pipelines.traces, pipelines.metrics, pipelines.logs)
        used = {name for pipeline in listed if pipeline is not None for name in pipeline.processors}
        return Judgement(self.processors.thresholds, others=self.processors.others(used))

    def forwarded(self) -> dict[str, tuple[str, ...]]:
        """The signals that each exporter sends on: those whose pipelines list it."""
        pipelines = {signal: getattr(self.service.pipelines, signal) for signal in PipelinesSettings.model_fields}
        listed = {
            name: tuple(signal for signal, pipeline in pipelines.items() if pipeline and name in pipeline.exporters)
            for name in self.exporters.otlp
        }
        return {name: signals for name, signals in listed.items() if signals}

    def servers(self) -> dict[str, GrpcSettings | HttpSettings]:
        """The protocols that are served, by name."""
        protocols = self.receivers.otlp.protocols
        found = {"grpc": protocols.grpc, "http": protocols.http}
        return {name: server for name, server in found.items() if server is not None}
