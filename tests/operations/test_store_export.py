"""Records as files for others: all that was asked for, true, in files that are whole or not there."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from collector.encoding.json_lines import json_line
from operations.store_files import otlp_jsonl
from storage.manifest import Manifest, summarize
from storage.names import OWN_FOLDER, segments
from tests.support.exported import alike, export, forecourt, otlp, recorded, segment
from tests.support.stored import HOUR, store, stored

RESOURCE = {"resource": {"attributes": {"service.name": "app"}}, "scope": {"name": "s"}}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def span(number: int, **given: Any) -> dict[str, Any]:
    """A stored span that began so many nanoseconds after the hour."""
    fields = {
        "timestamp": "2026-11-23T12:00:00.000000000Z",
        "name": f"span {number}",
        "kind": "SERVER",
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "end_time_unix_nano": HOUR + number + 1,
        "duration_ms": 1e-6,
        "status": "UNSET",
        "attributes": {"number": number},
        **RESOURCE,
    }
    return stored(number, {**fields, **given})


def log(number: int, **given: Any) -> dict[str, Any]:
    fields = {
        "timestamp": "2026-11-23T12:00:00.000000000Z",
        "severity": "INFO",
        "severity_number": 9,
        "body": f"line {number}",
        "observed_time_unix_nano": 0,
        "attributes": {},
        **RESOURCE,
    }
    return stored(number, {**fields, **given})


def spans(logs: Path, *records: dict[str, Any], more: bytes = b"") -> Path:
    segment(logs / "traces" / "2026-11-23T12.jsonl", records, more)
    return logs


def names(file: Path) -> list[str]:
    return [record["name"] for record in otlp("traces", file)]


def rows(text: str, file: Path) -> list[Any]:
    """What another DuckDB finds in a file."""
    with duckdb.connect() as connection:
        return connection.execute(text, [str(file)]).fetchall()


def test_what_was_received_comes_out_of_every_kind_of_segment(tmp_path: Path) -> None:
    """Spans, data points and log records in a file each, from the archive, compressed and plain, and nothing else."""
    sent = recorded(tmp_path)
    told = export(tmp_path / "logs", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["logs.jsonl", "metrics.jsonl", "traces.jsonl"]
    for stream, records in sent.items():
        file = tmp_path / "out" / f"{stream}.jsonl"
        assert alike(otlp(stream, file)) == alike(records)
        assert {"stream": stream, "file": str(file), "records": len(records), "bytes": file.stat().st_size} in told[
            "files"
        ]
    assert (told["corrupt_lines"], told["unread"]) == (dict.fromkeys(sent, 0), {})


def test_a_line_is_an_object_of_one_signal_as_the_file_exporter_has_it(tmp_path: Path) -> None:
    """Hexadecimal ids, times as text, numbers for names, one newline at the end of each."""
    logs = spans(tmp_path / "logs", span(0, trace_id=TRACE, status="ERROR", parent_span_id="00f067aa0ba902b7"))
    export(logs, tmp_path / "one.jsonl", "--stream", "traces")
    content = (tmp_path / "one.jsonl").read_bytes()
    assert content.count(b"\n") == 1
    assert content.endswith(b"}\n")
    assert json.loads(content) == {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "app"}}]},
                "scopeSpans": [
                    {
                        "scope": {"name": "s"},
                        "spans": [
                            {
                                "traceId": TRACE,
                                "spanId": "0000000000000001",
                                "parentSpanId": "00f067aa0ba902b7",
                                "name": "span 0",
                                "kind": 2,
                                "startTimeUnixNano": str(HOUR),
                                "endTimeUnixNano": str(HOUR + 1),
                                "attributes": [{"key": "number", "value": {"intValue": "0"}}],
                                "status": {"code": 2},
                            }
                        ],
                    }
                ],
            }
        ]
    }


def test_no_line_is_longer_than_the_collector_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most a thousand records, and a megabyte, unless a single record has more."""
    logs = spans(tmp_path / "logs", *(span(number) for number in range(2500)))
    export(logs, tmp_path / "many.jsonl", "--stream", "traces")
    lines = (tmp_path / "many.jsonl").read_bytes().splitlines()
    assert [len(json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]) for line in lines] == [1000, 1000, 500]
    monkeypatch.setattr(otlp_jsonl, "_LINE_BYTES", 3000)
    large = span(20, name="x" * 5000)
    export(
        spans(tmp_path / "logs", *(span(number) for number in range(20)), large),
        tmp_path / "long",
        "--stream",
        "traces",
    )
    lengths = [len(line) for line in (tmp_path / "long" / "traces.jsonl").read_bytes().splitlines(keepends=True)]
    assert [length > 3000 for length in lengths] == [False] * (len(lengths) - 1) + [True]
    assert len(lengths) > 2
    assert names(tmp_path / "long" / "traces.jsonl") == [f"span {number}" for number in range(20)] + ["x" * 5000]


