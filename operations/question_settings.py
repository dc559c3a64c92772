"""The part of the configuration that questions of the records need: the rest takes a third of a second to import."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.store_settings import StoreSettings
from operations.settings_file import find_settings
from processors.judging_settings import JudgingSettings
from processors.settings_model import Settings

_PARTS = {"processors": tuple(JudgingSettings.model_fields), "exporters": ("jsonl",)}


@dataclass(frozen=True, slots=True)
class QuestionSettings:
    judging: JudgingSettings
    store: StoreSettings


class _Exporters(Settings):
    jsonl: StoreSettings = StoreSettings()


class _Part(Settings):
    processors: JudgingSettings = JudgingSettings()
    exporters: _Exporters = _Exporters()


def load_part(path: Path | None, environment: Mapping[str, str] = os.environ) -> QuestionSettings:
    """From the file that `operations.configuration.load` reads; raise ConfigurationError.

    Other parts of it are not looked at: that they are wrong keeps nobody from asking.
    """
    file = find_settings(path, environment)
    if isinstance(file.document.values, dict):
        file.document.values = _only(file.document.values)
    part = file.checked(_Part, lambda _: ())
    return QuestionSettings(part.processors, file.anchored(part.exporters.jsonl))


def _only(values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in _PARTS.items():
        outer = values.get(name)
        if isinstance(outer, dict):
            found[name] = {part: outer[part] for part in inner if part in outer}
        elif outer is not None:
            found[name] = outer
    return found
