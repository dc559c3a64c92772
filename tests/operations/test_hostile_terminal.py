"""Whatever telemetry says, nothing of it moves a cursor, colours a line or makes one of its own on the terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from operations.cli import main
from storage.following import Follower
from tests.support.operator import operator_folder, work_in
from tests.support.week import END, HOUR, Week, iso

EVIL = "\x1b]0;owned\x07\x1b[31m\u202e[red]\r\nOK: all is well\x9b2J"
OURS = frozenset(
    {
        "timestamp",
        "kind",
        "status",
        "trace_id",
        "span_id",
        "parent_span_id",
        "batch_id",
        "indicator",
        "resolution",
        "severity",
        "type",
        "outcome",
        "event.outcome",
        "event",
        "event.name",
        "state",
    }
)
"""What senders can't choose freely; the rest is theirs."""
COMMANDS = (
    "logs errors",
    "logs slow-queries --threshold 1ms",
    "logs performance --threshold 1ms",
    "logs security",
    "logs security --suspicious",
    "logs business",
    "logs business --summary",
    "logs system",
    "logs show --level trace",
    "stats response-times",
    "stats errors",
    "stats resources --trend",
    "stats database",
    "stats memory",
    "stats work-orders",
    "stats automation",
    "stats sync",
    "stats users",
    "stats features",
    "stats sessions",
    "security auth",
    "security failed-logins --threshold 1",
    "security rate-limits",
    "security anomalies auth",
    "security anomalies user",
    "security anomalies access",
    "security anomalies data",
    "report weekly --format markdown --output -",
    "report coverage",
    "report review",
    "rules tune",
)
CHECKS = ("all", "health", "performance", "security", "errors", "business", "self", "collection", "overhead")


def poisoned(value: Any, name: str = "") -> Any:
    """Every text that a sender chooses ends in what a terminal would obey."""
    if isinstance(value, dict):
        return {key: poisoned(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner) for inner in value]
    return value + EVIL if isinstance(value, str) and name not in OURS else value


@pytest.fixture(scope="module")
def place(week: Week, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = operator_folder(week, tmp_path_factory.mktemp("hostile"))
    for path in folder.glob("logs/*/*.jsonl"):
        lines = [poisoned(orjson.loads(line)) for line in path.read_bytes().splitlines()]
        path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    return folder


def check_is_harmless(text: str) -> None:
    """Only line ends and what can be printed; and no line that the sender has begun."""
    found = {character for character in text if unicodedata.category(character) in {"Cc", "Cf"} and character != "\n"}
    assert not found, text
    assert not any(line.startswith("OK: all is well") for line in text.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.untraced
def test_answers_are_harmless(command: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(place, monkeypatch)
    period = ("--from", iso(END - 4 * HOUR), "--to", iso(END))
    result = CliRunner().invoke(main, [*command.split(), *period], catch_exceptions=False)
    assert result.exit_code == 0
    check_is_harmless(result.output)


@pytest.mark.parametrize("command", ["logs errors", "stats response-times", "stats database", "security auth"])
def test_the_week_is_hostile_enough(command: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of it is found: the answers above are not empty ones."""
    work_in(place, monkeypatch)
    period = ("--from", iso(END - 4 * HOUR), "--to", iso(END))
    assert "owned" in CliRunner().invoke(main, [*command.split(), *period]).output


@pytest.mark.parametrize("check", CHECKS)
def test_checks_are_harmless(check: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(place, monkeypatch)
    result = CliRunner().invoke(main, ["check", check])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    check_is_harmless(result.output)


def test_traces_are_harmless(week: Week, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(place, monkeypatch)
    trace = next(one.trace_id for one in reversed(week.requests) if one.at < END - HOUR / 2)
    result = CliRunner().invoke(main, ["logs", "trace", trace], catch_exceptions=False)
    assert "GET" in result.output
    check_is_harmless(result.output)


@pytest.mark.parametrize("command", ["logs errors", "logs show", "logs performance --threshold 0.1ms", "logs business"])
def test_lines_that_arrive_are_harmless(command: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that lies there, as if it came just now."""
    work_in(place, monkeypatch)
    plain = Follower.__init__

    def from_the_beginning(self: Follower, folder: Path, streams: tuple[str, ...]) -> None:
        plain(self, folder, streams)
        self._known = {stream: {} for stream in streams}

    monkeypatch.setattr(Follower, "__init__", from_the_beginning)
    result = CliRunner().invoke(main, [*command.split(), "--follow", "--last", "1s"], catch_exceptions=False)
    assert "owned" in result.output
    check_is_harmless(result.output)
