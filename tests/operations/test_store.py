"""`forecourt store`: how much there is, whether it is whole, and what becomes of old records."""

from __future__ import annotations

import gzip
import shutil
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from alerting import records
from operations import store_answers
from operations.cli import main
from storage import State, retention
from storage.manifest import Manifest, summarize
from storage.names import OWN_FOLDER, hour_of
from tests.support.incident import Incident
from tests.support.week import Week

DAY = 86400 * 1_000_000_000


def run(*given: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(given), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def asked(*given: str, code: int = 0) -> Any:
    return orjson.loads(run(*given, "--json", code=code).stdout)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Segments that were closed today, ten days, forty days and a hundred days ago, with a hundred records each."""
    logs = tmp_path / "logs"
    (logs / OWN_FOLDER).mkdir(parents=True)
    manifest = Manifest.load(logs / OWN_FOLDER / "manifest.json")
    for stream in ("traces", "logs"):
        (logs / stream).mkdir()
        for age in (0, 10, 40, 100):
            began = time.time_ns() - age * DAY
            path = logs / stream / f"{hour_of(began)}.jsonl"
            record = {"time_unix_nano": began, "received_unix_nano": began, "padding": "x" * 500}
            path.write_bytes(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) * 100)
            summary = summarize(path, lambda: False)
            assert summary is not None
            manifest.add(path, summary)
    manifest.save()
    return logs


def test_usage_is_what_lies_there(week: Week) -> None:
    told = asked("store", "usage", "--logs", str(week.logs))
    files = [path for path in week.logs.rglob("*.jsonl") if path.parent.name != OWN_FOLDER]
    assert told["bytes"] == sum(path.stat().st_size for path in files)
    streams = {one["stream"]: one for one in told["streams"]}
    traces = [path for path in files if path.parent.name == "traces"]
    assert streams["traces"]["records"] == sum(path.read_bytes().count(b"\n") for path in traces)
    assert (streams["traces"]["segments"], streams["traces"]["oldest_hour"]) == (len(traces), "2026-11-16T00")
    shown = run("store", "usage", "--logs", str(week.logs)).stdout
    assert f"{streams['traces']['records']:,}" in shown


def test_whole_records_are_verified_and_damage_is_named(week: Week, tmp_path: Path) -> None:
    """A bit that fell over in a compressed segment, a line lost, a line that is none."""
    logs = tmp_path / "logs"
    shutil.copytree(week.logs, logs)
    forever = {"compress_after": "9000days", "archive_after": "9000days", "delete_after": "9000days"}
    config = tmp_path / "otel-config.yaml"
    config.write_text(yaml.safe_dump({"exporters": {"jsonl": {"retention": forever}}}), encoding="utf-8")
    given = ("store", "verify", "--logs", str(logs), "--stream", "traces", "--config", str(config))
    assert asked(*given)["ok"]
    first, second, third = sorted((logs / "traces").iterdir())[:3]
    packed = bytearray(gzip.compress(first.read_bytes(), mtime=0))
    packed[len(packed) // 2] ^= 0x10
    first.with_name(f"{first.name}.gz").write_bytes(packed)
    first.unlink()
    second.write_bytes(b"".join(second.read_bytes().splitlines(keepends=True)[:-1]))
    third.write_bytes(third.read_bytes() + b"{nothing\n")
    told = asked(*given, code=1)
    problems = {Path(one.partition(":")[0]).name: one for one in told["streams"][0]["problems"]}
    assert "can't be read to its end" in problems[f"{first.name}.gz"]
    assert "the manifest says" in problems[second.name]
    assert third.name in problems
    shown = run(*given, code=1)
    assert f"{first.name}.gz" in shown.stderr


def test_an_unknown_stream_is_refused_with_those_there_are(old: Path) -> None:
    for command in (("verify",), ("prune", "--older-than", "1day")):
        refused = run("store", *command, "--stream", "trace", "--logs", str(old), code=2)
        assert "expected one of alerts, business, errors" in refused.stderr


def test_a_stream_without_records_is_well(old: Path) -> None:
    told = asked("store", "verify", "--stream", "metrics", "--logs", str(old))
    assert (told["ok"], [one["segments"] for one in told["streams"]]) == (True, [0])


def test_maintaining_twice_is_maintaining_once(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First as a dry run, which touches nothing; the records of ten and forty days are all there afterwards."""
    monkeypatch.setattr(store_answers, "_GRACE_SECONDS", 0.0)
    monkeypatch.setattr(retention, "GRACE_NANO", 0)
    before = sorted(path.name for path in (old / "traces").iterdir())
    overdue = asked("store", "verify", "--rotation", "--logs", str(old), code=1)["overdue"]
    assert len(overdue) == 6
    dry = asked("store", "maintain", "--dry-run", "--floor", "0B", "--logs", str(old))
    assert sorted({step["act"] for step in dry["steps"]}) == ["compress", "delete"]
    assert sorted(path.name for path in (old / "traces").iterdir()) == before
    done = asked("store", "maintain", "--floor", "0B", "--logs", str(old))
    assert done["failures"] == []
    assert done["freed_bytes"] > 0
    for _ in range(2):  # what was compressed just now is archived next time, and its first form removed after that
        run("store", "maintain", "--floor", "0B", "--logs", str(old))
    archive = old.parent / "archive" / "traces"
    kept = [*(old / "traces").iterdir(), *archive.iterdir()]
    texts = {path: _unpacked(path) for path in kept}
    whole = {path.name.partition(".")[0]: text.count(b"\n") for path, text in texts.items()}
    assert sorted(whole) == [name.partition(".")[0] for name in before][1:]
    assert set(whole.values()) == {100}
    assert asked("store", "verify", "--logs", str(old))["ok"]
    again = run("store", "maintain", "--floor", "0B", "--logs", str(old)).stdout
    assert again == "nothing to do\n"


def test_a_dry_run_says_what_a_full_disk_would_cost(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it would delete is what is deleted."""
    monkeypatch.setattr(store_answers, "_GRACE_SECONDS", 0.0)
    floor = ("--floor", "900TiB", "--logs", str(old))
    dry = asked("store", "maintain", "--dry-run", *floor, code=1)
    done = asked("store", "maintain", *floor, code=1)
    gone = [sorted(step["segment"] for step in one["steps"] if step["act"] == "delete") for one in (dry, done)]
    assert gone[0] == gone[1] != []
    assert "there is nothing left to give up" in dry["failures"][0]


@pytest.mark.parametrize("link", [False, True], ids=["relative", "link"])
def test_the_archive_is_beside_the_real_folder(old: Path, monkeypatch: pytest.MonkeyPatch, *, link: bool) -> None:
    """Wherever one stands, and through a link."""
    place = old.parent / "elsewhere"
    place.mkdir()
    named = place / "link" if link else Path()
    if link:
        named.symlink_to(old)
    monkeypatch.chdir(place if link else old)
    monkeypatch.setattr(store_answers, "_GRACE_SECONDS", 0.0)
    monkeypatch.setattr(retention, "GRACE_NANO", 0)
    for _ in range(3):
        run("store", "maintain", "--floor", "0B", "--logs", str(named))
    assert list((old.parent / "archive" / "traces").iterdir()) != []
    assert not (old / "archive").exists()
    counts = [asked("sql", "SELECT count(*) AS n FROM traces", "--logs", str(one)) for one in (named, old)]
    assert counts[0] == counts[1]


def test_a_segment_in_two_forms_is_counted_once(old: Path) -> None:
    """As for a minute after it was compressed."""
    before = asked("store", "usage", "--logs", str(old))["streams"]
    plain = max((old / "traces").glob("*.jsonl"))
    plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    after = asked("store", "usage", "--logs", str(old))["streams"]
    verified = asked("store", "verify", "--stream", "traces", "--logs", str(old), code=1)  # much is overdue
    counted = [
        [(one["segments"], one["records"]) for one in streams if one["stream"] == "traces"]
        for streams in (before, after, verified["streams"])
    ]
    assert counted[0] == counted[1] == counted[2]


def _unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_telemetry_is_pruned_only_where_it_is_named(old: Path) -> None:
    dry = asked("store", "prune", "--older-than", "30days", "--stream", "logs", "--dry-run", "--logs", str(old))
    assert [step["act"] for step in dry["steps"]] == ["delete", "delete"]
    assert len(list((old / "logs").iterdir())) == 4
    run("store", "prune", "--older-than", "30days", "--stream", "logs", "--logs", str(old))
    assert (len(list((old / "logs").iterdir())), len(list((old / "traces").iterdir()))) == (2, 4)
    told = run("store", "prune", "--older-than", "30days", "--logs", str(old)).stdout
    assert told == "forgot 0 rows about alerts, notifications and silences\n"


def test_resolved_alerts_are_forgotten_and_what_fires_is_not(tmp_path: Path) -> None:
    incident = Incident().fire("down", "critical").fire("disk", "medium").until(100).end("disk").until(1000)
    (tmp_path / OWN_FOLDER).mkdir()
    state = State.open(tmp_path / OWN_FOLDER / "state.db")
    records.save(incident.dispatcher, state)
    state.close()
    given = ("--older-than", "0s", "--logs", str(tmp_path))
    dry = asked("store", "prune", "--dry-run", *given)
    assert (dry["rows"] > 0, dry["dry_run"]) == (True, True)
    assert asked("store", "prune", *given)["rows"] == dry["rows"]
    assert asked("store", "prune", *given)["rows"] == 0
    left = asked("alerts", "list", "--all", "--logs", str(tmp_path))["alerts"]
    assert left[0]["rule"] == "down"
