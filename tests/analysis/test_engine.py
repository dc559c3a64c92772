from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import orjson
import pytest

from analysis.engine import Engine, QueryError
from analysis.period import HOUR_NANO, NANO, Period
from analysis.schema import STREAMS
from storage import StoreFormatError
from storage.manifest import Manifest, summarize
from storage.names import OWN_FOLDER, hour_of
from tests.support.week import END, START, Week

HOUR = 1_795_435_200 * NANO
"""2026-11-23T12:00:00Z."""


def line(number: int, time: int = HOUR, **given: object) -> bytes:
    record = {
        "time_unix_nano": time,
        "received_unix_nano": time + 1,
        "service": "app",
        "name": f"span {number}",
        "kind": "SERVER",
        "duration_ms": float(number),
        "batch_id": f"{number:016x}",
        "batch_index": 0,
        "attributes": {"http.route": "/orders", 'a/b~"c': "odd"},
        **given,
    }
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def put(folder: Path, name: str, content: bytes, stream: str = "traces") -> Path:
    path = folder / stream / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def names(engine: Engine, period: Period | None = None) -> list[str]:
    return [name for (name,) in engine.sql("SELECT name FROM traces ORDER BY name", (), period)]


def test_plain_compressed_and_archived_segments_are_one_view(tmp_path: Path) -> None:
    """Whatever became of a segment meanwhile, its records are there once."""
    logs, archive = tmp_path / "logs", tmp_path / "archive"
    put(logs, "2026-11-23T12.jsonl", line(1))
    put(logs, "2026-11-23T11.jsonl.gz", line(2))
    put(archive, "2026-11-23T10.jsonl.gz", line(3))
    put(logs, "2026-11-23T09.jsonl", line(4))
    put(logs, "2026-11-23T09.jsonl.gz", line(4))
    put(archive, "2026-11-23T11.jsonl.gz", line(2))
    assert names(Engine(logs, archive)) == ["span 1", "span 2", "span 3", "span 4"]


def test_a_view_has_times_and_attributes(tmp_path: Path) -> None:
    """The timestamp is that of the event; a name of an attribute may hold anything."""
    put(tmp_path, "2026-11-23T12.jsonl", line(1) + line(2, 0, received_unix_nano=HOUR + 5 * NANO))
    rows = Engine(tmp_path).sql(
        """
        SELECT name, CAST(timestamp AS VARCHAR), event_unix_nano, attr(attributes, 'http.route'),
               attr(attributes, 'a/b~"c'), attr(attributes, 'none')
        FROM traces ORDER BY name
        """
    )
    assert rows.rows == [
        ("span 1", "2026-11-23 12:00:00", HOUR, "/orders", "odd", None),
        ("span 2", "2026-11-23 12:00:05", HOUR + 5 * NANO, "/orders", "odd", None),
    ]


def test_the_segment_that_is_being_written_counts_up_to_its_last_whole_line(tmp_path: Path) -> None:
    """Half a line on its way is neither a record nor a fault."""
    put(tmp_path, "2026-11-23T12.jsonl", line(1) + line(2)[:-30])
    engine = Engine(tmp_path)
    assert names(engine) == ["span 1"]
    assert engine.corrupt_lines == {"traces": 0}


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"service":"b","time_un\n',
        b"\x00\x00\x00\n",
        b'{"service":"\xff\xfe"}\n',
        b"[1,2]\n",
        b"null\n",
        b'"text"\n',
        b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b'{"name":"' + b"x" * 20_000_000 + b'"}\n',
        b'{"received_unix_nano":"soon","name":"span 9"}\n',
        b"{}\n",
    ],
    ids=["torn", "zeros", "no UTF-8", "array", "null", "text", "deep", "long", "wrong type", "empty"],
)
@pytest.mark.parametrize("form", ["2026-11-23T12.jsonl", "2026-11-23T12.jsonl.gz"])
def test_a_hostile_line_breaks_no_query_and_is_counted(tmp_path: Path, hostile: bytes, form: str) -> None:
    """Whatever it is, the records around it are answered."""
    put(tmp_path, form, line(1) + hostile + line(2))
    engine = Engine(tmp_path)
    assert names(engine) == ["span 1", "span 2"]
    assert engine.corrupt_lines == {"traces": 1}


