"""What README and docs tell to type works, and what they say of rules, scripts and keys is so."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from analysis.schema import STREAMS
from operations.cli import main
from operations.runbook import SCRIPTS
from operations.runbook_pages import page, rules_with_pages
from processors.judging_settings import JudgingSettings
from tests.conftest import ROOT
from tests.support.json_shape import shape
from tests.support.operator import operator_folder, work_in
from tests.support.week import END, START, Week, iso

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(r"^ *```(?:console|sh|bat)\n(?P<text>.*?)^ *```", re.MULTILINE | re.DOTALL)
_LEFT = (
    ("collector",),  # serves until Ctrl-C: tests/collector
    ("run",),  # as above: tests/operations/test_run.py
    ("demo",),  # as above: tests/operations/test_demo.py
    ("dashboard",),  # as above: tests/operations/test_dashboard_command.py
    ("replay",),  # somebody has to listen: tests/operations/test_replay.py
    ("store", "import"),  # of files that others wrote: tests/operations/test_store_import.py
    ("store", "export", "--format", "otlp-jsonl", "--trace-id"),  # of somebody's trace: test_store_export.py beside it
    ("alerts", "ack"),  # these are about one alert: tests/operations/test_alerts.py
    ("alerts", "why"),
    ("alerts", "show"),
    ("alerts", "test"),  # to somebody's real channels
    ("alerts", "send"),
)
_SPEAKS_BY_CODE = {("check",): {0, 1, 2, 3}, ("store", "verify"): {0, 1}, ("collector", "status"): {0, 1}}
_SPEAKS_BY_CODE |= {("maintain",): {0, 1}, ("collector", "reload"): {1}, ("runbook", "run"): {0, 1, 2, 3}}
_PLACEHOLDER = re.compile(r"\b(?:FILE|DIR|NAME|ID|RULE|SCRIPT)\b|…|\.\.\.")


def _commands() -> list[tuple[str, str]]:
    """Each once, with the page that it stands on."""
    found: dict[str, str] = {}
    for path in PAGES:
        for block in _BLOCK.finditer(path.read_text(encoding="utf-8").replace("\\\n", " ")):
            for line in block["text"].splitlines():
                command = line.strip().removeprefix("$ ").split("   #")[0].strip()
                if command.startswith("forecourt "):
                    found.setdefault(command, path.name)
    return sorted((name, command) for command, name in found.items())


COMMANDS = _commands()
OTHERS = {
    "auth.log": "Nov 22 06:55:46 host sshd[1]: Failed password for root from 192.0.2.1 port 1 ssh2\n",
    "old/auth.log.3.gz": "Dec 10 06:55:46 host sshd[1]: Accepted password for root from 192.0.2.1 port 1 ssh2\n",
    "backend/logs/app.log": "2026-11-22 10:30:00,123 | INFO | app.auth | hello\n",
    "shop.jsonl": '{"ts": "2026-11-22T10:30:00Z", "msg": "sold", "lvl": "info"}\n',
}
"""The files of others that docs/importing.md speaks of."""


@pytest.fixture(scope="module")
def place(week: Week, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the demo's records and a backup too."""
    folder = operator_folder(week, tmp_path_factory.mktemp("operator"))
    for other in ("forecourt-demo", "backup"):
        shutil.copytree(folder / "logs", folder / other / "logs")
    for name, content in OTHERS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
        os.utime(path, (END, END))  # nobody writes to it any more
    return folder


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[command for _, command in COMMANDS])
@pytest.mark.untraced
def test_each_command_of_the_documents_runs(
    name: str, command: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In process, at the end of the recorded week; those that go on until Ctrl-C hear it when they would wait."""
    words = shlex.split(command, comments=True)[1:]
    if _is_left(words):
        assert _known(words), f"{name}: {command}"
        return
    assert not _PLACEHOLDER.search(command), f"{name}: {command} can't be typed as it stands"
    work_in(place, monkeypatch)
    result = CliRunner().invoke(main, [word.removeprefix("/var/log/") for word in words])  # not the machine's own
    codes = next((codes for start, codes in _SPEAKS_BY_CODE.items() if tuple(words[: len(start)]) == start), {0})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    assert result.exit_code in codes, f"{name}: {command}\n{result.output}"
    assert "Usage:" not in result.stderr, result.stderr


def _is_left(words: list[str]) -> bool:
    asked = words[:2] in (["collector", "status"], ["collector", "reload"], ["dashboard", "export"])
    return not asked and any(tuple(words[: len(left)]) == left for left in _LEFT)


def _known(words: list[str]) -> bool:
    """Whether there is such a command with these options."""
    helped = CliRunner().invoke(main, [*_command_words(words), "--help"])
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    return helped.exit_code == 0 and (words[0] == "run" or all(option in helped.output for option in options))


def _command_words(words: list[str]) -> list[str]:
    return words[: 2 if words[0] in {"logs", "alerts", "store"} or words[:2] == ["collector", "stop"] else 1]


def test_there_are_commands_in_the_documents() -> None:
    assert len(COMMANDS) > 80
    named = {"README.md", "runbook.md", "queries.md", "storage.md", "alerting.md", "security.md"}
    assert {name for name, _ in COMMANDS} >= named


RULES = JudgingSettings().known_rules()
"""Those of the default, of every judge."""


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_default_alert_has_its_page_and_names_it(rule: str) -> None:
    told = page(rule)
    assert told is not None
    assert len(told) > 100
    assert RULES[rule].description.next_steps[-1] == f"forecourt runbook alert {rule}"
    assert CliRunner().invoke(main, ["runbook", "alert", rule]).stdout == f"{told}\n"


def test_the_runbook_has_a_page_about_nothing_else() -> None:
    assert sorted(rules_with_pages()) == sorted(RULES)
    wrong = CliRunner().invoke(main, ["runbook", "alert", "host.dsk"])
    assert (wrong.exit_code, "Did you mean 'host.disk'?" in wrong.stderr) == (2, True)


def test_the_runbook_lists_every_old_script_with_its_command() -> None:
    told = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+\.(?:py|sh)) \| `(.+)` \|$", told, re.MULTILINE)
    assert rows == [(one.name, shlex.join(("forecourt", *one.command))) for one in SCRIPTS]


def test_links_between_the_documents_lead_somewhere() -> None:
    for path in PAGES:
        for target in re.findall(r"\]\(([^)#:]*)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert not target or (path.parent / target).exists(), f"{path.name}: {target}"


QUERIES = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
KEYS = re.findall(
    r"^\| `((?:logs|stats|security|report|rules|check|store|collector) [^`]*)`[^|]*\| `(.+)` \|$", QUERIES, re.MULTILINE
)


@pytest.mark.parametrize(("command", "keys"), KEYS, ids=[command for command, _ in KEYS])
def test_json_has_the_keys_that_are_documented(week: Week, tmp_path: Path, command: str, keys: str) -> None:
    """What holds the folder's lock leaves traces there: it gets a copy."""
    words = command.split()
    logs = week.logs
    if words[:2] == ["store", "maintain"]:
        logs = tmp_path / "logs"
        shutil.copytree(week.logs, logs)
    timed = words[0] in {"logs", "stats", "security", "report", "rules"}
    period = ("--from", iso(START), "--to", iso(END)) if timed else ()
    result = CliRunner().invoke(main, [*words, "--json", "--logs", str(logs), *period])
    content: Any = orjson.loads(result.stdout)
    assert (f"[{shape(content[0])}]" if isinstance(content, list) else shape(content)) == keys


def test_the_columns_of_each_view_are_documented() -> None:
    for name, columns in STREAMS.items():
        assert f"| `{name}` | `{' '.join(columns)}` |" in QUERIES
