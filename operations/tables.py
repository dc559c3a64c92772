"""Tables on a terminal, and in files as wide as they need to be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from alerting.plain_text import printable
from analysis.period import Period
from processors.evaluation import format_value

BAND_COLOURS = {"normal": "green", "warning": "yellow", "critical": "bold red", "no data": "dim"}
_BAND_ORDER = ("no data", "normal", "warning", "critical")
SEVERITY_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
_FILE_WIDTH = 200
"""Columns where there is no terminal to say how many it has."""
_FOLDED_WIDTH = 20
"""What a folded text should get; a shorter one is never folded."""
_NARROWEST = 8
"""Before numbers are folded, texts are folded to this."""
_FOLDING = re.compile(r"/|[!-~] \S")
"""Paths and texts; neither trace ids nor sparklines."""
_GAP = 2
"""Between two columns."""
_NANO = 1_000_000_000


def console() -> Console:
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = _FILE_WIDTH
    return made


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = (), spare: Sequence[str] = ()
) -> None:
    """Cells are texts as they are: nothing in them is markup, and a terminal obeys nothing of them.

    On a narrow terminal `spare` columns are left out, the first of them first; then long texts fold, never numbers.
    """
    cells = [[cell if isinstance(cell, Text) else Text(printable(str(cell))) for cell in row] for row in rows]
    out = console()
    drawn = [_drawn(name, [row[index] for row in cells]) for index, name in enumerate(columns)]
    left_out = _left_out(drawn, spare, out.width)
    table = Table(box=None, pad_edge=False, header_style="dim")
    kept = [index for index, one in enumerate(drawn) if one.name not in left_out]
    fits = _width([drawn[index] for index in kept], _NARROWEST) <= out.width
    for one in (drawn[index] for index in kept):
        justify: JustifyMethod = "right" if one.name in right else "left"
        table.add_column(one.name, justify=justify, overflow="fold", no_wrap=fits and not one.folds)
    for row in cells:
        table.add_row(*(row[index] for index in kept))
    out.print(table)
    if left_out:
        out.print(Text(f"no room for {', '.join(left_out)}: widen the terminal, or ask with --json", "dim"))


class _Drawn(NamedTuple):
    """A column and its width without folding."""

    name: str
    width: int
    folds: bool


def _width(drawn: Sequence[_Drawn], folded: int) -> int:
    """Of a table in which texts are folded to so many columns."""
    return sum(min(one.width, folded) if one.folds else one.width for one in drawn) + _GAP * (len(drawn) - 1)


def _drawn(name: str, cells: Sequence[Text]) -> _Drawn:
    """Long words such as trace ids are copied: only texts and paths fold."""
    width = max([cell.cell_len for cell in cells], default=0)
    folds = width > _FOLDED_WIDTH and any(_FOLDING.search(cell.plain) for cell in cells)
    return _Drawn(name, max(width, len(name)), folds)


def _left_out(drawn: Sequence[_Drawn], spare: Sequence[str], width: int) -> list[str]:
    """As few of the spare ones as possible."""
    left: list[str] = []
    for name in spare:
        if _width([one for one in drawn if one.name not in left], _FOLDED_WIDTH) <= width:
            break
        left.append(name)
    return left


def severity_text(severity: str) -> Text:
    return Text(severity, SEVERITY_COLOURS.get(severity, ""))


def moment(time_unix_nano: int) -> str:
    """`2026-11-23 10:30:00` in UTC."""
    return datetime.fromtimestamp(time_unix_nano // _NANO, UTC).strftime("%Y-%m-%d %H:%M:%S")


def lasted(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < 120:  # noqa: PLR2004  # two minutes
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours < 1:
        return f"{minutes} min"
    if days < 2:  # noqa: PLR2004  # two days
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def worst_band(bands: Sequence[str]) -> str:
    """`no data` only where there is nothing else."""
    return max(bands, key=_BAND_ORDER.index, default="no data")


def band_text(text: str, band: str) -> Text:
    """Coloured by its band; the band's name stands elsewhere, for those who see no colours."""
    return Text(text, BAND_COLOURS.get(band, ""))


def seconds_text(seconds: float | None) -> str:
    """`45 ms`, `3.21 s`; empty for None."""
    return "" if seconds is None else format_value(seconds, "s")


def share_text(share: float | None) -> str:
    """`12.3 %`; empty for None."""
    return "" if share is None else format_value(share, "ratio")


def change_text(now: float | None, before: float | None) -> str:
    """`+12 %` against what was before; empty where there was nothing."""
    if now is None or not before:
        return ""
    return f"{(now / before - 1) * 100:+.0f} %"


def period_text(period: Period) -> str:
    """`2026-11-23 10:30:00 to 2026-11-23 11:30:00 UTC (1 h 0 min)`."""
    start, end = moment(period.start_unix_nano), moment(period.end_unix_nano)
    return f"{start} to {end} UTC ({lasted(period.seconds)})"
