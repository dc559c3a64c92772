"""The whole configuration, composed of what each package lets the operator set."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerting.consistency import problems as alerting_problems
from alerting.settings import AlertingSettings
from collector.consistency import problems
from operations.exporter_warnings import exporter_warnings
from operations.page_settings import PagedSettings
from operations.page_settings import problems as page_problems
from operations.page_settings import warnings as page_warnings
from operations.settings_file import find_settings, packaged_default
from operations.yaml_document import Way, read_document

_PATHS = (
    ("alerting", "templates"),
    ("alerting", "smtp", "password_file"),
    ("alerting", "smtp", "ca_file"),
    ("extensions", "bearertokenauth", "token_file"),
    ("extensions", "dashboard", "tls", "cert_file"),
    ("extensions", "dashboard", "tls", "key_file"),
    *(
        ("receivers", "otlp", "protocols", protocol, "tls", name)
        for protocol in ("grpc", "http")
        for name in ("cert_file", "key_file", "client_ca_file")
    ),
)


class Configuration(PagedSettings):
    """The whole file."""

    alerting: AlertingSettings = AlertingSettings()


_UNLISTED = {
    "baselines": "nobody is told what is slower than it was",
    "anomalies": "nothing learns what is usual",
    "security": "nobody is told of attacks",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration and where it came from."""

    name: str
    configuration: Configuration
    warnings: tuple[str, ...]
    values: Mapping[str, Any]
    """As they stand in the file."""

    def named(self, *way: str) -> list[str]:
        """The keys that the file has at this place."""
        inner: Any = self.values
        for key in way:
            inner = inner.get(key) if isinstance(inner, Mapping) else None
        return list(inner) if isinstance(inner, Mapping) else []


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Source:
    """As `find_settings` finds it; relative paths in a file are relative to it. Raise ConfigurationError."""
    file = find_settings(path, environment)
    document = file.document
    if document.values is None:
        document.values = {}
    values = document.values
    if not document.problems and isinstance(values, dict):
        _make_absolute(values, file.folder)
        _complete(values, environment)
    configuration = file.checked(Configuration, _problems)
    exporters = configuration.exporters.model_copy(update={"jsonl": file.anchored(configuration.exporters.jsonl)})
    configuration = configuration.model_copy(update={"exporters": exporters})
    return Source(file.name, configuration, tuple(_warnings(configuration)), values)


def _complete(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Of alerting all that the file does not say is as in the default, its addresses from the environment included.

    Receivers and routes of the file come first, so that its routes are asked first.
    """
    given = values.get("alerting")
    default = read_document(packaged_default(), environment).values["alerting"]
    if given is None:
        values["alerting"] = default
    elif isinstance(given, dict):
        values["alerting"] = {**default, **given}
        for name in ("smtp", "receivers", "routes"):
            if isinstance(given.get(name), dict):
                values["alerting"][name] = {**given[name], **_absent(default[name], given[name])}


def _absent(default: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in default.items() if name not in given}


def _make_absolute(values: dict[str, Any], folder: Path) -> None:
    for *way, last in (*_PATHS, *_of_exporters(values.get("exporters"))):
        inner: Any = values
        for key in way:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get(last), str) and inner[last]:
            inner[last] = str(folder / Path(inner[last]).expanduser())


def _of_exporters(values: Any) -> Iterator[Way]:
    for name in values if isinstance(values, dict) else ():
        for file in ("ca_file", "cert_file", "key_file"):
            yield "exporters", str(name), "tls", file


def _problems(configuration: Configuration) -> Iterator[tuple[Way, str]]:
    yield from problems(configuration)
    yield from page_problems(configuration)
    for way, text in alerting_problems(configuration.alerting):
        yield ("alerting", *way), text


def _unlisted(configuration: Configuration) -> Iterator[str]:
    """Judges that are switched on and that no pipeline lists: a file from before they were there."""
    pipelines = configuration.service.pipelines
    listed = (pipelines.traces, pipelines.metrics, pipelines.logs)
    used = {name for pipeline in listed if pipeline is not None for name in pipeline.processors}
    for judge, what in _UNLISTED.items():
        if judge not in used and "thresholds" in used:
            yield f"service.pipelines: no pipeline lists {judge} among its processors, so {what}"


def _warnings(configuration: Configuration) -> Iterator[str]:
    for signal in ("traces", "metrics", "logs"):
        pipeline = getattr(configuration.service.pipelines, signal)
        if pipeline is None:
            yield f"service.pipelines.{signal}: is missing, so {signal} are refused"
        elif "redaction" not in pipeline.processors:
            yield f"service.pipelines.{signal}.processors: without redaction, so secrets reach the files"
    yield from _unlisted(configuration)
    yield from exporter_warnings(configuration)
    yield from page_warnings(configuration)
    tokens = configuration.extensions.bearertokenauth
    if tokens and tokens.token_file and os.name != "nt" and tokens.token_file.stat().st_mode & 0o077:
        yield f"extensions.bearertokenauth.token_file: {tokens.token_file} can be read by others. chmod 600 mends it"
