"""`forecourt doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from operations.doctor import Finding, examine
from operations.options import CONFIG, json_instead_of
from operations.tables import console

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command()
@CONFIG
@json_instead_of("lines")
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
    out = console()
    if not out.is_terminal:  # where lines are looked for with grep
        width = max(len(finding.subject) for finding in findings) + 1
        for one in findings:
            click.echo(f"{one.outcome:<8}{one.subject:<{width}}{one.detail}")
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        # Text, since what comes from the machine may look like markup.
        table.add_row(Text(finding.outcome, _COLOURS[finding.outcome]), Text(finding.subject), Text(finding.detail))
    out.print(table)
