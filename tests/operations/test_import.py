"""Logs of others taken in, by a running sidecar and without one: each line once, at its own time, and no alert."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from operations.cli import main
from operations.importing.journal import Journal
from operations.importing.sshd import Sshd
from storage.lock import FolderLock
from storage.names import OWN_FOLDER
from tests.conftest import SHARED_DATA
from tests.support.sidecar import UntracedSidecar

SSHD = """\
Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user webmaster from 192.0.2.1\r
Dec 10 06:55:48 LabSZ sshd[24200]: Failed password for invalid user webmaster from 192.0.2.1 port 38926 ssh2\r
Dec 10 07:13:56 LabSZ sshd[24227]: Failed password for root from 192.0.2.2 port 42393 ssh2\r
Dec 10 07:13:56 LabSZ sshd[24227]: message repeated 5 times: [ Failed password for root from 192.0.2.2 port 42 ssh2]\r
Dec 10 07:13:57 LabSZ sshd[24227]: Failed none for invalid user  0101 from 192.0.2.3 port 14864 ssh2\r
Dec 10 07:13:58 LabSZ sshd[24227]: Failed password for invalid user x from y from 192.0.2.4 port 1 ssh2\r
not a line\r
Dec 10 09:32:20 LabSZ sshd[24680]: Accepted password for fztu from 192.0.2.5 port 49116 ssh2"""


def forecourt(*arguments: str, logs: Path, text: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [*arguments, "--logs", str(logs)], input=text, catch_exceptions=False)


def take_in(file: Path, logs: Path, *arguments: str, form: str = "sshd", code: int = 0) -> dict[str, Any]:
    done = forecourt("logs", "import", "--format", form, "--json", *arguments, str(file), logs=logs)
    assert done.exit_code == code, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def records(logs: Path, stream: str) -> list[dict[str, Any]]:
    found = [orjson.loads(line) for path in (logs / stream).glob("*.jsonl") for line in path.read_bytes().splitlines()]
    return sorted(found, key=lambda record: int(record["time_unix_nano"]))


def sshd_file(folder: Path, text: str = SSHD, name: str = "auth.log") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    settle(path)
    return path


def settle(path: Path) -> None:
    """Nobody has written to it for an hour."""
    then = time.time() - 3600
    os.utime(path, (then, then))


def test_an_ssh_log_becomes_records_and_logins(tmp_path: Path) -> None:
    """With the year that is the latest in the past; repeated lines count, other failures don't."""
    logs = tmp_path / "logs"
    told = take_in(sshd_file(tmp_path), logs, "--year", "2024", "--timezone", "UTC")
    assert (told["lines"], told["records"], told["not_understood"]) == (8, 11, 1)
    assert told["problems"] == ["line 7: expected `Dec 10 06:55:46 host sshd[24200]: message`"]
    logins = records(logs, "security")
    assert [(one["timestamp"][:19], one["event"], one["outcome"]) for one in logins] == [
        ("2024-12-10T06:55:48", "auth.login", "failure"),
        *[("2024-12-10T07:13:56", "auth.login", "failure")] * 6,
        ("2024-12-10T07:13:58", "auth.login", "failure"),
        ("2024-12-10T09:32:20", "auth.login", "success"),
    ]
    assert [(one["attributes"]["user.name"], one["attributes"]["client.address"]) for one in logins[-2:]] == [
        ("x from y", "192.0.2.4"),
        ("fztu", "192.0.2.5"),
    ]
    assert {record["resource"]["attributes"]["host.name"] for record in records(logs, "logs")} == {"LabSZ"}


def test_dates_with_a_year_are_taken_as_they_are(tmp_path: Path) -> None:
    """As newer systems write them, beside old ones; `--year` is nothing to them."""
    lines = [
        "2025-12-10T06:55:48.123456+01:00 LabSZ sshd-session[2]: Failed password for root from 192.0.2.1 port 1 ssh2",
        "2025-12-10T06:55:49 LabSZ sshd[24200]: Accepted publickey for root from 192.0.2.1 port 1 ssh2",
        "Dec 10 06:55:50 LabSZ sshd[24200]: Failed password for root from 192.0.2.1 port 1 ssh2",
        "2025-99-10T06:55:49Z LabSZ sshd[24200]: hello",
    ]
    told = take_in(sshd_file(tmp_path, "\n".join(lines)), tmp_path / "logs", "--year", "2024", "--timezone", "UTC")
    assert (told["records"], told["not_understood"]) == (3, 1)
    assert [(one["timestamp"], one["outcome"]) for one in records(tmp_path / "logs", "security")] == [
        ("2024-12-10T06:55:50.000000000Z", "failure"),
        ("2025-12-10T05:55:48.123456000Z", "failure"),
        ("2025-12-10T06:55:49.000000000Z", "success"),
    ]


