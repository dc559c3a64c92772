"""`forecourt runbook`."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from operations.lazy_group import LazyGroup
from operations.options import CONFIG, json_instead_of
from operations.runbook import SCRIPTS, RunbookError, translate
from operations.runbook_schedule import SYSTEMS, schedule, usual_systems
from operations.runbook_shims import NotOursError, install


@click.group(cls=LazyGroup, invoke_without_command=True)
@json_instead_of("a table")
@click.pass_context
def runbook(context: click.Context, as_json: bool) -> None:  # noqa: FBT001  # click's
    """The runbook's scripts, and the command that does the job of each.

    Example: forecourt runbook
    """
    if context.invoked_subcommand is not None:
        return
    if as_json:
        import orjson  # noqa: PLC0415  # only here

        rows = [{"script": one.name, "options": one.usage, "command": _command(one.command)} for one in SCRIPTS]
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
        return
    from operations.tables import show_table  # noqa: PLC0415  # a tenth of a second

    rows_shown = [(one.name, one.usage, _command(one.command)) for one in SCRIPTS]
    show_table(("script", "options", "command"), rows_shown, spare=("options",))


def _command(words: Sequence[str]) -> str:
    return shlex.join(("forecourt", *words))


@runbook.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.option("--print", "only_print", is_flag=True, help="Print the command, and do not run it.")
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, only_print: bool, script: str, arguments: tuple[str, ...]) -> None:  # noqa: FBT001  # click's
    """Do what SCRIPT did, with its own options; the exit code is the command's.

    Example: forecourt runbook run log-analyzer.py --errors --last-hour
    """
    try:
        command = translate(script, arguments)
    except RunbookError as error:
        raise click.UsageError(str(error), context) from error
    if only_print:
        click.echo(_command(command))
        return
    root = context.find_root().command
    if not _is_there(root, command, context):
        raise click.UsageError(f"{script} is `{_command(command)}`, which this version does not have yet", context)
    root.main(command, prog_name="forecourt", standalone_mode=True)


def _is_there(group: click.Command, words: Sequence[str], context: click.Context) -> bool:
    """Whether each word up to the first option is a command of the one before, or something that it takes."""
    if not words or words[0].startswith("-"):
        return True
    if not isinstance(group, click.Group):
        return any(isinstance(one, click.Argument) for one in group.params)
    inner = group.get_command(context, words[0])
    return inner is not None and _is_there(inner, words[1:], context)


@runbook.command()
@click.argument("rule")
def alert(rule: str) -> None:
    """What an alert of RULE means, and what to do about it.

    Example: forecourt runbook alert host.disk
    """
    from operations.runbook_pages import page, rules_with_pages  # noqa: PLC0415  # only here

    found = page(rule)
    if found is None:
        known = rules_with_pages()
        close = difflib.get_close_matches(rule, known, 1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Expected one of {', '.join(known)}."
        raise click.UsageError(f"the runbook has no page about {rule!r}. {hint}")
    click.echo(found)


@runbook.command("install")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Also over files that forecourt has not written.")
def install_(folder: Path, force: bool) -> None:  # noqa: FBT001  # click's
    """Write the old scripts into FOLDER as small files that start the commands of this installation.

    Example: forecourt runbook install tools/operations
    """
    try:
        written = install(folder, force=force)
    except (NotOursError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{len(written)} files in {folder}")


@runbook.command("schedule")
@click.option("--system", type=click.Choice(SYSTEMS), multiple=True, help="Of this system; may be said again.")
@CONFIG
def schedule_(system: tuple[str, ...], config: Path | None) -> None:
    """Print what starts the collector with the machine, and the checks and maintenance at their times.

    Example: forecourt runbook schedule --system systemd
    """
    folder = config.absolute().parent if config is not None else Path.cwd()
    for name in system or usual_systems():
        click.echo(schedule(name, folder, config.absolute() if config is not None else None))
