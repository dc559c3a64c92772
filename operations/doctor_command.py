"""`forecourt doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from operations.doctor import Finding, examine

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array of findings.")
def doctor(config: Path | None, *, as_json: bool) -> None:
    """Look for what keeps Forecourt from working here, and say how to mend it.

    Exits 1 when something fails.

    Example: forecourt doctor --config otel-config.yaml
    """
    findings = examine(config)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    if any(finding.outcome == "failed" for finding in findings):
        raise SystemExit(1)


def _print(findings: list[Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        # Text, since what comes from the machine may look like markup.
        table.add_row(Text(finding.outcome, _COLOURS[finding.outcome]), Text(finding.subject), Text(finding.detail))
    Console(soft_wrap=False).print(table)