def test_the_same_lines_are_taken_in_once(tmp_path: Path) -> None:
    """Under another name, packed, and when the file has grown: only what is new."""
    logs = tmp_path / "logs"
    first = sshd_file(tmp_path)
    options = ("--year", "2024", "--timezone", "UTC")
    take_in(first, logs, *options)
    assert take_in(first, logs, *options)["records"] == 0
    assert take_in(sshd_file(tmp_path, name="renamed.log"), logs, *options)["lines"] == 0
    packed = tmp_path / "auth.log.gz"
    packed.write_bytes(gzip.compress(first.read_bytes()))
    assert take_in(packed, logs, *options)["lines"] == 0
    more = "\r\nDec 10 09:40:00 LabSZ sshd[1]: Failed password for root from 192.0.2.9 port 1 ssh2\r\n"
    assert take_in(sshd_file(tmp_path, SSHD + more), logs, *options)["lines"] == 1
    assert len(records(logs, "logs")) == 12


@pytest.mark.parametrize("running", [True, False], ids=["sidecar", "no sidecar"])
def test_nothing_imported_makes_an_alert(tmp_path: Path, running: bool) -> None:  # noqa: FBT001  # the two ways
    """Not even a hundred failed logins of ten minutes ago; and nobody thinks that a service has come."""
    then = datetime.fromtimestamp(time.time() - 600, UTC)
    line = f"{then:%b %d %H:%M:%S} host sshd[1]: Failed password for root from 192.0.2.1 port 1 ssh2\n"
    file = sshd_file(tmp_path, line * 100)
    options = ("--timezone", "UTC")
    if running:
        with UntracedSidecar(tmp_path) as sidecar:
            assert take_in(file, sidecar.logs, *options, "--config", str(sidecar.configuration))["records"] == 100
            assert take_in(file, sidecar.logs, *options, "--config", str(sidecar.configuration))["records"] == 0
            deadline = time.monotonic() + 30
            status = ("collector", "status", "--json", "--config", str(sidecar.configuration))
            while json.loads(forecourt(*status, logs=sidecar.logs).stdout)["problem"]:
                assert time.monotonic() < deadline
                time.sleep(0.2)
    else:
        take_in(file, tmp_path / "logs", *options)
        with UntracedSidecar(tmp_path):
            pass
    logs = tmp_path / "logs"
    assert len(records(logs, "security")) == 100
    assert list((logs / "alerts").glob("*")) == []
    assert {record["event"] for record in records(logs, "system")} <= {
        "collector.started",
        "collector.stopped",
        "import.started",
        "import.stopped",
    }
    told = forecourt("security", "failed-logins", "--last", "1h", "--json", logs=logs)
    assert {(one["kind"], one["key"], one["failures"]) for one in json.loads(told.stdout)} == {
        ("address", "192.0.2.1", 100),
        ("user", "root", 100),
    }


def test_imported_records_enter_rollups_at_their_own_time(tmp_path: Path) -> None:
    """So that long ranges have them."""
    logs = tmp_path / "logs"
    take_in(sshd_file(tmp_path), logs, "--year", "2024", "--timezone", "UTC")
    lines = [line for line in records(logs, "rollups_1h") if line["indicator"] == "events"]
    assert [(line["timestamp"][:13], line["count"], line["errors"]) for line in lines] == [
        ("2024-12-10T06", 1, 1),
        ("2024-12-10T07", 7, 7),
        ("2024-12-10T09", 1, 0),
    ]