@pytest.mark.parametrize("form", ["otlp-jsonl", "csv"])
@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ((), [0, 1, 2, 3]),
        (("--from", "2026-11-23T12:00:00.000001Z", "--to", "2026-11-23T12:00:00.000003Z"), [1, 2]),
        (("--service", "b", "--service", "c"), [1, 3]),
        (("--trace-id", f"{3:032X}"), [2]),
    ],
    ids=["all", "period", "services", "trace"],
)
def test_records_are_chosen_by_when_they_happened_by_service_and_by_trace(
    tmp_path: Path, form: str, arguments: tuple[str, ...], numbers: list[int]
) -> None:
    """Whatever hour they arrived in; without an end also those of a clock that is ahead."""
    records = [
        span(number, service="abac"[number], time_unix_nano=HOUR + number * 1000, received_unix_nano=HOUR + 10**13)
        for number in range(4)
    ]
    suffix = "csv" if form == "csv" else "jsonl"
    file = tmp_path / f"some.{suffix}"
    records[1]["service"], records[3]["service"] = "b", "c"
    records[3]["time_unix_nano"] = HOUR + 3000
    export(spans(tmp_path / "logs", *records), file, "--stream", "traces", *arguments, form=form)
    found = [row["name"] for row in csv.DictReader(io.StringIO(file.read_text()))] if form == "csv" else names(file)
    assert sorted(found) == [f"span {number}" for number in numbers]


def test_a_period_has_the_one_record_of_a_wrong_clock_and_opens_no_segment_without_need(tmp_path: Path) -> None:
    """The manifest tells of each segment when its first and last record happened."""
    records = [span(number, time_unix_nano=HOUR + 10**15) for number in range(300)]
    logs = tmp_path / "logs"
    segment(logs / "traces" / "2026-12-05T01.jsonl", [span(300), *records])
    beside = segment(logs / "traces" / "2026-11-23T11.jsonl.gz", [span(301, time_unix_nano=HOUR - 10**15)])
    (logs / OWN_FOLDER).mkdir()
    manifest = Manifest(logs / OWN_FOLDER / "manifest.json", {})
    for _, path in segments(logs / "traces"):
        summary = summarize(path, lambda: False)
        assert summary is not None
        manifest.add(path, summary)
    manifest.save()
    beside.write_bytes(b"damaged")
    period = ("--from", "2026-11-23", "--to", "2026-11-24")
    assert export(logs, tmp_path / "out", *period)["unread"] == {}
    assert names(tmp_path / "out" / "traces.jsonl") == ["span 300"]


def test_a_record_without_a_time_is_chosen_by_what_else_is_known_of_it(tmp_path: Path) -> None:
    """By when it was observed, else by its arrival."""
    observed = log(0, time_unix_nano=0, observed_time_unix_nano=HOUR + 5, received_unix_nano=HOUR + 99)
    arrived = log(1, time_unix_nano=0, received_unix_nano=HOUR + 10_000)
    segment(tmp_path / "logs" / "logs" / "2026-11-23T12.jsonl", [observed, arrived])
    export(tmp_path / "logs", tmp_path / "out", "--to", "2026-11-23T12:00:00.000001Z")
    assert [record["body"] for record in otlp("logs", tmp_path / "out" / "logs.jsonl")] == ["line 0"]


@pytest.mark.parametrize("form", ["otlp-jsonl", "parquet"])
def test_who_asks_for_a_service_that_none_is_of_hears_which_there_are(tmp_path: Path, form: str) -> None:
    """On stderr; the files are empty ones."""
    logs = spans(tmp_path / "logs", span(0), span(1, service="b\x1b[31mad"))
    arguments = ("store", "export", "--format", form, "--output", tmp_path / "out", "--service", "ap")
    done = forecourt(*arguments, logs=logs)
    told = "nothing of ap in this time; there is of: app, b [31mad\n"
    assert (done.exit_code, done.stderr, len(list((tmp_path / "out").iterdir()))) == (0, told, 1)
    assert forecourt(*arguments, "--service", "app", "--overwrite", logs=logs).stderr == ""


