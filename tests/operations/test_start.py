"""Commands are there at once: they load what they need, and nothing of what makes the sidecar."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.volume import DAY, NANO, record_volume
from tests.support.week import iso

END = 1_795_392_000 * NANO
HEAVY = ("apprise", "fastapi", "grpc", "jinja2", "opentelemetry", "prometheus_client", "starlette", "uvicorn")
PERIOD = ("--from", iso((END - DAY) // NANO), "--to", iso(END // NANO))
QUESTIONS = (
    ("logs", "errors"),
    ("logs", "slow-queries"),
    ("logs", "security"),
    ("stats", "response-times"),
    ("stats", "resources"),
    ("stats", "work-orders"),
    ("security", "failed-logins"),
    ("sql", "SELECT count(*) FROM traces"),
)
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_volume(tmp_path_factory.mktemp("small") / "logs", END, daily=2400, days=1, routes=5).folder


def _run(*words: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "-m", "operations", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)


def _seconds(clock: Callable[[], float], *words: str) -> float:
    """The median of five, after one that is not counted."""
    taken = []
    for _ in range(6):
        began = clock()
        _run(*words)
        taken.append(clock() - began)
    return statistics.median(taken[1:])


def _processor_seconds() -> float:
    """Of the commands that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _imported(told: str) -> set[str]:
    """The packages that Python says it has imported (-X importtime)."""
    return {
        line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines() if line.startswith("import")
    }


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_a_question_loads_nothing_of_the_sidecar(small: Path, words: tuple[str, ...]) -> None:
    told = _run(*words, "--json", "--logs", str(small), *PERIOD, flags=("-X", "importtime"))
    imported = _imported(told.stderr)
    assert "duckdb" in imported
    assert not imported & set(HEAVY)


def test_help_loads_nothing_but_click() -> None:
    imported = _imported(_run("--help", flags=("-X", "importtime")).stderr)
    assert "click" in imported
    assert not imported & {*HEAVY, "duckdb", "orjson", "pydantic", "rich", "yaml"}


def test_help_and_answers_come_at_once(small: Path, request: pytest.FixtureRequest) -> None:
    """Help within 250 ms and answers about little data within 600; beside other tests processor time has a bound."""
    busy = 1 if request.config.getoption("--long") else 5
    clock = time.perf_counter if busy == 1 else _processor_seconds
    for words in (("--help",), ("logs", "--help"), ("stats", "response-times", "--help")):
        assert _seconds(clock, *words) < 0.25 * busy, words
    for words in QUESTIONS if busy == 1 else QUESTIONS[:1]:
        assert _seconds(clock, *words, "--json", "--logs", str(small), *PERIOD) < 0.6 * busy, words