@pytest.mark.skipif(not (SHARED_DATA / "openssh").is_dir(), reason="the SSH log (../shared/data/openssh) is not there")
def test_a_real_servers_log_has_the_known_offenders(tmp_path: Path) -> None:
    """As two independent programs found them."""
    folder = SHARED_DATA / "openssh"
    truth = json.loads((folder / "ssh_truth.json").read_text())
    logs = tmp_path / "logs"
    take_in(folder / "OpenSSH_2k.log", logs, "--year", "2024", "--timezone", "UTC")
    told = forecourt("security", "failed-logins", "--from", "2024-12-01", "--to", "2024-12-31", "--json", logs=logs)
    offenders = json.loads(told.stdout)
    by_kind = {"address": "ip", "user": "user"}
    for kind, name in by_kind.items():
        mine = {one["key"]: one for one in offenders if one["kind"] == kind}
        assert {key: one["episodes"] for key, one in mine.items()} == truth["episodes_by_key"][name]
        assert {key: f"Dec 10 {one['first'][11:19]}" for key, one in mine.items()} == truth["first_fire"][name]
    failures = [one for one in records(logs, "security") if one["outcome"] == "failure"]
    assert len(failures) == truth["failures"]
    addresses = Counter(one["attributes"]["client.address"] for one in failures)
    assert {one["key"]: one["failures"] for one in offenders if one["kind"] == "address"} == {
        key: addresses[key] for key in truth["episodes_by_key"]["ip"]
    }


@pytest.mark.parametrize(
    ("lines", "now", "expected"),
    [
        (["Dec 10 06:55:46"], "2026-11-23", ["2025-12-10"]),
        (["Nov 22 06:55:46"], "2026-11-23", ["2026-11-22"]),
        (["Dec 31 23:59:59", "Jan  1 00:00:01"], "2026-11-23", ["2025-12-31", "2026-01-01"]),
        (
            ["Dec 31 23:59:59", "Jan  1 00:00:01", "Dec  1 00:00:00"],
            "2026-11-23",
            ["2024-12-31", "2025-01-01", "2025-12-01"],
        ),
        (["Feb 29 10:00:00"], "2026-11-23", ["2024-02-29"]),
        (["Nov 23 10:00:02", "Nov 23 10:00:01"], "2026-11-24", ["2026-11-23", "2026-11-23"]),
        (["Nov 20 10:00:00", "Nov 18 10:00:00"], "2026-11-24", ["2026-11-20", "2026-11-18"]),
    ],
)
def test_years_are_the_latest_that_are_not_in_the_future(lines: list[str], now: str, expected: list[str]) -> None:
    """Also over New Year, and where lines are a little out of order."""
    today = datetime.fromisoformat(f"{now}T12:00:00+00:00")
    texts = [f"{line} host sshd[1]: hello" for line in lines]
    reader = Sshd(today, UTC, None)
    reader.begin(texts)
    found = [
        datetime.fromtimestamp(entry.time_unix_nano / 1e9, UTC) for line in texts for entry in reader.entries(line)
    ]
    assert [f"{one:%Y-%m-%d}" for one in found] == expected


def test_json_lines_are_mapped(tmp_path: Path) -> None:
    """Usual keys are known, others are said; what is no JSON is told with its line."""
    file = tmp_path / "app.jsonl"
    file.write_text(
        '{"ts": 1733814946.5, "msg": "hello", "level": "warning", "user": {"id": "u7"}, "n": 3}\n'
        '{"timestamp": "2024-12-10T07:00:00Z", "message": "login", "event": "x", "outcome": "failure"}\n'
        "half a li\n"
        '{"message": "without a time"}\n'
    )
    logs = tmp_path / "logs"
    options = ("--map", "user.id=user.id", "--map", "event=event", "--service", "shop", "--timezone", "UTC")
    told = take_in(file, logs, *options, form="jsonl")
    assert (told["records"], told["not_understood"]) == (2, 2)
    assert told["problems"][0].startswith("line 3: not JSON")
    login, hello = records(logs, "logs")
    assert (hello["timestamp"], hello["body"]) == ("2024-12-10T07:15:46.500000000Z", "hello")
    assert (hello["severity"], hello["severity_number"], hello["service"]) == ("warning", 13, "shop")
    assert (hello["attributes"]["user.id"], hello["attributes"]["n"]) == ("u7", 3)
    assert (login["event_name"], login["attributes"]["event.outcome"]) == ("x", "failure")
    (event,) = records(logs, "business")
    assert (event["event"], event["outcome"]) == ("x", "failure")


