"""`forecourt completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands and options; your shell's start-up file may evaluate it.

    Example: forecourt completion bash >> ~/.bashrc
    """
    from operations.cli import main  # noqa: PLC0415  # it is what has loaded this

    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"click knows no completion for {shell}")
    click.echo(kind(main, {}, "forecourt", "_FORECOURT_COMPLETE").source())