@pytest.mark.parametrize("form", ["otlp-jsonl", "csv"])
def test_what_a_client_sent_again_comes_once(tmp_path: Path, form: str) -> None:
    """Also when the second copy is more than the first, has what the first lacks, and lies in another segment."""
    first = [span(number) for number in (0, 1, 3)]
    again = [span(number, received_unix_nano=HOUR + 10**9) for number in range(5)]
    logs = spans(tmp_path / "logs", *first)
    segment(logs / "traces" / "2026-11-23T13.jsonl", again)
    told = export(logs, tmp_path / "out", "--stream", "traces", form=form)
    assert told["files"][0]["records"] == 5


def test_lines_that_are_no_records_are_passed_over_and_told(tmp_path: Path) -> None:
    """Of a line that is being written nothing is told."""
    broken = b'{"time_unix_nano": "soon"}\n{"broken\n[1]\n' + orjson.dumps({**span(1), "kind": {}}) + b"\n"
    logs = spans(tmp_path / "logs", span(0), more=broken + b"x" * (17 * 2**20) + b"\n" + orjson.dumps(span(2)))
    done = forecourt("store", "export", "--format", "otlp-jsonl", "--output", tmp_path / "out", logs=logs)
    assert (done.exit_code, done.stderr) == (
        0,
        "traces: 5 lines are no record and passed over; see: forecourt store verify\n",
    )
    assert names(tmp_path / "out" / "traces.jsonl") == ["span 0"]


def test_lines_of_other_hands_stop_no_export(tmp_path: Path) -> None:
    """A service that is no text is nobody's, and how deep a value is nested is no matter."""
    deep = orjson.dumps(span(3, attributes={"at": 0})).replace(b'"at":0', b'"at":' + b"[" * 300 + b"]" * 300)
    marked = deep.replace(b'"resource":{"attributes":{', b'"resource":{"attributes":{"forecourt.imported":true,')
    assert deep != marked
    logs = spans(tmp_path / "logs", span(0), span(1, service={"a": 1}), span(2, service=["app"]), more=marked + b"\n")
    export(logs, tmp_path / "of one", "--stream", "traces", "--service", "app")
    assert names(tmp_path / "of one" / "traces.jsonl") == ["span 0"]
    export(logs, tmp_path / "all", "--stream", "traces")
    assert names(tmp_path / "all" / "traces.jsonl") == ["span 0", "span 1", "span 2"]


def test_a_damaged_segment_is_told_and_the_rest_is_exported(tmp_path: Path) -> None:
    """With exit code 1, since not all is there."""
    logs = spans(tmp_path / "logs", span(0))
    damaged = segment(logs / "traces" / "2026-11-23T11.jsonl.gz", [span(number) for number in range(1, 3000)])
    damaged.write_bytes(damaged.read_bytes()[:-2000])
    done = forecourt("store", "export", "--format", "otlp-jsonl", "--output", tmp_path / "out", logs=logs)
    assert done.exit_code == 1
    assert done.stderr.startswith("traces/2026-11-23T11.jsonl.gz is not all in it: ")
    assert "span 0" in names(tmp_path / "out" / "traces.jsonl")


def test_tables_have_exact_times_json_as_text_and_values_as_they_are(tmp_path: Path) -> None:
    """A formula of a spreadsheet too stays what was recorded; no text and an empty one are told apart."""
    logs = spans(tmp_path / "logs", span(1, name='=1+"1"\n@x', status_message="", attributes={"a": [1, None]}))
    export(logs, tmp_path / "out", form="csv")
    export(logs, tmp_path / "out", form="parquet")
    text = (tmp_path / "out" / "traces.csv").read_text()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["name"], row["time_unix_nano"], row["timestamp"]) == (
        '=1+"1"\n@x',
        str(HOUR + 1),
        "2026-11-23T12:00:00.000000Z",
    )
    assert (json.loads(row["attributes"]), json.loads(row["resource"])) == ({"a": [1, None]}, RESOURCE["resource"])
    assert ',"",' in text
    file = tmp_path / "out" / "traces.parquet"
    text = "SELECT name, time_unix_nano, status_message, parent_span_id, attributes::VARCHAR FROM read_parquet(?)"
    assert rows(text, file) == [('=1+"1"\n@x', HOUR + 1, "", None, '{"a":[1,null]}')]
    assert rows("SELECT DISTINCT compression FROM parquet_metadata(?)", file) == [("ZSTD",)]


