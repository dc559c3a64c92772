"""Groups of commands: some are loaded when they are called, a wrong name gets a right one to choose."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click

_LINE_LENGTH = 300
"""A first sentence is shown whole; it is wrapped where it is shown."""


class Later(NamedTuple):
    """A command that is loaded when it is called; `line` is its help until then."""

    module: str
    attribute: str
    line: str


class LazyGroup(click.Group):
    """`later` are further commands."""

    def __init__(self, *args: Any, later: Mapping[str, Later] | None = None, **given: Any) -> None:
        super().__init__(*args, **given)
        self._later = dict(later or {})

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), *self._later])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        found = super().get_command(context, name)
        if found is not None or name not in self._later:
            return found
        later = self._later[name]
        loaded: click.Command = getattr(importlib.import_module(later.module), later.attribute)
        return loaded

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        lines = {name: self._line(context, name) for name in self.list_commands(context)}
        with formatter.section("Commands"):
            formatter.write_dl(list(lines.items()))

    def _line(self, context: click.Context, name: str) -> str:
        if name in self._later:
            return self._later[name].line
        command = super().get_command(context, name)
        return command.get_short_help_str(_LINE_LENGTH) if command else ""

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], self.list_commands(context), 1)
            if close:
                raise click.UsageError(f"No such command {args[0]!r}. Did you mean {close[0]!r}?", context) from error
            raise
