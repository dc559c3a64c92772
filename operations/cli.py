"""`forecourt`: each command is a module that is loaded when it is called."""

from __future__ import annotations

import difflib
import importlib
from importlib import metadata
from typing import Any

import click

_COMMANDS = {
    "collector": ("operations.collector_command", "Receive OTLP and keep every record as JSON lines.", "sidecar"),
    "config": ("operations.config_command", "Check, show and write the configuration file.", "sidecar"),
    "demo": ("operations.demo_command", "A collector, a FastAPI backend and some traffic.", "demo"),
    "run": ("operations.run_command", "Start a FastAPI app under uvicorn, instrumented as it is.", "sidecar"),
    "rules": ("operations.rules_command", "List, check and try out the rules.", "sidecar"),
    "alerts": ("operations.alerts_command", "What fires, who was told and why.", "sidecar"),
    "silence": ("operations.silence_command", "Keep alerts quiet for a time.", "sidecar"),
    "logs": ("operations.logs_command", "Errors in groups, slow queries and requests, events; follow them.", "sidecar"),
    "stats": ("operations.stats_command", "Response times, resources, the business and its users.", "sidecar"),
    "security": ("operations.security_command", "Logins, failed logins, refusals.", "sidecar"),
    "store": ("operations.store_command", "The records on disk: how much, whether whole, old ones.", "sidecar"),
    "sql": ("operations.sql_command", "Ask the records in SQL.", "sidecar"),
    "check": ("operations.check_command", "Say whether all is well, with Nagios' exit codes.", "sidecar"),
    "report": ("operations.report_command", "The week, the month, and the monitoring itself.", "sidecar"),
    "maintain": ("operations.maintain_command", "The runbook's daily, weekly and monthly tasks.", "sidecar"),
    "runbook": ("operations.runbook_command", "The runbook's scripts as commands; schedules.", "sidecar"),
    "doctor": ("operations.doctor_command", "Look for what keeps Forecourt from working here.", "sidecar"),
}


class _Commands(click.Group):
    """Knows the commands by name and one line, so that `--help` loads none of them."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, _, extra = _COMMANDS[name]
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if _is_ours(error.name):
                raise
            raise click.ClickException(
                f'forecourt {name} needs the "{extra}" extra ({error.name} is missing): '
                f'pip install "forecourt[{extra}]"',
            ) from error
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line, _) in _COMMANDS.items()])

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], _COMMANDS, 1)
            if close:
                raise click.UsageError(f"No such command {args[0]!r}. Did you mean {close[0]!r}?", context) from error
            raise


def _is_ours(module: str | None) -> bool:
    own = {"alerting", "analysis", "collector", "dashboard", "instrumentation", "operations", "processors", "storage"}
    return (module or "").split(".")[0] in own


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:  # noqa: FBT001  # click's
    if wanted:
        click.echo(f"forecourt {metadata.version('forecourt')}")
        context.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main() -> None:
    """Monitoring for FastAPI: receive telemetry, keep it, judge it, tell the right people."""
