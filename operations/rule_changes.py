"""`rules enable` and `rules tune`: changes of the configuration file, shown as a diff and written when wanted."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from operations.configuration import Source, load
from operations.settings_file import FILE_NAME, VARIABLE, ConfigurationError
from operations.yaml_edit import Change, UneditableError, edited
from processors.rule_state import Band
from storage.sync import replace_file

RULES = ("processors", "thresholds", "rules")


def file_in_use(config: Path | None) -> Path:
    """That which would be loaded, else the one that is to be made here."""
    if config is not None:
        return config
    return Path(os.environ.get(VARIABLE) or FILE_NAME)


def changed(path: Path, changes: Iterable[Change]) -> tuple[str, str]:
    """The text as it is, empty where there is none, and as it would be; raise click.ClickException."""
    try:
        before = path.read_text(encoding="utf-8-sig") if path.exists() else ""
        return before, edited(before, changes)
    except (UneditableError, OSError) as error:
        raise click.ClickException(f"{path}: {error}") from error


def carried_out(path: Path, before: str, after: str, *, write: bool) -> str:
    """The diff, empty where there is none; with `write` the file is replaced, once it has been checked.

    Raise click.ClickException.
    """
    if write and before != after:
        _check(path, after)
        replace_file(path, after.encode())
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), str(path), f"{path} (proposed)"
    )
    return "".join(lines)


def tell(path: Path, difference: str, *, written: bool) -> None:
    """What became of it, for people."""
    if not difference:
        click.echo("nothing to change")
        return
    click.echo(difference, nl=False)
    if written:
        click.echo(f"written to {path}; a running sidecar takes it with: forecourt collector reload", err=True)
    else:
        click.echo("nothing was written; --write does it", err=True)


def _check(path: Path, after: str) -> None:
    fresh = path.with_name(f".{path.name}.proposed")
    try:
        fresh.write_text(after, encoding="utf-8")
        load(fresh)
    except ConfigurationError as error:
        raise click.ClickException(f"it would not be valid, so nothing was written: {error}") from error
    finally:
        fresh.unlink(missing_ok=True)


def enabling(source: Source, names: Iterable[str], *, enabled: bool) -> list[Change]:
    """Of those rules that are not so already."""
    rules = source.configuration.processors.thresholds.rules
    return [((*RULES, name, "enabled"), enabled) for name in names if rules[name].enabled != enabled]


def banding(source: Source, rule: str, before: Iterable[Band], after: Iterable[Band]) -> list[Change]:
    """Single bounds where the file has them, else all bands of the rule."""
    pairs = list(zip(before, after, strict=True))
    if "bands" not in source.named(*RULES, rule):
        return [((*RULES, rule, "bands"), [_band(new) for _, new in pairs])]
    changes: list[Change] = []
    for number, (old, new) in enumerate(pairs):
        place = (*RULES, rule, "bands", str(number))
        if old.when != new.when:
            changes.append(((*place, "when"), str(new.when)))
        if new.clear is not None and old.clear != new.clear:
            changes.append(((*place, "clear"), str(new.clear)))
    return changes


def _band(band: Band) -> dict[str, Any]:
    clear = {"clear": str(band.clear)} if band.clear is not None else {}
    return {"level": band.level, "when": str(band.when), **clear, "severity": band.severity}