def test_the_backends_own_log_files_mean_what_they_mean_live(tmp_path: Path) -> None:
    """Failed logins, tracebacks of several lines, the bot's outcomes."""
    file = tmp_path / "backend.log"
    file.write_text(
        "2024-12-10 07:00:00,123 | INFO     | app.auth | WorkFossa verification failed: bad password\n"
        "2024-12-10 07:00:01,000 | ERROR | app.jobs | run:42 | it failed\n"
        "Traceback (most recent call last):\n"
        '  File "jobs.py", line 42, in run\n'
        "ValueError: no such pump\n"
        '2024-12-10 07:00:02 | INFO | app.scrape | [BOT] scheduled_scrape_completed | {"count": 3}\n'
    )
    settle(file)
    logs = tmp_path / "logs"
    told = take_in(file, logs, "--timezone", "UTC", form="fossawork")
    assert (told["lines"], told["records"], told["not_understood"]) == (3, 3, 0)
    (login,) = records(logs, "security")
    assert (login["event"], login["outcome"], login["timestamp"][:23]) == (
        "fossa.auth.login",
        "failure",
        "2024-12-10T07:00:00.123",
    )
    (error,) = records(logs, "errors")
    assert (error["error_type"], error["message"]) == ("ValueError", "no such pump")
    (sync,) = records(logs, "business")
    assert (sync["event"], sync["outcome"]) == ("fossa.work_order.sync", "success")


def test_hostile_files_break_nothing(tmp_path: Path) -> None:
    """No UTF-8, zeros, a line of ten megabytes, half a line at the end."""
    good = b"Dec 10 06:55:46 host sshd[1]: Failed password for root from 192.0.2.1 port 1 ssh2\n"
    file = tmp_path / "hostile.log"
    file.write_bytes(b"\xff\xfe\x00\x00\n" + good + b"x" * 10_000_000 + b"\n" + good + b"Dec 10 06:5")
    logs = tmp_path / "logs"
    told = take_in(file, logs, "--year", "2024")
    assert told["records"] == 2
    assert len(records(logs, "security")) == 2


def test_a_json_line_whose_time_is_none_is_told_and_the_rest_taken(tmp_path: Path) -> None:
    """Numbers too large, times that nobody had, other types; a level that nobody knows is shown all the same."""
    times = ("1e300", "9" * 30, "-5", "null", "true", "[1]", '"9999-12-31T23:59:59Z"', '"0001-01-01T00:00:00+14:00"')
    lines = [f'{{"time": {time}, "msg": "bad"}}' for time in times]
    lines += ["[]", "7", '"x"', '{"time": 1795435200.5, "msg": {"a": 1}, "level": 5}']
    file = sshd_file(tmp_path, "\n".join(lines), "app.jsonl")
    told = take_in(file, tmp_path / "logs", form="jsonl")
    assert (told["lines"], told["records"], told["not_understood"]) == (12, 1, 11)
    assert told["problems"][0] == "line 1: its time is not between 1970 and 2262"
    shown = forecourt("logs", "show", "--from", "2026-11-23", "--to", "2026-11-24", logs=tmp_path / "logs").stdout
    assert shown == '2026-11-23 12:00:00 5     imported -: {"a":1}\n'


def test_standard_input_and_a_dry_run(tmp_path: Path) -> None:
    """What is piped in is taken in; a dry run only counts."""
    logs = tmp_path / "logs"
    dry = forecourt(
        "logs", "import", "--format", "sshd", "--dry-run", str(sshd_file(tmp_path)), "--year", "2024", logs=logs
    )
    assert dry.stdout == "8 lines, 11 records would be taken in\n"
    assert not logs.exists()
    done = forecourt(
        "logs", "import", "--format", "jsonl", "-", logs=logs, text=b'{"time": "2024-12-10T07:00:00Z", "msg": "a"}\n'
    )
    assert (done.exit_code, done.stdout) == (0, "1 lines, 1 records taken in\n")
    assert [record["body"] for record in records(logs, "logs")] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--format", "sshd", "nowhere.log"], "'nowhere.log' does not exist"),
        (["--format", "apache", "x"], "'apache' is not one of"),
        (["--format", "jsonl", "--map", "time", "FILE"], "--map 'time': expected FIELD=KEY"),
        (["--format", "jsonl", "--timezone", "Mars/Olympus", "FILE"], "--timezone 'Mars/Olympus'"),
    ],
)
def test_a_wrong_import_is_one_clear_line(tmp_path: Path, arguments: list[str], told: str) -> None:
    """A usage error."""
    file = str(sshd_file(tmp_path))
    given = [file if word == "FILE" else word for word in arguments]
    done = forecourt("logs", "import", *given, logs=tmp_path / "logs")
    assert done.exit_code == 2
    assert told in done.stderr.replace("\n", " ")