def test_every_stream_that_there_is_becomes_a_table(tmp_path: Path) -> None:
    """Derived ones as well, and an empty one where nothing happened in the time."""
    logs = store(tmp_path / "logs", "performance", {"route": "/a", "status_code": 200, "response_time": 0.5})
    store(logs, "errors", {"error_type": "E", "time_unix_nano": HOUR + 10**15})
    to = ("--to", "2026-11-24")
    told = export(logs, tmp_path / "out", *to, "--gzip", form="csv")
    assert [(one["stream"], one["records"]) for one in told["files"]] == [("performance", 1), ("errors", 0)]
    assert rows("SELECT route FROM read_csv(?)", tmp_path / "out" / "performance.csv.gz") == [("/a",)]
    export(logs, tmp_path / "none.parquet", *to, "--stream", "errors", form="parquet")
    assert rows("SELECT count(*) FROM read_parquet(?)", tmp_path / "none.parquet") == [(0,)]


def test_json_lines_can_be_compressed(tmp_path: Path) -> None:
    """The same content twice is the same file."""
    logs = spans(tmp_path / "logs", span(0), span(1))
    export(logs, tmp_path / "out", "--gzip")
    export(logs, tmp_path / "again", "--gzip")
    assert names(tmp_path / "out" / "traces.jsonl.gz") == ["span 0", "span 1"]
    assert (tmp_path / "out" / "traces.jsonl.gz").read_bytes() == (tmp_path / "again" / "traces.jsonl.gz").read_bytes()


@pytest.mark.parametrize("form", ["otlp-jsonl", "csv"])
def test_one_stream_can_go_to_standard_output(tmp_path: Path, form: str) -> None:
    """How much it was is told on the other one."""
    logs = spans(tmp_path / "logs", span(0))
    done = forecourt("store", "export", "--format", form, "--output", "-", "--stream", "traces", logs=logs)
    assert (done.exit_code, done.stderr) == (0, "traces: 1 records\n")
    export(logs, tmp_path / "out", form=form)
    assert done.stdout_bytes == next((tmp_path / "out").iterdir()).read_bytes()


