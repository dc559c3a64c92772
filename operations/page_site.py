"""What the pages are told: a folder of records, and the configuration that speaks of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from pydantic import BaseModel, SecretStr

from analysis.schema import STREAMS
from collector.store_settings import StoreSettings
from dashboard.site import Reband, Rebanding, Site
from operations.configuration import Configuration, Source, load
from operations.reading import archive_of
from operations.rule_changes import banding, changed, file_in_use
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
            return Rebanding(str(path), _difference(path, before, after, source.configuration))
        except ConfigurationError:  # which repeats what stands there, and that may be a token
            told = (
                f"{path} is no valid configuration as it stands now; what is wrong says: forecourt config check {path}"
            )
            return Rebanding(str(path), "", told)
        except click.ClickException as error:
            return Rebanding(str(path), "", error.message)

    return reband


def _difference(path: Path, before: str, after: str, configuration: Configuration) -> str:
    """What changes and no line beside it: whoever may look is shown it, and tokens of others may stand there."""
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    found = "".join(difflib.unified_diff(old, new, str(path), f"{path} (proposed)", n=0))
    for secret in sorted(filter(None, _secrets(configuration)), key=len, reverse=True):
        found = found.replace(secret, "…")  # where all stands on one line
    return found


def _secrets(content: object) -> Iterator[str]:
    if isinstance(content, SecretStr):
        yield content.get_secret_value()
    elif isinstance(content, BaseModel):
        yield from _secrets([value for _, value in content])
    elif isinstance(content, Mapping | list | tuple):
        for one in content.values() if isinstance(content, Mapping) else content:
            yield from _secrets(one)
