"""What may be set about exporters and is hardly meant so."""

from __future__ import annotations

from collections.abc import Iterator

from collector.exporting.settings import OtlpHttpSettings
from collector.settings import CollectorSettings, PipelinesSettings

_SIGNALS = tuple(PipelinesSettings.model_fields)
_FIXED = frozenset({"content-type", "content-encoding", "accept-encoding"})


def exporter_warnings(settings: CollectorSettings) -> Iterator[str]:
    """What sends nothing or what another sends, an address with a signal's path, headers that are not sent as given."""
    pipelines = (getattr(settings.service.pipelines, signal) for signal in _SIGNALS)
    listed = {name for pipeline in pipelines if pipeline is not None for name in pipeline.exporters}
    for name, exporter in settings.exporters.otlp.items():
        if name not in listed:
            yield f"exporters.{name}: no pipeline lists it, so nothing is sent there. See service.pipelines"
        if isinstance(exporter, OtlpHttpSettings):
            yield from _of_http(name, exporter)
    yield from _twice(settings)


def _twice(settings: CollectorSettings) -> Iterator[str]:
    """Two that send the same to the same; other headers may mean another tenant."""
    known: dict[tuple[str, str, frozenset[tuple[str, str]]], str] = {}
    for name, signals in settings.forwarded().items():
        exporter = settings.exporters.otlp[name]
        headers = frozenset((key.lower(), value.get_secret_value()) for key, value in exporter.headers.items())
        for signal in signals:
            where = exporter.url(signal) or "" if isinstance(exporter, OtlpHttpSettings) else exporter.target
            first = known.setdefault((signal, where, headers), name)
            if first != name:
                yield f"exporters.{name}: sends {signal} to {where}, as exporters.{first} does: they arrive twice there"


def _of_http(name: str, exporter: OtlpHttpSettings) -> Iterator[str]:
    before, slash, signal = (exporter.endpoint or "").rpartition("/v1/")
    if slash and signal in _SIGNALS:
        yield (
            f"exporters.{name}.endpoint: /v1/{signal} is added to it. Give {before} as endpoint, or this as "
            f"{signal}_endpoint"
        )
    for header in exporter.headers:
        if header.lower() in _FIXED:
            yield f"exporters.{name}.headers: {header} is set by what is sent and can't be changed"
