"""The configuration file: found, read, checked, and composed of what each package lets the operator set."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from alerting.consistency import problems as alerting_problems
from alerting.settings import AlertingSettings
from collector.consistency import problems
from collector.settings import CollectorSettings
from collector.store_settings import StoreSettings
from operations.yaml_document import Document, Problem, Way, read_document
from processors.settings_model import Settings

VARIABLE = "FORECOURT_CONFIG"
FILE_NAME = "otel-config.yaml"
_PATHS = (
    ("alerting", "templates"),
    ("alerting", "smtp", "password_file"),
    ("alerting", "smtp", "ca_file"),
    ("extensions", "bearertokenauth", "token_file"),
    *(
        ("receivers", "otlp", "protocols", protocol, "tls", name)
        for protocol in ("grpc", "http")
        for name in ("cert_file", "key_file", "client_ca_file")
    ),
)


class ConfigurationError(Exception):
    """The file can't be used; one line for each problem, with its place."""


class ExporterSettings(Settings):
    jsonl: StoreSettings = StoreSettings()


class Configuration(CollectorSettings):
    """The whole file."""

    exporters: ExporterSettings = ExporterSettings()
    alerting: AlertingSettings = AlertingSettings()


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


def packaged_default() -> str:
    return (resources.files("operations") / FILE_NAME).read_text(encoding="utf-8")


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Source:
    """From `path`, else where FORECOURT_CONFIG says, else ./otel-config.yaml, else the packaged default.

    Relative paths in a file are relative to it. Raise ConfigurationError.
    """
    if path is None and environment.get(VARIABLE):
        path = Path(environment[VARIABLE])
    if path is None and Path(FILE_NAME).exists():
        path = Path(FILE_NAME)
    if path is None:
        return _checked("the packaged default", packaged_default(), Path.cwd(), environment)
    return _checked(str(path), _text(path), path.resolve().parent, environment)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 at byte {error.start}. Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from error


def _checked(name: str, text: str, folder: Path, environment: Mapping[str, str]) -> Source:
    document = read_document(text, environment)
    if isinstance(document.values, dict) and set(document.values) == {"rules"}:
        document.move_below("processors", "thresholds")
    if not document.problems:
        values = {} if document.values is None else document.values
        _make_absolute(values, folder)
        if isinstance(values, dict):
            _complete(values, environment)
        try:
            configuration = _anchored(Configuration.model_validate(values), folder)
        except ValidationError as error:
            document.problems += _of_validation(error, document)
        else:
            document.problems += _of_consistency(configuration, document)
            if not document.problems:
                return Source(name, configuration, tuple(_warnings(configuration)), values)
    lines = [f"{name}:{problem.line}:{problem.column}: {problem.text}" for problem in sorted(document.problems)]
    raise ConfigurationError("\n".join(lines))


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


def _make_absolute(values: Any, folder: Path) -> None:
    for *way, last in _PATHS:
        inner = values
        for key in way:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get(last), str) and inner[last]:
            inner[last] = str(folder / Path(inner[last]).expanduser())


def _anchored(configuration: Configuration, folder: Path) -> Configuration:
    """With the store's folder and its archive beside the file, be they named there or the default."""
    store = configuration.exporters.jsonl
    retention = store.retention.model_copy(update={"archive": folder / store.retention.archive.expanduser()})
    anchored = store.model_copy(update={"path": folder / store.path.expanduser(), "retention": retention})
    return configuration.model_copy(update={"exporters": ExporterSettings(jsonl=anchored)})


def _of_validation(error: ValidationError, document: Document) -> Iterator[Problem]:
    for detail in error.errors():
        way = tuple(str(part) for part in detail["loc"])
        unknown = detail["type"] == "extra_forbidden"
        line, column = document.place(way, of_key=unknown)
        if unknown:
            text = f"{'.'.join(way[:-1]) or 'top level'}: unknown key {way[-1]!r}{_meant(way)}"
        else:
            text = f"{'.'.join(way) or 'top level'}: {_in_words(detail)}"
        yield Problem(line, column, text)


def _in_words(detail: Any) -> str:
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] in {"model_type", "dict_type"}:
        return "expected a mapping of keys to values"
    if detail["type"] in {"value_error", "missing"} or isinstance(detail["input"], dict | list):
        return message
    return f"{detail['input']!r}: {message}"


def _meant(way: Way) -> str:
    """The key that was probably meant, of those that this place knows."""
    model: type[BaseModel] = Configuration
    for part in way[:-1]:
        field = model.model_fields.get(part)
        kinds = getattr(field.annotation, "__args__", (field.annotation,)) if field else ()
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    known = list(model.model_fields)
    close = difflib.get_close_matches(way[-1], known, 1)
    return f" (did you mean {close[0]!r}?)" if close else f", expected one of {', '.join(known)}"


def _of_consistency(configuration: Configuration, document: Document) -> Iterator[Problem]:
    of_alerting = [(("alerting", *way), text) for way, text in alerting_problems(configuration.alerting)]
    for way, text in (*problems(configuration), *of_alerting):
        line, column = document.place(way)
        yield Problem(line, column, f"{'.'.join(way)}: {text}")


def _warnings(configuration: Configuration) -> Iterator[str]:
    for signal in ("traces", "metrics", "logs"):
        pipeline = getattr(configuration.service.pipelines, signal)
        if pipeline is None:
            yield f"service.pipelines.{signal}: is missing, so {signal} are refused"
        elif "redaction" not in pipeline.processors:
            yield f"service.pipelines.{signal}.processors: without redaction, so secrets reach the files"
    tokens = configuration.extensions.bearertokenauth
    if tokens and tokens.token_file and os.name != "nt" and tokens.token_file.stat().st_mode & 0o077:
        yield f"extensions.bearertokenauth.token_file: {tokens.token_file} can be read by others. chmod 600 mends it"
