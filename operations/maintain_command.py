"""`forecourt maintain`: the runbook's lists, each step a command of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from operations.busy import busy
from operations.lazy_group import LazyGroup
from operations.options import config_options, json_instead_of

_LISTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "daily": (
        ("alerts", "history", "--last", "24h"),
        ("check", "self"),
        ("store", "maintain"),
        ("store", "verify", "--rotation"),
        ("rules", "review", "--last", "7days"),
    ),
    "weekly": (
        ("report", "weekly"),
        ("rules", "tune"),
        ("store", "prune", "--older-than", "30days"),
        ("dashboard", "export"),
    ),
    "monthly": (
        ("report", "review"),
        ("report", "coverage", "--last", "30days"),
        ("report", "monthly"),
        ("baseline", "update", "--confirm"),
    ),
}


_WITHOUT_RECORDS = ("dashboard", "export")
"""It follows from the configuration alone."""


@dataclass(frozen=True, slots=True)
class _Step:
    command: str
    code: int
    output: str


@click.group(cls=LazyGroup)
def maintain() -> None:
    """The runbook's maintenance: what is to be done each day, week and month. Doing it twice does no harm."""


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    return json_instead_of("text")(config_options(command))


@maintain.command()
@_options
def daily(**given: Any) -> None:
    """Review the alerts of the night, check the monitoring, retention, rotation, and the rules.

    Example: forecourt maintain daily
    """
    _carry_out("daily", **given)


@maintain.command()
@_options
def weekly(**given: Any) -> None:
    """The weekly report, proposals for thresholds, forgetting what is old, and Grafana's dashboards made anew.

    Example: forecourt maintain weekly
    """
    _carry_out("weekly", **given)


@maintain.command()
@_options
def monthly(**given: Any) -> None:
    """Review of the monitoring and its coverage, the monthly report, and the baseline learnt anew.

    Example: forecourt maintain monthly
    """
    _carry_out("monthly", **given)


def _carry_out(name: str, *, config: Path | None, logs: Path | None, as_json: bool) -> None:
    """Each step, whatever became of those before; exit code 1 when one has failed."""
    configured = ("--config", str(config)) if config else ()
    recorded = ("--logs", str(logs)) if logs else ()
    steps = []
    for command in _LISTS[name]:
        step = _step([*command, *configured, *(() if command == _WITHOUT_RECORDS else recorded)])
        steps.append(step)
        if not as_json:
            click.echo(f"== {step.command}: {'done' if _well(step) else f'exit code {step.code}'}")
            click.echo(step.output)
    if as_json:
        import orjson  # noqa: PLC0415  # only here

        content = [{"command": one.command, "exit_code": one.code, "output": one.output} for one in steps]
        click.echo(orjson.dumps({"steps": content}, option=orjson.OPT_INDENT_2))
    sys.exit(0 if all(map(_well, steps)) else 1)


def _well(step: _Step) -> bool:
    """A warning of a check is said; it is no failure of the maintenance."""
    return step.code == 0 or (step.command.startswith("forecourt check") and step.code == 1)


def _step(arguments: Sequence[str]) -> _Step:
    from operations.cli import main  # noqa: PLC0415  # it is what has loaded this

    command = " ".join(("forecourt", *arguments))
    with busy(command):
        result = CliRunner().invoke(main, list(arguments), prog_name="forecourt")
    fault = result.exception if not isinstance(result.exception, SystemExit) else None
    told = f"{result.output.rstrip()}\n{type(fault).__name__}: {fault}".lstrip() if fault else result.output.rstrip()
    return _Step(command, result.exit_code, told)
