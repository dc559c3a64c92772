"""Groups of rules: by the first word of their names, and `security` by their label."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import click

from operations.configuration import Source, load
from operations.rule_changes import carried_out, changed, enabling, file_in_use, tell
from operations.settings_file import ConfigurationError
from operations.tables import show_table
from processors.judging_settings import KnownRule

_LABEL = "category"


def groups(rules: Mapping[str, KnownRule]) -> dict[str, list[str]]:
    """Names of rules by group; a rule may be in two."""
    found: dict[str, list[str]] = {}
    for name, rule in rules.items():
        for group in {name.split(".")[0], rule.description.labels.get(_LABEL, "")} - {""}:
            found.setdefault(group, []).append(name)
    return dict(sorted(found.items()))


def _loaded(config: Path | None) -> Source:
    try:
        return load(config)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


def tell_groups(config: Path | None) -> None:
    rules = _loaded(config).configuration.processors.known_rules()
    rows = [
        (group, len(names), sum(rules[name].enabled for name in names), ", ".join(names))
        for group, names in groups(rules).items()
    ]
    show_table(("group", "rules", "on", ""), rows, right=("rules", "on"))


def change_group(group: str, config: Path | None, *, enabled: bool, write: bool) -> None:
    source = _loaded(config)
    known = groups(source.configuration.processors.known_rules())
    if group not in known:
        close = difflib.get_close_matches(group, known, 1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Expected one of {', '.join(known)}."
        raise click.UsageError(f"there is no group {group!r} of rules. {hint}")
    changes = enabling(source, known[group], enabled=enabled)
    if not changes:
        click.echo(f"all {len(known[group])} rules of {group} are {'on' if enabled else 'off'} already")
        return
    path = file_in_use(config)
    tell(path, carried_out(path, *changed(path, changes), write=write), written=write)
