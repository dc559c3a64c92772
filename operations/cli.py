"""`forecourt`: each command is a module that is loaded when it is called."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import click

from operations.lazy_group import Later, LazyGroup

_COMMANDS = {
    "collector": ("operations.collector_command", "Receive OTLP and keep every record as JSON lines.", "sidecar"),
    "config": ("operations.config_command", "Check, show and write the configuration file.", "sidecar"),
    "dashboard": ("operations.dashboard_command", "Serve the pages without a sidecar; export for Grafana.", "sidecar"),
    "demo": ("operations.demo_command", "A collector, a FastAPI backend and some traffic.", "demo"),
    "run": ("operations.run_command", "Start a FastAPI app under uvicorn, instrumented as it is.", "sidecar"),
    "rules": ("operations.groups", "List, check and try out the rules.", "sidecar"),
    "alerts": ("operations.groups", "What fires, who was told and why.", "sidecar"),
    "silence": ("operations.groups", "Keep alerts quiet for a time.", "sidecar"),
    "logs": ("operations.logs_command", "Errors in groups, slow queries and requests, events; follow them.", "sidecar"),
    "stats": ("operations.stats_command", "Response times, resources, the business and its users.", "sidecar"),
    "security": ("operations.security_command", "Logins, failed logins, refusals.", "sidecar"),
    "baseline": ("operations.baseline_command", "What is usual, and whether it is so still.", "sidecar"),
    "store": ("operations.store_command", "The records on disk: how much, whether whole, old ones.", "sidecar"),
    "replay": ("operations.replay_command", "Send recorded history to an OTLP receiver.", "sidecar"),
    "sql": ("operations.sql_command", "Ask the records in SQL.", "sidecar"),
    "check": ("operations.check_command", "Say whether all is well, with Nagios' exit codes.", "sidecar"),
    "report": ("operations.report_command", "The week, the month, and the monitoring itself.", "sidecar"),
    "maintain": ("operations.maintain_command", "The runbook's daily, weekly and monthly tasks.", "sidecar"),
    "runbook": ("operations.runbook_command", "The runbook's scripts as commands; schedules.", "sidecar"),
    "completion": ("operations.completion_command", "Completion for your shell.", "sidecar"),
    "forward": ("operations.forward_command", "What a collector starts to send records on.", "sidecar"),
    "doctor": ("operations.doctor_command", "Look for what keeps Forecourt from working here.", "sidecar"),
}
_HIDDEN = {"forward"}
_FOREIGN = {"run"}
"""Once loaded these import what is not ours: what is missing there no extra of ours brings."""


class _Commands(LazyGroup):
    """Knows the commands by name and one line, so that `--help` loads none of them."""

    def __init__(self, *args: Any, **given: Any) -> None:
        later = {name: Later(module, name, line) for name, (module, line, _) in _COMMANDS.items()}
        super().__init__(*args, later=later, **given)

    def list_commands(self, _context: click.Context) -> list[str]:
        return [name for name in _COMMANDS if name not in _HIDDEN]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        with _told_extra(name):
            return super().get_command(context, name)

    def invoke(self, context: click.Context) -> Any:
        name = next(iter(context._protected_args), "")  # noqa: SLF001  # click's word for the command's name
        with _told_extra("" if name in _FOREIGN else name):
            return super().invoke(context)


@contextmanager
def _told_extra(name: str) -> Iterator[None]:
    """What a command needs and is not installed, with the way to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if _is_ours(error.name) or name not in _COMMANDS:
            raise
        extra = _COMMANDS[name][2]
        raise click.ClickException(
            f'forecourt {name} needs the "{extra}" extra ({error.name} is missing): pip install "forecourt[{extra}]"',
        ) from error


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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")  # as a pipe on Windows, which has no sparklines
