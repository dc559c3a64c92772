"""How long questions take: over a day of a million requests, a month of a million a day, and a command's start."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from analysis.engine import Engine
from analysis.period import DAY_NANO, HOUR_NANO, Period
from analysis.requests import response_times
from tests.support.volume import DAY, record_volume

DAILY = 1_000_000
DAYS = 30
_WARM = 5


def median_seconds(act: Callable[[], object]) -> float:
    """Of five times, after one that is not counted."""
    act()
    taken = []
    for _ in range(_WARM):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def command(*words: str) -> float:
    """As an operator types it, in a process of its own."""
    return median_seconds(
        lambda: subprocess.run([sys.executable, "-m", "operations", *words], check=True, capture_output=True)
    )


def questions(folder: Path, end: int) -> list[tuple[str, float, float]]:
    """What is asked, seconds, and the goal; in this process, so that the engine is warm."""
    engine = Engine(folder)
    now = end - HOUR_NANO // 3
    day, month = Period(now - DAY_NANO, now), Period(now - DAYS * DAY_NANO, now)
    raw = Period(end - DAY_NANO, end)
    p95 = (
        "SELECT attr(attributes, 'http.route'), percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms)"
        " FROM traces WHERE kind = 'SERVER' GROUP BY attr(attributes, 'http.route')"
    )
    return [
        ("p95 by route, 24 h of 1M requests", median_seconds(lambda: response_times(engine, day)), 0.3),
        ("p95 by route, 30 days of 1M a day", median_seconds(lambda: response_times(engine, month)), 1.0),
        ("p95 by route of 1M raw spans (SQL)", median_seconds(lambda: engine.sql(p95, (), raw)), 2.0),
        ("count of 1M raw spans (SQL)", median_seconds(lambda: engine.sql("SELECT count(*) FROM traces")), 2.0),
    ]


def commands(folder: Path, small: Path) -> list[tuple[str, float, float]]:
    """Whole processes; `small` is a folder with next to nothing."""
    last = ("--logs", str(folder), "--json")
    little = ("--logs", str(small), "--json")
    return [
        ("forecourt --help", command("--help"), 0.25),
        ("forecourt logs --help", command("logs", "--help"), 0.25),
        ("stats response-times, small data", command("stats", "response-times", *little), 0.6),
        ("logs errors, small data", command("logs", "errors", *little), 0.6),
        ("sql, small data", command("sql", "SELECT count(*) FROM traces", *little), 0.6),
        ("stats response-times --last 24h (and the day before)", command("stats", "response-times", *last), 1.0),
        ("report weekly, 1M requests a day", command("report", "weekly", *last, "--format", "json"), 10.0),
    ]


def main(arguments: Sequence[str]) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--daily", type=int, default=DAILY, help="requests a day")
    daily: int = options.parse_args(arguments).daily
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        end = time.time_ns() // DAY * DAY
        folder, small = Path(name, "logs"), Path(name, "small")
        record_volume(folder, end, daily=daily, days=DAYS)
        record_volume(small, end, daily=2400, days=1, routes=5)
        size = sum(path.stat().st_size for path in folder.rglob("*.jsonl"))
        print(f"recorded {daily:,} requests a day, {size / 2**30:.1f} GiB, in {time.perf_counter() - began:.0f} s")
        for what, seconds, goal in (*questions(folder, end), *commands(folder, small)):
            print(f"{what:<54} {seconds:8.3f} s   goal < {goal} s{'' if seconds < goal else '   MISSED'}")


if __name__ == "__main__":
    main(sys.argv[1:])
