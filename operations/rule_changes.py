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
from operations.yaml_document import read_document
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
        before = path.read_bytes().decode("utf-8") if path.exists() else ""
        return before, edited(before, [_placed(change, before) for change in changes])
    except (UneditableError, OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path}: {error}") from error


def _placed(change: Change, text: str) -> Change:
    """Where it stands in a file that has nothing but rules."""
    way, value = change
    values = read_document(text.removeprefix("\ufeff"), {}).values
    return (way[2:], value) if isinstance(values, dict) and set(values) == {"rules"} else change


def carried_out(path: Path, before: str, after: str, *, write: bool) -> str:
    """The diff, empty where there is none; with `write` the file is replaced, once it has been checked.

    What a link leads to is changed, and keeps its mode. Raise click.ClickException.
    """
    if write and before != after:
        real = path.resolve()
        _check(real, after)
        replace_file(real, after.encode())
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
        fresh.unlink(missing_ok=True)
        fresh.touch(0o600)
        fresh.write_bytes(after.encode())
        load(fresh)
    except ConfigurationError as error:
        told = str(error).replace(str(fresh), str(path))
        raise click.ClickException(f"it would not be valid, so nothing was written: {told}") from error
    except OSError as error:
        raise click.ClickException(str(error)) from error
    finally:
        fresh.unlink(missing_ok=True)


def enabling(source: Source, names: Iterable[str], *, enabled: bool) -> list[Change]:
    """Of those rules that are not so already; a judge that is off is switched on with its rules."""
    processors = source.configuration.processors
    rules = processors.known_rules()
    changed = [rules[name].way for name in names if rules[name].enabled != enabled]
    if enabled:
        off = {way[0] for way in changed if not getattr(getattr(processors, way[0]), "enabled", True)}
        changed = [*((judge, "enabled") for judge in sorted(off)), *changed]
    return [(("processors", *way), enabled) for way in dict.fromkeys(changed)]


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
