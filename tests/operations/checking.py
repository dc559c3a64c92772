"""`forecourt check` over a folder, and records of just now to judge."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
from click.testing import CliRunner, Result

from operations.cli import main

NANO = 1_000_000_000


def check(path: Path, *arguments: str) -> Result:
    """With the configuration at that path."""
    return CliRunner().invoke(main, ["check", *arguments, "--config", str(path)], catch_exceptions=False)


def put(folder: Path, stream: str, *lines: dict[str, object]) -> None:
    """Below its folder `logs`, of twenty seconds ago where they do not say."""
    now = time.time_ns()
    path = folder / "logs" / stream / f"{time.strftime('%Y-%m-%dT%H', time.gmtime(now // NANO))}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        for number, line in enumerate(lines):
            base = {"time_unix_nano": now - 20 * NANO, "received_unix_nano": now, "service": "app"}
            file.write(orjson.dumps({**base, "batch_id": f"{number}", "batch_index": 0, **line}) + b"\n")
