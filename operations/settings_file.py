"""A settings file: found, read, checked against a model, and every problem told with its place."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from collector.exporting.settings import EXPORTERS
from collector.exporting.settings import KINDS as EXPORTER_KINDS
from collector.store_settings import StoreSettings
from operations.yaml_document import Document, Problem, Way, read_document
from processors.security.settings import KINDS

VARIABLE = "FORECOURT_CONFIG"
FILE_NAME = "otel-config.yaml"

_OF_KINDS = ("processors", "security", "rules")
"""Where rules of several kinds stand."""
_Model = TypeVar("_Model", bound=BaseModel)


class ConfigurationError(Exception):
    """The file can't be used; one line for each problem, with its place."""


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a file says, not yet checked. Relative paths in it are relative to `folder`."""

    name: str
    folder: Path
    document: Document

    def checked(self, model: type[_Model], problems: Callable[[_Model], Iterable[tuple[Way, str]]]) -> _Model:
        """The values as a model that has no problems of its own either; raise ConfigurationError."""
        document = self.document
        if not document.problems:
            try:
                found = model.model_validate({} if document.values is None else document.values)
            except ValidationError as error:
                document.problems += _of_validation(error, model, document)
            else:
                for way, text in problems(found):
                    line, column = document.place(way)
                    document.problems.append(Problem(line, column, f"{'.'.join(way)}: {text}"))
                if not document.problems:
                    return found
        lines = [
            f"{self.name}:{problem.line}:{problem.column}: {problem.text}" for problem in sorted(document.problems)
        ]
        raise ConfigurationError("\n".join(lines))

    def anchored(self, store: StoreSettings) -> StoreSettings:
        """With its folder and its archive beside the file, be they named there or the default."""
        archive = self.folder / store.retention.archive.expanduser()
        retention = store.retention.model_copy(update={"archive": archive})
        return store.model_copy(update={"path": self.folder / store.path.expanduser(), "retention": retention})


def packaged_default() -> str:
    return (resources.files("operations") / FILE_NAME).read_text(encoding="utf-8")


def find_settings(path: Path | None, environment: Mapping[str, str]) -> SettingsFile:
    """`path`, else where FORECOURT_CONFIG says, else ./otel-config.yaml, else the packaged default.

    Raise ConfigurationError when it can't be read.
    """
    if path is None and environment.get(VARIABLE):
        path = Path(environment[VARIABLE])
    if path is None and Path(FILE_NAME).exists():
        path = Path(FILE_NAME)
    if path is None:
        return SettingsFile("the packaged default", Path.cwd(), _document(packaged_default(), environment))
    return SettingsFile(str(path), path.resolve().parent, _document(_text(path), environment))


def _document(text: str, environment: Mapping[str, str]) -> Document:
    document = read_document(text, environment)
    if isinstance(document.values, dict) and set(document.values) == {"rules"}:
        document.move_below("processors", "thresholds")
    return document


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 at byte {error.start}. Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from error


def _of_validation(error: ValidationError, model: type[BaseModel], document: Document) -> Iterator[Problem]:
    for detail in error.errors():
        way, known, depth = _in_the_file(tuple(str(part) for part in detail["loc"]))
        unknown = detail["type"] == "extra_forbidden"
        if way[:1] == ("exporters",) and detail["type"] == "union_tag_invalid":
            line, column = document.place(way, of_key=True)
            yield Problem(line, column, f"exporters: unknown key {way[1]!r}, expected {EXPORTERS}")
            continue
        line, column = document.place(way, of_key=unknown)
        if unknown:
            meant = _meant(known or model, way[depth:])
            text = f"{'.'.join(way[:-1]) or 'top level'}: unknown key {way[-1]!r}{meant}"
        else:
            text = f"{'.'.join(way) or 'top level'}: {_in_words(detail)}"
        yield Problem(line, column, text)


def _in_the_file(way: Way) -> tuple[Way, type[BaseModel] | None, int]:
    """Without the kind of a rule or exporter, which pydantic has in its way and no file has.

    And that kind's model, and how many keys lie above it.
    """
    if way[:1] == ("exporters",) and way[2:3] and way[2] in EXPORTER_KINDS:
        return (*way[:2], *way[3:]), EXPORTER_KINDS[way[2]], 2
    name = len(_OF_KINDS)
    if way[:name] != _OF_KINDS or len(way) < name + 2:
        return way, None, 0
    model = KINDS.get(way[name + 1])
    return (*way[: name + 1], *way[name + 2 :]), model, name + 1 if model else 0


def _in_words(detail: Any) -> str:
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "union_tag_invalid":
        return f"kind {detail['ctx']['tag']!r}: expected one of {', '.join(KINDS)}"
    if detail["type"] in {"model_type", "dict_type", "model_attributes_type"}:
        return "expected a mapping of keys to values"
    if detail["type"] in {"value_error", "missing"} or isinstance(detail["input"], dict | list):
        return message
    return f"{detail['input']!r}: {message}"


def _meant(model: type[BaseModel], way: Way) -> str:
    """The key that was probably meant, of those that this place knows."""
    for part in way[:-1]:
        field = model.model_fields.get(part)
        kinds = getattr(field.annotation, "__args__", (field.annotation,)) if field else ()
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    known = [field.alias or name for name, field in model.model_fields.items() if not field.exclude]
    close = difflib.get_close_matches(way[-1], known, 1)
    return f" (did you mean {close[0]!r}?)" if close else f", expected one of {', '.join(known)}"
