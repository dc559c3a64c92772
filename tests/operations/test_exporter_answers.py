from __future__ import annotations

from contextlib import closing
from pathlib import Path

from click.testing import CliRunner

from operations.cli import main
from storage import State, exporter_rows
from storage.exporter_rows import Outcome, SetAside, Wanted
from storage.names import OWN_FOLDER
from storage.ranges import WHOLE

KEY = ("otlp_http/paid", "traces")
NOON = 1_795_435_200 * 10**9


def _told(folder: Path, *arguments: str) -> list[str]:
    done = CliRunner().invoke(main, ["store", "exporters", "--logs", str(folder), *arguments])
    assert done.exit_code == 0, done.output
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_what_sampling_left_out_and_what_was_set_aside_is_told(tmp_path: Path) -> None:
    """Who pays by volume sees what was saved; what was refused can be sent again once the reason is mended."""
    (tmp_path / OWN_FOLDER).mkdir()
    with closing(State.open(tmp_path / OWN_FOLDER / "state.db")) as state:
        none = "no exporter is configured, or no collector has run with it yet. See docs/exporting.md"
        assert _told(tmp_path) == [none]
        exporter_rows.register(state, {KEY: Wanted(from_beginning=True, queue_bytes=100)}, {})
        parts = tuple(
            SetAside(*KEY, "2026-11-23T12.jsonl", start, start + 10, count, "no name", NOON)
            for start, count in ((0, 1), (10, 1200))
        )
        counts = {"sent_records": 2000, "sampled_out_records": 17_500, "set_aside_records": 1201}
        exporter_rows.record(state, KEY, Outcome(counts, set_aside=parts), None, 0)
        exporter_rows.looked(state, KEY, waiting_bytes=0, oldest_unix_nano=0, now_unix_nano=2 * NOON)
    assert _told(tmp_path) == [
        "exporter signal sent left out waiting behind set aside dropped last sent last problem",
        "otlp_http/paid traces 2,000 17,500 0 1,201 0",
        "set aside by otlp_http/paid: 1 record, traces/2026-11-23T12.jsonl bytes 0 to 10: no name",
        "set aside by otlp_http/paid: 1,200 records, traces/2026-11-23T12.jsonl bytes 10 to 20: no name",
        "once the reason is mended: forecourt store exporters --retry NAME",
        "the sidecar is not running: what is not sent waits for its next start",
    ]
    assert _told(tmp_path, "--retry", KEY[0]) == ["sent again: 1,201 records of 2 parts"]
    assert _told(tmp_path, "--retry", KEY[0]) == ["nothing was set aside"]


def test_what_a_viewer_rejected_is_told_apart_from_what_was_set_aside(tmp_path: Path) -> None:
    """Nothing sends it again; nor lines that hold no record, which are told too."""
    (tmp_path / OWN_FOLDER).mkdir()
    with closing(State.open(tmp_path / OWN_FOLDER / "state.db")) as state:
        exporter_rows.register(state, {KEY: Wanted(from_beginning=True, queue_bytes=100)}, {})
        counts = {"sent_records": 20, "rejected_records": 1300, "unreadable_records": 2}
        exporter_rows.record(state, KEY, Outcome(counts), None, 0)
    assert _told(tmp_path)[:-1] == [
        "exporter signal sent waiting behind set aside rejected dropped last sent last problem",
        "otlp_http/paid traces 20 0 0 1,300 0",
        "passed over by otlp_http/paid: 2 lines of traces, which hold no record",
    ]


def test_of_a_damaged_segment_is_told_from_where_on_it_was_given_up(tmp_path: Path) -> None:
    """Nobody knows how much that is."""
    (tmp_path / OWN_FOLDER).mkdir()
    with closing(State.open(tmp_path / OWN_FOLDER / "state.db")) as state:
        exporter_rows.register(state, {KEY: Wanted(from_beginning=True, queue_bytes=100)}, {})
        part = SetAside(*KEY, "2026-11-23T12.jsonl", 70, WHOLE, 1, "it is damaged", NOON)
        exporter_rows.record(state, KEY, Outcome({"set_aside_records": 1}, set_aside=(part,)), None, 0)
    told = "set aside by otlp_http/paid: traces/2026-11-23T12.jsonl from byte 70 on: it is damaged"
    assert _told(tmp_path)[2] == told
    assert _told(tmp_path, "--retry", KEY[0]) == ["sent again: 1 record of 1 part"]


def test_who_has_sent_everything_is_not_behind_because_the_sidecar_is_stopped(tmp_path: Path) -> None:
    """One that has something left is, also then."""
    (tmp_path / OWN_FOLDER).mkdir()
    with closing(State.open(tmp_path / OWN_FOLDER / "state.db")) as state:
        late = ("otlp_http/paid", "logs")
        exporter_rows.register(state, dict.fromkeys((KEY, late), Wanted(from_beginning=True, queue_bytes=100)), {})
        for key, oldest in ((KEY, 0), (late, NOON)):
            exporter_rows.looked(state, key, waiting_bytes=0, oldest_unix_nano=oldest, now_unix_nano=NOON)
    _, logs, traces, _ = _told(tmp_path)
    assert traces == "otlp_http/paid traces 0 0 0 0"
    assert logs.startswith("otlp_http/paid logs 0 0 ")
    assert logs != "otlp_http/paid logs 0 0 0 0"
