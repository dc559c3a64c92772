"""`forecourt sql`: the user's own question."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import orjson

from alerting.plain_text import plain
from analysis.engine import Rows
from operations.reading import Answer, Reading
from operations.tables import show_table

_CELL = 200
_MOST_ROWS = 1_000_000
"""In memory: what is larger is nobody's to read, and Parquet is written as it comes."""


def rows(reading: Reading, text: str, form: str, output: Path | None) -> Answer:
    """The rows in the form that was asked for, on the terminal or in a file."""
    if form == "parquet":
        return _parquet(reading, text, output)
    found = reading.engine.sql(text, (), reading.period, most=_MOST_ROWS + 1)
    if len(found.rows) > _MOST_ROWS:
        found.rows.pop()
        click.echo(f"cut after {_MOST_ROWS:,} rows; --format parquet has no end", err=True)
    content = [{name: _value(value) for name, value in row.items()} for row in found.dicts()]

    def show() -> None:
        if form == "table" and output is None:
            _table(found)
            return
        written = _written(found, content, form)
        if output is None:
            click.echo(written, nl=False)
        else:
            output.write_text(written, encoding="utf-8", newline="")

    return Answer(content, show)


def _parquet(reading: Reading, text: str, output: Path | None) -> Answer:
    if output is None:
        raise click.UsageError("--format parquet needs --output FILE")
    target = output.absolute()
    engine = reading.engine_for(target)
    engine.copy(text, target, reading.period)
    return Answer({"output": str(target)}, lambda: None)


def _written(found: Rows, content: list[dict[str, Any]], form: str) -> str:
    if form == "json":
        return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n"
    if form == "csv":
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(found.columns)
        writer.writerows([["" if value is None else _value(value) for value in row] for row in found])
        return file.getvalue()
    lines = [found.columns, ["---"] * len(found.columns), *([_text(value) for value in row] for row in found)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _table(found: Rows) -> None:
    right = [
        name
        for index, name in enumerate(found.columns)
        if all(isinstance(row[index], int | float | Decimal | None) for row in found)
    ]
    show_table(found.columns, [[plain(_text(value), _CELL) for value in row] for row in found], right=right)
    click.echo(f"{len(found.rows):,} row{'' if len(found.rows) == 1 else 's'}", err=True)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return plain(orjson.dumps(_value(value)).decode(), _CELL) if isinstance(value, dict | list) else str(_value(value))


def _value(value: Any) -> Any:
    """As JSON has it; what its readers have no room for comes as text."""
    if isinstance(value, dict):
        return {str(key): _value(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_value(inner) for inner in value]
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return value
    return value if isinstance(value, str | float | None) else _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else f"{value.isoformat()}Z"
    if isinstance(value, date):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
