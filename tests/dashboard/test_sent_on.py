"""How exporters fare: page System and `/api/v1/status` over a state database that holds some."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from dashboard.rendering import NONE
from storage import exporter_rows
from storage.exporter_rows import Key, Outcome, SetAside, Wanted
from tests.dashboard.opening import Opening, Shown
from tests.dashboard.standing import state_of
from tests.support.incident import nano
from tests.support.stored import HOUR
from tests.support.week import NANO

NOW = HOUR + 1800 * NANO
JAEGER, VENDOR, LOGS = ("otlp_grpc/jaeger", "traces"), ("otlp_http/vendor", "traces"), ("otlp_http/vendor", "logs")
SEGMENT = "2026-11-23T12.jsonl"


def known(folder: Path, *keys: Key) -> None:
    with closing(state_of(folder)) as state:
        exporter_rows.register(state, dict.fromkeys(keys, Wanted(from_beginning=True, queue_bytes=100)), {})


def came(folder: Path, key: Key, outcome: Outcome, *, waiting_bytes: int = 0, behind_seconds: int = 0) -> None:
    """One step of it; looked at just now."""
    oldest = NOW - behind_seconds * NANO if behind_seconds else 0
    with closing(state_of(folder)) as state:
        assert exporter_rows.record(state, key, outcome, None, 0)
        exporter_rows.looked(state, key, waiting_bytes=waiting_bytes, oldest_unix_nano=oldest, now_unix_nano=NOW - NANO)


def aside(key: Key, reason: str, records: int = 1) -> SetAside:
    return SetAside(*key, SEGMENT, 0, 10, records, reason, nano(600))


def opened(folder: Path) -> Shown:
    with Opening(folder, NOW) as pages:
        return pages.shown("/system")


def rows(shown: Shown) -> list[list[str]]:
    (found,) = [one[1:] for one in shown.tables if one[0][0] == "exporter, signal"]
    return found


def test_what_is_sent_on_is_told_of_each_exporter(tmp_path: Path) -> None:
    """How much went, how much waits since when, what was refused or lost, and the last problem with its time."""
    known(tmp_path, JAEGER, VENDOR, LOGS)
    counts = {"sent_records": 812_033, "set_aside_records": 1}
    came(tmp_path, JAEGER, Outcome(counts, set_aside=(aside(JAEGER, "no id"),), sent_unix_nano=nano(1798)))
    problem = ("https://otlp.example.com/v1/logs answered 503", nano(1790))
    came(tmp_path, LOGS, Outcome({"dropped_records": 7}, problem=problem), waiting_bytes=3072, behind_seconds=90)
    counts = {"sent_records": 5, "set_aside_records": 1200, "rejected_records": 2}
    came(tmp_path, VENDOR, Outcome(counts, set_aside=(aside(VENDOR, "no name"), aside(VENDOR, "no time", 1199))))
    shown = opened(tmp_path)
    assert rows(shown) == [
        ["otlp_grpc/jaeger traces", "● 0 s", "0 B", "812,033", "▲ 1", "0", "0", "12:29:58"],
        ["otlp_http/vendor logs", "● 1 min 30 s", "3 KiB", "0", "0", "0", "▲ 7", NONE],
        ["otlp_http/vendor traces", "● 0 s", "0 B", "5", "▲ 1,200", "▲ 2", "0", NONE],
    ]
    assert "otlp_grpc/jaeger has set aside 1 records, the last 12:10:00: no id. Once" in shown.text
    assert "otlp_http/vendor logs, 12:29:50: https://otlp.example.com/v1/logs answered 503" in shown.text
    assert (
        "otlp_http/vendor has set aside 1,200 records, the last 12:10:00: no time. "
        "Once the reason is mended: forecourt store exporters --retry otlp_http/vendor"
    ) in shown.text


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(900, "● 15 min"), (901, "▲ 15 min 1 s"), (6 * 3600, "▲ 6 h"), (6 * 3600 + 60, "■ 6 h 1 min")],
)
def test_an_exporter_that_is_far_behind_stands_out(tmp_path: Path, seconds: int, told: str) -> None:
    """At the bounds of the rule exporter.behind."""
    known(tmp_path, JAEGER)
    came(tmp_path, JAEGER, Outcome(), behind_seconds=seconds)
    assert rows(opened(tmp_path))[0][1] == told


def test_who_exports_nothing_reads_nothing_of_it(tmp_path: Path) -> None:
    """Neither with a state database nor without."""
    assert "Sent on" not in opened(tmp_path).text
    state_of(tmp_path).close()
    assert "Sent on" not in opened(tmp_path).text


def test_what_others_answer_is_cut_and_stays_text(tmp_path: Path) -> None:
    """And a name that a shell would take apart is quoted in the command."""
    name = "otlp_http/a b;<i>"
    hostile = "<script>alert(1)</script>\x00\u202e\n" + "x" * 100_000
    known(tmp_path, (name, "logs"))
    problem = (hostile, nano(1))
    outcome = Outcome({"set_aside_records": 1}, set_aside=(aside((name, "logs"), hostile),), problem=problem)
    came(tmp_path, (name, "logs"), outcome)
    shown = opened(tmp_path)
    assert "forecourt store exporters --retry 'otlp_http/a b;<i>'" in shown.text
    assert shown.text.count("<script>alert(1)</script> x") == 2
    assert ("script" in shown.elements, "x" * 300 in shown.html, "\u202e" in shown.html) == (False, False, False)


def test_what_was_set_aside_and_deleted_since_is_no_more(tmp_path: Path) -> None:
    """There is nothing that could be sent again."""
    known(tmp_path, VENDOR)
    came(tmp_path, VENDOR, Outcome({"set_aside_records": 3}, set_aside=(aside(VENDOR, "no name", 3),)))
    with closing(state_of(tmp_path)) as state:
        exporter_rows.forget_segment(state, "traces", SEGMENT, {})
    assert "set aside 3" not in opened(tmp_path).text


def test_the_api_tells_the_same(tmp_path: Path) -> None:
    """Times as RFC 3339, null where nothing was sent yet."""
    known(tmp_path, JAEGER, LOGS)
    counts = {"sent_records": 5, "set_aside_records": 4, "rejected_records": 3, "dropped_records": 2}
    came(tmp_path, JAEGER, Outcome(counts, sent_unix_nano=nano(1798)))
    came(tmp_path, LOGS, Outcome(problem=("503", nano(1790))), waiting_bytes=9, behind_seconds=1000)
    with Opening(tmp_path, NOW) as pages:
        told = pages.get("/api/v1/status").json()["exporters"]
    assert told == [
        {
            "exporter": "otlp_grpc/jaeger",
            "signal": "traces",
            "sent": 5,
            "waiting_bytes": 0,
            "lag_seconds": 0.0,
            "band": "normal",
            "set_aside": 4,
            "rejected": 3,
            "dropped": 2,
            "last_sent": "2026-11-23T12:29:58.000000000Z",
            "problem": "",
            "problem_time": None,
        },
        {
            "exporter": "otlp_http/vendor",
            "signal": "logs",
            "sent": 0,
            "waiting_bytes": 9,
            "lag_seconds": 1000.0,
            "band": "warning",
            "set_aside": 0,
            "rejected": 0,
            "dropped": 0,
            "last_sent": None,
            "problem": "503",
            "problem_time": "2026-11-23T12:29:50.000000000Z",
        },
    ]
