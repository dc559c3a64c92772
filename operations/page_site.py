"""What the pages are told: a folder of records, and the configuration that speaks of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from analysis.schema import STREAMS
from collector.store_settings import StoreSettings
from dashboard.site import Reband, Rebanding, Site
from operations.configuration import Source, load
from operations.reading import archive_of
from operations.rule_changes import banding, carried_out, changed, file_in_use
from operations.settings_file import ConfigurationError
from processors.quantities import format_duration
from processors.rule_state import Band
from processors.rules import compile_rules

_DAY_SECONDS = 86400.0


def site_of(source: Source, config: Path | None, logs: Path | None) -> Site:
    """Of `logs`, else of the folder that the configuration names; `config` is what `source` was loaded from."""
    configuration = source.configuration
    store = configuration.exporters.jsonl
    folder = logs or store.path
    return Site(
        folder,
        archive_of(folder, store),
        judging=configuration.processors,
        alerting=configuration.alerting,
        settings=configuration.extensions.dashboard,
        configuration=source.name,
        retention=_retention(store) if folder.resolve() == store.path.resolve() else {},
        reband=_rebanding(config),
    )


def _retention(store: StoreSettings) -> dict[str, str]:
    """By stream, in words."""
    policy = store.retention.policy()
    return {
        stream: f"gzip after {_told(ages.compress_after)}, archive after {_told(ages.archive_after)}, "
        f"deleted after {_told(ages.delete_after)}"
        for stream, ages in ((stream, policy.of(stream)) for stream in STREAMS)
    }


def _told(seconds: float) -> str:
    return f"{seconds / _DAY_SECONDS:g} d" if seconds >= _DAY_SECONDS else format_duration(seconds)


def _rebanding(config: Path | None) -> Reband:
    def reband(rule: str, bands: Sequence[Band]) -> Rebanding:
        path = file_in_use(config)
        try:
            source = load(config)
            rules, _ = compile_rules(source.configuration.processors.thresholds)
            known = next((one for one in rules if one.name == rule), None)
            if known is None:
                return Rebanding(str(path), "", f"{path}: has no rule {rule[:80]!r} with bands")
            if len(bands) != len(known.bands):
                return Rebanding(str(path), "", f"{rule} has {len(known.bands)} bands, {len(bands)} were given")
            before, after = changed(path, banding(source, rule, known.bands, bands))
            return Rebanding(str(path), carried_out(path, before, after, write=False))
        except ConfigurationError as error:
            return Rebanding(str(path), "", str(error))
        except click.ClickException as error:
            return Rebanding(str(path), "", error.message)

    return reband
