"""The forms of a report: one HTML file that needs nothing else, and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape

from alerting.plain_text import plain
from operations.tables import change_text, lasted
from processors.evaluation import format_value

_WIDTH = 720
_HEIGHT = 90


def rendered(content: dict[str, Any], form: str) -> str:
    """`form` is html or markdown."""
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        share=lambda value: "no data" if value is None else format_value(value, "ratio"),
        seconds=lambda value: "no data" if value is None else format_value(value, "s"),
        lasted=lasted,
        plain=plain,
        day=lambda text: str(text)[:16].replace("T", " "),
        cell=lambda text: plain(text, 120).replace("|", "\\|"),
    )
    environment.globals.update(change=change_text, bars=bars)
    ending = {"html": "html", "markdown": "md"}[form]
    return environment.get_template(f"report.{ending}.j2").render(report=content)


def _source(name: str) -> str:
    return (resources.files("operations.reports") / name).read_text(encoding="utf-8")


def bars(values: Sequence[float | None], bad: Sequence[bool] | None = None) -> list[dict[str, float | bool]]:
    """Rectangles of a chart of 720 by 90, from the bottom up; nothing where there is no value."""
    high = max((value for value in values if value is not None), default=0.0)
    step = _WIDTH / max(1, len(values))
    found: list[dict[str, float | bool]] = []
    for index, value in enumerate(values):
        if value is None or not high:
            continue
        tall = max(1.0, value / high * _HEIGHT) if value else 0.0
        marked = bool(bad and bad[index])
        found.append(
            {
                "index": index,
                "x": index * step,
                "y": _HEIGHT - tall,
                "width": step * 0.85,
                "height": tall,
                "bad": marked,
            }
        )
    return found