def test_a_trace_is_one_object_that_any_jaeger_takes(tmp_path: Path) -> None:
    """Its spans alone, unless log records are named."""
    logs = spans(tmp_path / "logs", span(0, trace_id=TRACE), span(1), span(2, trace_id=TRACE))
    segment(logs / "logs" / "2026-11-23T12.jsonl", [log(0), log(1, trace_id=TRACE)])
    told = export(logs, tmp_path / "trace.json", "--trace-id", TRACE)
    assert [(one["stream"], one["records"]) for one in told["files"]] == [("traces", 2)]
    json.loads((tmp_path / "trace.json").read_bytes())
    told = export(logs, tmp_path / "both", "--trace-id", TRACE, "--stream", "traces", "--stream", "logs")
    assert [(one["stream"], one["records"]) for one in told["files"]] == [("traces", 2), ("logs", 1)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--stream", "trace"), "there is no stream 'trace'. Did you mean 'traces'?"),
        (("--stream", "performance"), "performance has no OTLP form. Say --format parquet or --format csv"),
        (("--stream", "logs"), "has no records of logs. Name another folder: --logs"),
        (("--trace-id", "ab"), "--trace-id 'ab': expected 32 hexadecimal digits"),
        (("--trace-id", "ab" * 16), f"nothing of trace {'ab' * 16} is recorded in this time"),
        (("--format", "csv", "--trace-id", "ab" * 16, "--stream", "metrics"), "metrics has no trace ids"),
        (("--format", "parquet", "--gzip"), "--gzip: a Parquet file is compressed by itself (zstd)"),
        (("--format", "parquet", "--output", "-"), "--format parquet needs a file or a folder: --output"),
        (("--format", "csv", "--output", "all.csv"), "all.csv is one file, and there are traces, errors"),
        (
            ("--format", "csv", "--output", "some.parquet", "--stream", "traces"),
            "some.parquet would hold .csv, which its name does not say: let it end in .csv\n",
        ),
        (
            ("--format", "csv", "--output", "some.csv.gz", "--stream", "traces"),
            "some.csv.gz would hold .csv, which its name does not say: let it end in .csv, or say --gzip\n",
        ),
        (
            ("--gzip", "--output", "some.jsonl", "--stream", "traces"),
            "some.jsonl would hold .jsonl.gz, which its name does not say: let it end in .jsonl.gz, or leave --gzip",
        ),
        (("--format", "csv", "--output", "-"), "standard output takes one stream, and there are traces, errors"),
        (("--last", "1h", "--to", "2026-11-23"), "--last excludes --from and --to"),
    ],
)
def test_what_can_not_be_is_told_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    """Not even a folder."""
    monkeypatch.chdir(tmp_path)
    logs = spans(tmp_path / "logs", span(0))
    store(logs, "errors", {"error_type": "E"})
    done = forecourt("store", "export", "--format", "otlp-jsonl", "--output", "out", *arguments, logs=logs)
    assert (done.exit_code in {1, 2}, told in done.stderr, done.stdout) == (True, True, ""), done.output
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_a_file_that_is_there_is_never_lost(tmp_path: Path) -> None:
    """Unless it is said so; and one that fails leaves the old one."""
    logs = spans(tmp_path / "logs", span(0))
    file = tmp_path / "out" / "traces.jsonl"
    file.parent.mkdir()
    file.write_text("mine")
    done = forecourt("store", "export", "--format", "otlp-jsonl", "--output", file.parent, logs=logs)
    assert (done.exit_code, file.read_text()) == (2, "mine")
    assert done.stderr.endswith(f"{file}: exists already. Name another place, or say --overwrite\n")
    export(logs, file.parent, "--overwrite")
    assert names(file) == ["span 0"]
    assert [path.name for path in file.parent.iterdir()] == ["traces.jsonl"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("form", ["otlp-jsonl", "csv", "parquet"])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, form: str) -> None:
    """Neither the file that had no room nor those that were whole before it."""
    logs = spans(tmp_path / "logs", *(span(number, name=f"{number}" * 40) for number in range(3000)))
    segment(logs / "metrics" / "2026-11-23T12.jsonl", [])
    import resource  # noqa: PLC0415  # absent on Windows

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        done = forecourt("store", "export", "--format", form, "--output", tmp_path / "out", logs=logs)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (done.exit_code, "File too large" in done.stderr, done.stdout) == (1, True, ""), done.output
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder was there: it stays as it was."""
    logs = spans(tmp_path / "logs", span(0))
    (tmp_path / "out").mkdir()

    def interrupted(*_: object) -> bytes:
        assert len(list((tmp_path / "out").glob("traces.jsonl.*.part"))) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(otlp_jsonl, "json_line", interrupted)
    done = forecourt("store", "export", "--format", "otlp-jsonl", "--output", tmp_path / "out", logs=logs)
    assert (done.exit_code, done.stderr.strip()) == (1, "Aborted!")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("arguments", [(), ("--overwrite",)])
def test_two_exports_to_one_place_spoil_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """The one that ends last replaces the files of the other only if it may; none is a mixture."""
    logs, others = spans(tmp_path / "logs", span(0)), spans(tmp_path / "others", span(1), span(2))
    out = tmp_path / "out"

    def slow(stream: str, body: bytes) -> bytes:
        monkeypatch.setattr(otlp_jsonl, "json_line", json_line)
        export(others, out, *arguments)
        assert names(out / "traces.jsonl") == ["span 1", "span 2"]
        return json_line(stream, body)

    monkeypatch.setattr(otlp_jsonl, "json_line", slow)
    done = forecourt("store", "export", "--format", "otlp-jsonl", "--output", out, *arguments, logs=logs)
    assert [path.name for path in out.iterdir()] == ["traces.jsonl"]
    if arguments:
        assert (done.exit_code, names(out / "traces.jsonl")) == (0, ["span 0"])
    else:
        assert (done.exit_code, names(out / "traces.jsonl")) == (1, ["span 1", "span 2"])
        assert done.stderr == f"Error: {out / 'traces.jsonl'}: was made by another meanwhile, so nothing was written\n"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once")
def test_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    """As of an export that `timeout` ends."""
    logs = spans(tmp_path / "logs", span(0))
    program = """
import os, signal
from operations.cli import main
from operations.store_files import otlp_jsonl
otlp_jsonl.json_line = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
main()
"""
    arguments = ("store", "export", "--format", "otlp-jsonl", "--output", tmp_path / "out", "--logs", logs)
    done = subprocess.run([sys.executable, "-c", program, *map(str, arguments)], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, b"", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