def test_a_value_of_the_wrong_type_is_no_value(tmp_path: Path) -> None:
    """One field that is not what it should be costs that field, not the record."""
    put(tmp_path, "2026-11-23T12.jsonl", line(1, duration_ms="long", attributes=3) + line(2, time_unix_nano=2**64 - 1))
    rows = Engine(tmp_path).sql("SELECT name, duration_ms, event_unix_nano FROM traces ORDER BY name").rows
    assert rows == [("span 1", None, HOUR), ("span 2", 2.0, HOUR + 1)]


def test_a_segment_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    """A damaged file costs its own records, and the reason is told."""
    whole = gzip.compress(line(1) * 1000)
    put(tmp_path, "2026-11-23T11.jsonl", line(2))
    (tmp_path / "traces" / "2026-11-23T10.jsonl.gz").write_bytes(whole[:-20])
    (tmp_path / "traces" / "2026-11-23T09.jsonl.gz").write_bytes(b"hello")
    engine = Engine(tmp_path)
    assert names(engine) == ["span 2"]
    assert sorted(engine.unread) == ["traces/2026-11-23T09.jsonl.gz", "traces/2026-11-23T10.jsonl.gz"]
    assert "GZIP" in engine.unread["traces/2026-11-23T09.jsonl.gz"]


def test_a_segment_that_retention_moves_meanwhile_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are listed anew when one is gone; nothing of it is told, since nothing is missing."""
    plain = put(tmp_path, "2026-11-23T11.jsonl", line(1))
    engine = Engine(tmp_path)
    find = engine._files.find
    moved = []

    def move_after_listing(stream: str, period: Period | None) -> object:
        found = find(stream, period)
        if not moved:
            moved.append(put(tmp_path, "2026-11-23T11.jsonl.gz", line(1)))
            plain.unlink()
        return found

    monkeypatch.setattr(engine._files, "find", move_after_listing)
    assert names(engine) == ["span 1"]
    assert engine.unread == {}


def test_a_segment_that_is_always_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two new lists the answer comes without it."""
    put(tmp_path, "2026-11-23T11.jsonl", line(1))
    gone = put(tmp_path, "2026-11-23T10.jsonl", line(2))
    engine = Engine(tmp_path)
    find = engine._files.find
    listed = []

    def list_what_is_gone(stream: str, period: Period | None) -> object:
        gone.write_bytes(line(2))
        found = find(stream, period)
        gone.unlink()
        listed.append(stream)
        return found

    monkeypatch.setattr(engine._files, "find", list_what_is_gone)
    assert names(engine) == ["span 1"]
    assert list(engine.unread) == ["traces/2026-11-23T10.jsonl"]
    assert len(listed) == 4