OPTIONS = ("--year", "2024", "--timezone", "UTC")


def failed(second: int, address: str = "192.0.2.1") -> str:
    return f"Dec 10 06:55:{second:02d} LabSZ sshd[1]: Failed password for root from {address} port 1 ssh2\n"


@pytest.mark.parametrize("stage", ["sending", "sent"])
def test_an_import_that_ends_between_sending_and_remembering_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Though the file has grown before it is tried again, as logs do."""
    logs = tmp_path / "logs"
    file = sshd_file(tmp_path, "".join(map(failed, range(10))))

    def killed(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, stage, killed)
        assert forecourt("logs", "import", "--format", "sshd", *OPTIONS, str(file), logs=logs).exit_code == 1
    file.write_bytes("".join(map(failed, range(12))).encode())
    settle(file)
    take_in(file, logs, *OPTIONS)
    assert len(records(logs, "security")) == 12
    shown = forecourt("logs", "show", "--from", "2024-12-10", "--to", "2024-12-11", "--json", logs=logs)
    assert len(json.loads(shown.stdout)["records"]) == 12
    assert take_in(file, logs, *OPTIONS)["lines"] == 0


def test_chunks_that_say_the_same_are_all_counted(tmp_path: Path) -> None:
    """Five thousand times the same line are five thousand records."""
    told = take_in(sshd_file(tmp_path, failed(1) * 5000), tmp_path / "logs", *OPTIONS)
    assert told["records"] == len(records(tmp_path / "logs", "security")) == 5000


def test_a_file_that_is_being_written_keeps_its_end_for_the_next_time(tmp_path: Path) -> None:
    """Half a line is none yet; a traceback belongs to the message that it comes after."""
    logs = tmp_path / "logs"
    file = tmp_path / "auth.log"
    file.write_text(failed(1) + failed(2)[:-12])
    assert take_in(file, logs, *OPTIONS)["lines"] == 1
    file.write_text(failed(1) + failed(2))
    assert take_in(file, logs, *OPTIONS)["lines"] == 1
    assert len(records(logs, "security")) == 2
    app = tmp_path / "app.log"
    message = "2024-12-10 07:00:01,000 | ERROR | app.jobs | it failed\n"
    app.write_text(message * 2)
    assert take_in(app, logs, "--timezone", "UTC", form="fossawork")["records"] == 1
    app.write_text(f"{message * 2}Traceback (most recent call last):\nValueError: no such pump\n")
    settle(app)
    assert take_in(app, logs, "--timezone", "UTC", form="fossawork")["records"] == 1
    assert sorted(one["error_type"] for one in records(logs, "errors")) == ["ValueError", "error"]


def test_a_file_that_goes_on_in_the_new_year_goes_on(tmp_path: Path) -> None:
    """What was taken in before is looked at for nothing but where it ends."""
    logs = tmp_path / "logs"
    old = "Dec 30 10:00:00 h sshd[1]: hello\nDec 31 10:00:00 h sshd[1]: hello\n"
    take_in(sshd_file(tmp_path, old), logs, "--year", "2024", "--timezone", "UTC")
    grown = sshd_file(tmp_path, f"{old}Jan  2 10:00:00 h sshd[1]: hello\n")
    take_in(grown, logs, "--year", "2025", "--timezone", "UTC")
    assert [one["timestamp"][:10] for one in records(logs, "logs")] == ["2024-12-30", "2024-12-31", "2025-01-02"]


def test_standard_input_has_its_years_too(tmp_path: Path) -> None:
    """The latest that are not in the future."""
    lines = b"Dec 31 10:00:00 h sshd[1]: hello\nJan  2 10:00:00 h sshd[1]: hello\n"
    arguments = ("logs", "import", "--format", "sshd", "--timezone", "UTC", "-")
    assert forecourt(*arguments, logs=tmp_path / "logs", text=lines).exit_code == 0
    (first, second) = (datetime.fromisoformat(one["timestamp"][:19]) for one in records(tmp_path / "logs", "logs"))
    assert (first.month, second.month, second.year - first.year) == (12, 1, 1)
    assert second.replace(tzinfo=UTC) <= datetime.now(UTC)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="time zones by the environment")
def test_local_times_are_those_of_their_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In summer those of summer, be it winter now."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        lines = "Jan 10 10:00:00 h sshd[1]: hello\nJul 10 10:00:00 h sshd[1]: hello\n"
        take_in(sshd_file(tmp_path, lines), tmp_path / "logs", "--year", "2024")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [one["timestamp"][:16] for one in records(tmp_path / "logs", "logs")] == [
        "2024-01-10T09:00",
        "2024-07-10T08:00",
    ]


def test_what_was_not_understood_can_be_tried_as_another_form(tmp_path: Path) -> None:
    """Nothing is remembered of it, and the exit code says so; --again takes in even what was."""
    logs = tmp_path / "logs"
    file = sshd_file(tmp_path, '{"when": "2024-12-10T10:00:00Z", "msg": "a"}\n' * 2, "app.jsonl")
    wrong = forecourt("logs", "import", "--format", "jsonl", str(file), logs=logs)
    assert (wrong.exit_code, "try another --format or --map" in wrong.stderr) == (1, True)
    assert take_in(file, logs, "--map", "time=when", form="jsonl")["records"] == 2
    assert take_in(file, logs, "--map", "time=when", "--dry-run", form="jsonl")["records"] == 0
    assert take_in(file, logs, "--map", "time=when", "--service", "shop", "--again", form="jsonl")["records"] == 2
    assert sorted(one["service"] for one in records(logs, "logs")) == ["imported", "imported", "shop", "shop"]


def test_deep_values_and_endless_messages_cost_no_more_than_others(tmp_path: Path) -> None:
    """What is nested 300 deep comes as text; lines that belong to nothing are counted, and soon."""
    logs = tmp_path / "logs"
    deep = f'{{"time": "2024-12-10T10:00:00Z", "msg": "a", "deep": {"[" * 300}{"]" * 300}}}\n'
    assert take_in(sshd_file(tmp_path, deep, "deep.jsonl"), logs, form="jsonl")["records"] == 1
    app = "2024-12-10 07:00:01,000 | ERROR | app.jobs | it failed\n" + failed(1) * 50_000
    began = time.monotonic()
    told = take_in(sshd_file(tmp_path, app, "app.log"), logs, "--timezone", "UTC", form="fossawork")
    assert time.monotonic() - began < 20
    assert (told["records"], told["not_understood"]) == (1, 25)


def test_one_import_at_a_time(tmp_path: Path) -> None:
    """The second would find everything new."""
    logs = tmp_path / "logs"
    take_in(sshd_file(tmp_path, failed(1)), logs, *OPTIONS)
    lock = FolderLock(logs / OWN_FOLDER / "import.lock")
    lock.acquire()
    refused = forecourt("logs", "import", "--format", "sshd", *OPTIONS, str(tmp_path / "auth.log"), logs=logs)
    lock.release()
    assert (refused.exit_code, "another import into" in refused.stderr) == (1, True)


def test_a_damaged_file_is_one_clear_line(tmp_path: Path) -> None:
    packed = tmp_path / "auth.log.gz"
    packed.write_bytes(gzip.compress(failed(1).encode() * 1000)[:40] + b"\0" * 40)
    refused = forecourt("logs", "import", "--format", "sshd", *OPTIONS, str(packed), logs=tmp_path / "logs")
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"Error: {packed}: ")


def test_what_is_refused_is_told(tmp_path: Path) -> None:
    """A record beyond the limits is not among those that were taken in."""
    configuration = tmp_path / "otel-config.yaml"
    configuration.write_text("processors: {limits: {record_bytes: 800B}}")
    lines = [json.dumps({"time": 1795435200 + number, "msg": "x" * 200 * number}) for number in range(4)]
    file = sshd_file(tmp_path, "\n".join(lines), "app.jsonl")
    told = take_in(file, tmp_path / "logs", "--config", str(configuration), form="jsonl", code=1)
    assert (told["lines"], told["records"], told["refused"]) == (4, 2, 2)
    assert told["problems"] == [
        "lines 1-4: 2 records are refused: a record is over 800 bytes as a line (processors.limits.record_bytes)"
    ]
    assert [len(one["body"]) for one in records(tmp_path / "logs", "logs")] == [0, 200]
