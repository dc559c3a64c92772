"""What the pages are about: whoever starts them says it once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alerting.settings import AlertingSettings
from dashboard.settings import DashboardSettings
from processors.judging_settings import JudgingSettings
from processors.rule_state import Band
from storage.names import OWN_FOLDER


@dataclass(frozen=True, slots=True)
class Rebanding:
    """What would have to stand in the file for a rule to have these bands; `problem` says why it can't."""

    file: str
    difference: str
    problem: str = ""


Reband = Callable[[str, Sequence[Band]], Rebanding]


def _nothing_to_write(_rule: str, _bands: Sequence[Band]) -> Rebanding:
    return Rebanding("", "", "these pages were started without a configuration file")


@dataclass(frozen=True, slots=True)
class Site:
    """One folder of records, and the configuration that its pages tell of."""

    folder: Path
    archive: Path | None
    judging: JudgingSettings = field(default_factory=JudgingSettings)
    alerting: AlertingSettings = field(default_factory=AlertingSettings)
    settings: DashboardSettings = field(default_factory=DashboardSettings)
    configuration: str = "the built-in default"
    """Where it came from."""
    retention: Mapping[str, str] = field(default_factory=dict)
    """What is kept how long, in words."""
    reband: Reband = _nothing_to_write
    clock: Callable[[], int] = time.time_ns
    """Nanoseconds since 1970."""

    @property
    def own_folder(self) -> Path:
        return self.folder / OWN_FOLDER