@pytest.mark.parametrize("name", ["it's [1] *all* ?", "plain"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    """What the engine takes for a pattern is none."""
    if os.name == "nt" and "*" in name:
        name = "it's [1]"
    put(tmp_path / name, "2026-11-23T11.jsonl", line(1))
    assert names(Engine(tmp_path / name)) == ["span 1"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nothing FROM traces", 'Referenced column "nothing" not found'),
        ("SELECT 1; SELECT 2", "expected one SELECT statement"),
        ("", "expected one SELECT statement"),
        ("DROP VIEW traces", "expected one SELECT statement"),
        ("COPY (SELECT 1) TO 'x.csv'", "expected one SELECT statement"),
        ("ATTACH 'x.db'", "expected one SELECT statement"),
        ("SET threads = 1", "expected one SELECT statement"),
        ("SELECT * FROM read_text('{outside}')", "disabled by configuration"),
        ("SELECT * FROM read_csv('{outside}')", "disabled by configuration"),
        ("SELECT * FROM glob('{outside}/*')", "disabled by configuration"),
    ],
)
def test_what_is_no_question_to_the_records_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """Nothing is changed, nothing else of the machine is read."""
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    put(tmp_path / "logs", "2026-11-23T11.jsonl", line(1))
    with pytest.raises(QueryError, match=told):
        Engine(tmp_path / "logs").sql(text.replace("{outside}", str(outside)))


def test_values_are_bound(tmp_path: Path) -> None:
    """What looks like SQL is a text."""
    put(tmp_path, "2026-11-23T11.jsonl", line(1))
    found = Engine(tmp_path).sql("SELECT ? AS said, count(*) FROM traces WHERE name = ?", ("' OR 1 = 1 --", "span 1"))
    assert (found.columns, found.rows) == (("said", "count_star()"), [("' OR 1 = 1 --", 1)])


def test_every_stream_is_a_view_even_without_a_segment(tmp_path: Path) -> None:
    """No rows is an answer."""
    engine = Engine(tmp_path)
    for stream in STREAMS:
        assert engine.sql(f"SELECT * FROM {stream}").rows == []  # noqa: S608  # our own names


def test_a_period_holds_what_happened_in_it(week: Week) -> None:
    """By event time, the end excluded, whatever the segments hold besides."""
    engine = Engine(week.logs)
    period = Period((START + 3600) * NANO, (START + 9000) * NANO)
    ((count,),) = engine.sql("SELECT count(*) FROM performance", (), period)
    assert count == sum(period.holds(round(one.at * 1e6) * 1000) for one in week.requests) > 50


def _manifest(folder: Path) -> None:
    (folder / OWN_FOLDER).mkdir(exist_ok=True)
    manifest = Manifest(folder / OWN_FOLDER / "manifest.json", {})
    for path in sorted(folder.glob("*/*.jsonl")):
        summary = summarize(path, lambda: False)
        assert summary is not None
        manifest.add(path, summary)
    manifest.save()


def test_only_segments_that_may_hold_something_of_the_period_are_opened(tmp_path: Path) -> None:
    """By their names and the manifest: what came late is found, a single wrong clock is not asked."""
    for hour in range(48):
        time = HOUR + hour * HOUR_NANO
        lines = b"".join(line(hour * 1000 + number, time + number) for number in range(200))
        if hour == 40:
            lines += b"".join(line(number, HOUR + 60 * NANO, received_unix_nano=time) for number in range(100))
        if hour == 47:
            lines += line(777_777, 5, received_unix_nano=time)
        put(tmp_path, f"{hour_of(time)}.jsonl", lines)
    _manifest(tmp_path)
    engine = Engine(tmp_path)
    first = Period(HOUR, HOUR + HOUR_NANO)
    found = engine._files.find("traces", first)
    assert [path.name for path in found.paths] == [f"{hour_of(HOUR)}.jsonl", f"{hour_of(HOUR + 40 * HOUR_NANO)}.jsonl"]
    assert len(names(engine, first)) == 300
    assert engine._files.find("traces", Period(0, 1000)).paths == []


def test_a_record_that_is_late_by_less_than_a_day_is_always_found(tmp_path: Path) -> None:
    """Be it the only one of its segment."""
    later = HOUR + 20 * HOUR_NANO
    lines = b"".join(line(number, later + number) for number in range(500))
    put(tmp_path, f"{hour_of(later)}.jsonl", lines + line(999, HOUR + 5, received_unix_nano=later))
    _manifest(tmp_path)
    assert names(Engine(tmp_path), Period(HOUR, HOUR + HOUR_NANO)) == ["span 999"]


def test_a_folder_of_a_newer_version_is_refused_and_an_older_one_read(tmp_path: Path) -> None:
    """A newer manifest names the way out; one that is missing or spoilt costs time only."""
    put(tmp_path, "2026-11-23T11.jsonl", line(1))
    own = tmp_path / OWN_FOLDER
    own.mkdir()
    (own / "manifest.json").write_bytes(b'{"format": 2, "segments": {}}')
    engine = Engine(tmp_path)
    with pytest.raises(StoreFormatError, match="pip install --upgrade forecourt"):
        names(engine)
    for older in (
        b'{"format": 0, "segments": {}}',
        b"torn",
        b'{"format": 1, "segments": {"traces/2026-11-23T11.jsonl": 3}}',
    ):
        (own / "manifest.json").write_bytes(older)
        assert names(engine) == ["span 1"]


def test_rows_are_written_as_parquet_where_it_was_allowed(tmp_path: Path) -> None:
    """And nowhere else."""
    put(tmp_path / "logs", "2026-11-23T11.jsonl", line(1))
    target = tmp_path / "it's.parquet"
    Engine(tmp_path / "logs", target=target).copy("SELECT name FROM traces;", target)
    assert target.read_bytes().startswith(b"PAR1")
    with pytest.raises(QueryError, match="disabled by configuration"):
        Engine(tmp_path / "logs", target=target).copy("SELECT name FROM traces", tmp_path / "other.parquet")


def test_ninety_days_of_segments_are_pruned_to_those_of_an_hour(tmp_path: Path) -> None:
    """2,160 files a stream: an hour opens three of them."""
    folder = tmp_path / "traces"
    folder.mkdir()
    content = line(1)
    source = put(tmp_path / "one", "x.jsonl", content)
    for hour in range(2160):
        shutil.copy(source, folder / f"{hour_of(HOUR + hour * HOUR_NANO)}.jsonl")
    last = HOUR + 2159 * HOUR_NANO
    found = Engine(tmp_path)._files.find("traces", Period(last, last + HOUR_NANO))
    assert len(found.paths) == 2


def test_the_whole_week_is_there(week: Week, engine: Engine) -> None:
    """Each record of the recording once."""
    period = Period(START * NANO, END * NANO)
    ((traces,),) = engine.sql("SELECT count(*) FROM traces", (), period)
    spans = len(week.requests) + len(week.queries) + sum(one.seconds is not None for one in week.events)
    assert traces == spans


def test_a_segment_whose_error_does_not_name_it_is_left_out(tmp_path: Path) -> None:
    """A last line without an end that is longer than any record, and garbage behind what was compressed."""
    put(tmp_path, "2026-11-23T11.jsonl", line(1))
    put(tmp_path, "2026-11-23T12.jsonl", line(2) + b'{"name": "' + b"x" * (17 * 2**20))
    packed = put(tmp_path, "2026-11-23T13.jsonl.gz", line(3))
    packed.write_bytes(packed.read_bytes() + b"\0" * 64)
    engine = Engine(tmp_path)
    assert "span 1" in names(engine)
    assert set(engine.unread) <= {"traces/2026-11-23T12.jsonl", "traces/2026-11-23T13.jsonl.gz"}


def test_what_is_late_or_imported_is_found_while_its_segment_is_open(tmp_path: Path) -> None:
    """A month late, in a segment that the manifest does not know yet."""
    put(tmp_path, "2026-11-23T11.jsonl", line(1, HOUR - 30 * 24 * HOUR_NANO))
    month_ago = Period(HOUR - 31 * 24 * HOUR_NANO, HOUR - 29 * 24 * HOUR_NANO)
    assert names(Engine(tmp_path), month_ago) == ["span 1"]
    assert names(Engine(tmp_path), Period(HOUR + 24 * HOUR_NANO, HOUR + 48 * HOUR_NANO)) == []


def test_nothing_is_written_where_it_is_asked_and_times_are_utc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even what does not fit into memory; and an hour is that of the records, wherever the machine stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    engine = Engine(tmp_path / "logs", memory_limit="64MiB")
    with pytest.raises(QueryError):
        engine.sql("SELECT count(*) FROM (SELECT DISTINCT range::VARCHAR || repeat('x', 200) FROM range(3000000))")
    assert list(tmp_path.iterdir()) == []
    ((zone, hour),) = engine.sql("SELECT current_setting('TimeZone'), date_part('hour', to_timestamp(0))")
    assert (zone, hour) == ("UTC", 0)


def test_no_more_rows_are_fetched_than_wanted(tmp_path: Path) -> None:
    assert len(Engine(tmp_path).sql("SELECT * FROM range(1000)", most=10).rows) == 10


def test_each_question_finds_the_segments_of_its_moment(tmp_path: Path) -> None:
    """A new one, one that was compressed, one that was moved to the archive, and one that is gone."""
    folder, archive = tmp_path / "logs", tmp_path / "archive"
    engine = Engine(folder, archive)
    assert names(engine) == []
    first = put(folder, "2026-11-23T11.jsonl", line(1))
    assert names(engine) == ["span 1"]
    second = put(folder, "2026-11-23T12.jsonl", line(2))
    assert names(engine) == ["span 1", "span 2"]
    put(folder, "2026-11-23T11.jsonl.gz", line(1))
    first.unlink()
    assert names(engine) == ["span 1", "span 2"]
    (archive / "traces").mkdir(parents=True)
    second.rename(archive / "traces" / second.name)
    assert names(engine) == ["span 1", "span 2"]
    (folder / "traces" / "2026-11-23T11.jsonl.gz").unlink()
    assert names(engine) == ["span 2"]
    shutil.rmtree(archive)
    assert names(engine) == []
