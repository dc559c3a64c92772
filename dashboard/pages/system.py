"""System: whether the monitoring itself is well, and what it keeps."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import psutil

from analysis.published import published
from dashboard.exporter_standing import Exporters, exporters
from dashboard.page import Asked, Page
from dashboard.sidecar_numbers import COUNTED, LAG, LAG_SECONDS, scraped
from storage import audit
from storage.state import CollectorRow, State
from storage.usage import usage
from storage.web_process import WebProcessRow, web_process

_USAGE_FRESH_SECONDS = 60.0
_AUDIT = 30


async def content(asked: Asked) -> dict[str, Any]:
    site, now = asked.site, asked.view.now_unix_nano
    row, web = await asyncio.gather(asked.records.known(None, State.collector), asked.records.known(None, _web))
    judged = await asyncio.to_thread(published, site.folder, now)
    lives = row is not None and not judged.problem
    samples, unreachable = (
        await asyncio.to_thread(scraped, row.endpoints.get("metrics", "")) if row and lives else ({}, "")
    )
    used = await asked.records.shared(
        ("usage",), lambda: asyncio.to_thread(usage, site.folder, site.archive, now), _USAGE_FRESH_SECONDS
    )
    return {
        "row": row,
        "web": web,
        "problem": judged.problem,
        "process": await asyncio.to_thread(_process, row) if row and lives else None,
        "unreachable": unreachable,
        "counted": [
            (meaning, band if samples[name] else "normal", samples[name])
            for name, (meaning, band) in COUNTED.items()
            if name in samples
        ],
        "lag": samples.get(LAG),
        "lag_band": "warning" if samples.get(LAG, 0.0) > LAG_SECONDS else "normal",
        "accepted": sum(value for name, value in samples.items() if _counts_accepted(name)) if samples else None,
        "exporters": await asked.records.known(Exporters(), exporters, now),
        "used": used,
        "used_bytes": sum(one.bytes for one in used),
        "day_bytes": sum(one.last_day_bytes for one in used),
        "free": await asyncio.to_thread(_free, site.folder),
        "audit": await asked.records.known([], audit.entries, _AUDIT) if asked.may_operate else [],
    }


PAGE = Page("/system", "System", "system.html.j2", content, refresh="30s", ranged=False)


def _counts_accepted(name: str) -> bool:
    """When each was made stands beside them as `_created`."""
    return name.startswith("otelcol_receiver_accepted") and name.endswith("_total")


def _web(state: State) -> WebProcessRow | None:
    return web_process(state)


def _process(row: CollectorRow) -> dict[str, float] | None:
    """Memory in bytes and threads of the collector; None where it may not be looked at."""
    try:
        process = psutil.Process(row.pid)
        return {"memory": float(process.memory_info().rss), "threads": float(process.num_threads())}
    except psutil.Error:
        return None


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
