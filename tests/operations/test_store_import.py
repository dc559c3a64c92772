"""Files of OTLP JSON lines taken in: what was exported comes back as it was, each line once, faults told by line."""

from __future__ import annotations

import codecs
import errno
import gzip
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.signals import Signal
from operations.importing.journal import Before, Journal
from operations.importing.taken import Taken
from operations.importing.unpacking import opened
from operations.store_files import file_import, lines
from operations.store_files.exported_lines import ExportedLines
from operations.store_files.file_import import Bounds, FileImport, Result
from operations.store_files.otlp_jsonl import OtlpLines
from operations.store_files.requests import parse
from operations.stored_segments import Selection
from storage import Store
from storage.names import segments
from tests.collector.decoding.requests import REQUESTS, decode, messages
from tests.conftest import ROOT
from tests.support.exported import (
    RECORDED,
    alike,
    export,
    forecourt,
    messages_of_the_collector,
    otlp,
    recorded,
    segment,
)
from tests.support.sidecar import Sidecar

REQUEST_STRATEGY = {signal: messages(kind) for signal, kind in REQUESTS.items()}
EXAMPLES = settings(deadline=None, suppress_health_check=list(HealthCheck))
START = 1_795_435_200_000_000_000


def line(number: int, count: int = 1, **given: Any) -> bytes:
    """A line with so many spans."""
    spans = [
        {
            "traceId": f"{number + 1:032x}",
            "spanId": f"{index + 1:016x}",
            "name": f"span {number}",
            "startTimeUnixNano": str(START + number),
            "endTimeUnixNano": str(START + number + 1),
            **given,
        }
        for index in range(count)
    ]
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}) + b"\n"


def take_in(logs: Path, *arguments: object, code: int = 0, text: bytes | None = None) -> dict[str, Any]:
    done = forecourt("store", "import", "--json", *arguments, logs=logs, text=text)
    assert done.exit_code == code, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def records(logs: Path, stream: str = "traces") -> list[dict[str, Any]]:
    return [orjson.loads(one) for _, path in segments(logs / stream) for one in path.read_bytes().splitlines()]


def names(logs: Path) -> list[str]:
    return [record["name"] for record in records(logs)]


@pytest.mark.parametrize("running", [True, False], ids=["sidecar", "no sidecar"])
def test_what_was_exported_comes_back_as_it_was(tmp_path: Path, running: bool) -> None:  # noqa: FBT001  # the two ways
    """Recorded requests through a running sidecar and without one; a second export has the same records."""
    sent = recorded(tmp_path / "one")
    export(tmp_path / "one" / "logs", tmp_path / "files", "--gzip")
    files = sorted((tmp_path / "files").iterdir())
    there = tmp_path / "other"
    if running:
        with Sidecar(there) as sidecar:
            told = take_in(sidecar.logs, *files, "--config", sidecar.configuration)
            again = take_in(sidecar.logs, *files, "--config", sidecar.configuration)
    else:
        told = take_in(there / "logs", *files)
        again = take_in(there / "logs", *files)
    assert (told["records"], told["malformed_lines"], told["rejected_records"]) == (sum(map(len, sent.values())), 0, 0)
    assert (again["records"], again["known_files"]) == (0, [str(file) for file in files])
    export(there / "logs", tmp_path / "again", "--service", *_services(sent), "--overwrite")
    for stream, told_by_clients in sent.items():
        assert alike(otlp(stream, tmp_path / "again" / f"{stream}.jsonl")) == alike(told_by_clients)
        marks = [one["resource"]["attributes"].get("forecourt.imported") for one in _of_clients(there / "logs", stream)]
        assert marks == [True] * len(told_by_clients)


def _services(sent: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Those of the recording, as options after the first: the sidecar has records of its own."""
    found = sorted({record["service"] for records in sent.values() for record in records})
    return [part for service in found for part in ("--service", service)][1:]


def _of_clients(logs: Path, stream: str) -> list[dict[str, Any]]:
    return [record for record in records(logs, stream) if record["service"] != "forecourt"]


@pytest.mark.parametrize("signal", REQUESTS)
@EXAMPLES
@given(data=st.data())
def test_any_request_that_was_received_survives_export_and_import(signal: str, data: st.DataObject) -> None:
    """Stored, exported, read again, stored and exported once more: in every field but arrival and batch the same."""
    request = data.draw(REQUEST_STRATEGY[signal])
    sent, *_ = decode(signal, request.SerializeToString())
    with tempfile.TemporaryDirectory() as folder:
        made = _exported(Path(folder, "one"), signal, sent)
        requests = [request for one in made for request in parse(one).requests]
        assert sum(request.records for request in requests) == len(sent)
        stored = [record for request in requests for record in decode(signal, request.body)[0]]
        again = _exported(Path(folder, "two"), signal, stored)
    assert alike(_read(signal, made)) == alike(_read(signal, again)) == alike(sent)


def _exported(folder: Path, signal: str, records: list[dict[str, Any]]) -> list[bytes]:
    segment(folder / signal / "2026-11-23T12.jsonl", records)
    return list(OtlpLines(signal).of(ExportedLines(Selection(folder)).of(signal)))


def _read(signal: str, content: list[bytes]) -> list[dict[str, Any]]:
    return [record for one in content for record in decode(signal, one, encoding="json")[0]]


def test_what_only_looks_like_our_mark_does_not_keep_it_off() -> None:
    """A client's own attribute of that name gives way to it."""
    body = orjson.loads(line(0))
    body["resourceSpans"][0]["resource"] = {
        "attributes": [{"key": "forecourt.imported", "value": {"boolValue": False}}, {"key": "a", "value": {}}]
    }
    (request,) = parse(orjson.dumps(body)).requests
    assert decode("traces", request.body)[0][0]["resource"] == {"attributes": {"forecourt.imported": True, "a": None}}


def test_spoilt_lines_are_told_by_file_and_line_and_the_rest_is_taken_in(tmp_path: Path) -> None:
    """However they are spoilt: cut off, too deep, of two signals, of none, with ids that are none."""
    deep = b'{"resourceSpans":' + b'[{"resourceSpans":' * 2000 + b"[]" + b"}]" * 2000 + b"}\n"
    value: dict[str, Any] = {"intValue": "1"}
    for _ in range(40):
        value = {"arrayValue": {"values": [value]}}
    spoilt = [
        line(1)[:100] + b"\n",
        deep,
        b'{"resourceSpans":[],"resourceLogs":[]}\n',
        b'["resourceSpans"]\n',
        b'\xff\xfe{"resourceSpans":[]}\n',
        line(2, traceId="zz"),
        line(3, attributes=[{"key": "a", "value": value}]),
    ]
    content = b"\n".join([line(0), *spoilt, line(9)])
    file = written(tmp_path / "some.jsonl", content)
    told = take_in(tmp_path / "logs", file, code=1)
    assert (told["lines"], told["records"], told["malformed_lines"]) == (9, 2, 7)
    assert names(tmp_path / "logs") == ["span 0", "span 9"]
    places = [problem.split(": ")[0] for problem in told["problems"]]
    assert sorted(places) == sorted(f"{file}:{number}" for number in (3, 5, 7, 9, 11, 13, 15))
    assert (
        f'{file}:13: resourceSpans[0].scopeSpans[0].spans[0].traceId: "zz" is not a hex id of 16 bytes'
        in told["problems"]
    )
    assert f"{file}:7: holds logs and traces, expected one of them" in told["problems"]


def test_a_line_that_is_too_long_is_refused_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines around it are taken in."""
    for module in (lines, file_import):
        monkeypatch.setattr(module, "MAX_LINE_BYTES", 2**20)
    long = [{"key": "a", "value": {"stringValue": "x" * 2**20}}]
    text = line(0) + line(1, attributes=long) + line(2) + line(3, attributes=long).rstrip()
    file = written(tmp_path / "some.jsonl", text)
    told = take_in(tmp_path / "logs", file, code=1)
    assert [problem.split(";")[0] for problem in told["problems"]] == [
        f"{file}:2: is over 1 MiB",
        f"{file}:4: is over 1 MiB",
    ]
    assert names(tmp_path / "logs") == ["span 0", "span 2"]


def test_a_line_of_many_megabytes_is_taken_in(tmp_path: Path) -> None:
    """Its records go out in parts; one of more than the receivers take is refused alone."""
    attribute = [{"key": "a", "value": {"stringValue": "x" * 2000}}]
    large = orjson.loads(line(0, 1500, attributes=attribute))
    large["resourceSpans"][0]["scopeSpans"][0]["spans"][7]["name"] = "y" * (5 * 2**20)
    file = written(tmp_path / "some.jsonl", orjson.dumps(large))
    told = take_in(tmp_path / "logs", file, code=1)
    assert (told["records"], told["rejected_records"], told["problems"]) == (
        1499,
        1,
        [f"{file}:1: 1 record is over 4 MiB"],
    )
    assert len(names(tmp_path / "logs")) == 1499


@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
def test_an_object_over_several_lines_is_taken_in(tmp_path: Path, name: str) -> None:
    """As people and viewers write it, with Windows' mark at its beginning too; what it lacks at its end is told."""
    spread = json.dumps(json.loads(line(0, 3)), indent=2).encode()
    assert take_in(tmp_path / "logs", written(tmp_path / name, spread))["records"] == 3
    marked = written(tmp_path / f"marked {name}", codecs.BOM_UTF8 + spread)
    assert take_in(tmp_path / "marked", marked)["records"] == 3
    told = take_in(tmp_path / "logs", written(tmp_path / "cut.json", spread[:-1]), code=1)
    assert (told["lines"], told["malformed_lines"]) == (1, 1)


def test_requests_as_their_senders_write_them_are_taken_in(tmp_path: Path) -> None:
    """Recorded OTLP/JSON of each signal, all in one file."""
    recorded_json = sorted((ROOT / "tests" / "data" / "otlp" / "json").glob("*/*.json"))
    sent = {path.parent.name: decode(path.parent.name, path.read_bytes(), encoding="json")[0] for path in recorded_json}
    joined = b"\n".join(orjson.dumps(orjson.loads(path.read_bytes())) for path in recorded_json)
    told = take_in(tmp_path / "logs", written(tmp_path / "all.jsonl", joined))
    assert told["records"] == sum(map(len, sent.values()))
    export(tmp_path / "logs", tmp_path / "out")
    for stream, of_clients in sent.items():
        assert alike(otlp(stream, tmp_path / "out" / f"{stream}.jsonl")) == alike(of_clients)


def test_a_file_is_taken_in_once(tmp_path: Path) -> None:
    """Under another name too; of one that has grown only what is new; `--again` takes it all, known by its batch.

    Nothing new is no failure: who imports a folder every hour hears of none.
    """
    logs = tmp_path / "logs"
    file = written(tmp_path / "some.jsonl", line(0) + line(1))
    assert take_in(logs, file)["records"] == 2
    other = written(tmp_path / "other.jsonl.gz", file.read_bytes())
    assert take_in(logs, other)["known_files"] == [str(other)]
    done = forecourt("store", "import", file, logs=logs)
    assert (done.exit_code, done.stderr) == (0, f"{file} was taken in before; --again takes it in once more\n")
    assert take_in(logs, written(file, line(0) + line(1) + line(2)))["records"] == 1
    assert names(logs) == ["span 0", "span 1", "span 2"]
    assert take_in(logs, written(file, line(0) + line(1)), "--again")["records"] == 2
    assert names(logs) == ["span 0", "span 1", "span 2", "span 0", "span 1"]
    assert [one["records"] for one in export(logs, tmp_path / "out")["files"]] == [3]


def test_an_import_that_broke_off_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was on its way is sent again as it was, so that it counts once."""
    logs = tmp_path / "logs"
    file = written(tmp_path / "some.jsonl", line(0) + line(1))

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "sent", broken)
        assert forecourt("store", "import", file, logs=logs).exit_code == 1
    told = take_in(logs, written(file, line(0) + line(1) + line(2)))
    assert told["records"] == 3
    assert [record["batch_id"] for record in records(logs)[:2]] == [record["batch_id"] for record in records(logs)[2:4]]
    assert [one["records"] for one in export(logs, tmp_path / "out")["files"]] == [3]


def test_what_told_nothing_can_be_tried_again_and_a_dry_run_leaves_nothing(tmp_path: Path) -> None:
    """The same count is told before and after."""
    logs = tmp_path / "logs"
    file = written(tmp_path / "some.jsonl", b"nothing\n" + line(0))
    told = take_in(logs, file, "--dry-run", code=1)
    assert (told["records"], told["malformed_lines"], told["dry_run"], logs.exists()) == (1, 1, True, False)
    empty = written(tmp_path / "none.jsonl", b"nothing\n")
    assert take_in(logs, empty, code=1)["known_files"] == []
    assert take_in(logs, empty, code=1)["known_files"] == []
    assert take_in(logs, file, code=1)["records"] == 1


def test_standard_input_is_taken_in_each_time(tmp_path: Path) -> None:
    """It has no other beginning to be known by."""
    for _ in range(2):
        assert take_in(tmp_path / "logs", "-", text=line(0))["records"] == 1


def test_secrets_and_limits_are_as_for_what_is_received(tmp_path: Path) -> None:
    """No file brings in what no sender could."""
    pairs = [{"key": "password", "value": {"stringValue": "hunter2"}}]
    pairs += [{"key": f"k{number}", "value": {"intValue": 1}} for number in range(200)]
    take_in(tmp_path / "logs", written(tmp_path / "some.jsonl", line(0, attributes=pairs)))
    (record,) = records(tmp_path / "logs")
    assert (record["attributes"]["password"], len(record["attributes"])) == ("[REDACTED]", 128)
    assert record["dropped_attributes_count"] == 73


def test_our_own_records_and_what_can_not_be_read_are_told_apart(tmp_path: Path) -> None:
    """With what to do in place of importing them; nothing is made of a folder that there is not."""
    logs, own = tmp_path / "logs", tmp_path / "own"
    sent, *_ = decode("traces", next((RECORDED / "traces").glob("*.pb")).read_bytes())
    of_ours = segment(own / "traces" / "2026-11-23T12.jsonl", sent)
    (tmp_path / "none").mkdir()
    table = written(tmp_path / "a.parquet", b"PAR1...PAR1")
    for path, reason in {
        of_ours: f"{of_ours} holds Forecourt's own records, not OTLP. Read them where they are, with --logs {own}",
        own: f"{own} holds Forecourt's own records. Read them where they are: --logs {own}",
        tmp_path
        / "none": f"{tmp_path / 'none'} is a folder. Name its files, for example {tmp_path / 'none' / '*.jsonl'}",
        table: f"{table}: is a Parquet file; OTLP JSON lines are read, as of: forecourt store export",
    }.items():
        done = forecourt("store", "import", path, logs=logs)
        assert (done.exit_code, done.stdout, done.stderr.startswith(f"Error: {reason}")) == (1, "", True), done.output
    assert records(logs) == []


def test_a_compressed_file_is_the_one_that_it_was_before(tmp_path: Path) -> None:
    """Also when it is plain another time, and has grown; through a pipe it comes each time."""
    logs = tmp_path / "logs"
    content = messages_of_the_collector(line(0, 200).rstrip(), line(1).rstrip())
    file = written(tmp_path / "collector.json", content)
    assert take_in(logs, file)["records"] == 201
    assert take_in(logs, file)["known_files"] == [str(file)]
    assert take_in(logs, written(tmp_path / "plain.jsonl", line(0, 200) + line(1) + line(2)))["records"] == 1
    assert take_in(logs, "-", text=content)["records"] == 201


def test_protobuf_of_the_collector_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Compressed or not: nothing in it tells of which signal it is."""
    body = next((RECORDED / "traces").glob("*.pb")).read_bytes()
    framed = len(body).to_bytes(4, "big") + body
    for content in (framed, zstandard.compress(framed), messages_of_the_collector(body)):
        file = written(tmp_path / "collector.bin", content)
        with pytest.raises(OSError, match="holds protobuf messages"), opened(file) as source:
            source.read()
    done = forecourt("store", "import", file, logs=tmp_path / "logs")
    assert done.exit_code == 1
    assert done.stderr == (
        f"{file}: holds protobuf messages, which do not tell of which signal they are: let the Collector's file "
        "exporter write `format: json`; `compression: zstd` may stay; nothing more of it is taken in\n"
    )
    assert records(tmp_path / "logs") == []


def test_a_damaged_file_is_taken_in_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    """The fault is told with the file; what came before it is on disk to the last line, and other files are too."""
    whole = 59
    content = messages_of_the_collector(*(line(number) for number in range(whole + 1)))
    file = written(tmp_path / "frame.zst", content[:-1])
    other = written(tmp_path / "other.jsonl", line(9000))
    done = forecourt("store", "import", file, other, logs=tmp_path / "logs")
    assert (done.exit_code, done.stdout) == (1, f"{whole + 1} lines, {whole + 1} records taken in\n")
    assert done.stderr == f"{file}: is cut off; nothing more of it is taken in\n"
    assert names(tmp_path / "logs") == [*(f"span {number}" for number in range(whole)), "span 9000"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    """As `<(zcat FILE)` gives one: looking for what was taken in before would take away its beginning."""
    take_in(tmp_path / "logs", written(tmp_path / "some.jsonl", line(0)))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"".join(map(line, range(1, 100))),))
    writer.start()
    told = take_in(tmp_path / "logs", pipe)
    writer.join()
    assert (told["records"], told["malformed_lines"]) == (99, 0)


def test_a_line_that_gets_its_end_later_is_taken_in_once(tmp_path: Path) -> None:
    """Its writer had written half of it, or all but the newline, when it was first read."""
    file = written(tmp_path / "some.jsonl", line(0).rstrip())
    assert take_in(tmp_path / "logs", file)["records"] == 1
    half = take_in(tmp_path / "logs", written(file, line(0) + line(1)[:-9]), code=1)
    assert (half["records"], half["malformed_lines"]) == (0, 1)
    (told,) = half["problems"]
    assert told.endswith("(the file ends here; if it is being written, the next import takes this line in)")
    assert take_in(tmp_path / "logs", written(file, line(0) + line(1)))["records"] == 1
    assert names(tmp_path / "logs") == ["span 0", "span 1"]


def test_no_request_has_more_records_than_may_be_in_one(tmp_path: Path) -> None:
    """Lines that together are too many go out apart; of a line that alone is too many the rest is refused."""
    configuration = tmp_path / "otel-config.yaml"
    configuration.write_text("processors: {limits: {records_per_request: 10}}")
    file = written(tmp_path / "some.jsonl", line(0, 4) + line(1, 6) + line(2, 10) + line(3, 12))
    told = take_in(tmp_path / "logs", file, "--config", configuration, code=1)
    assert (told["records"], told["rejected_records"], len(records(tmp_path / "logs"))) == (30, 2, 30)
    assert told["problems"][0].startswith(f"{file}:4: 2 records are refused: ")


def test_a_store_that_takes_no_more_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much came in before, and whether it can be gone on with."""
    logs = tmp_path / "logs"
    content = b"".join(line(number, 3) for number in range(2))
    append = Store.append

    def full(store: Store, *given: Any, **more: Any) -> Any:
        if (logs / "traces").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return append(store, *given, **more)

    monkeypatch.setattr(file_import, "_GROUP_LINES", 1)
    for source, goes_on in ((written(tmp_path / "some.jsonl", content), True), ("-", False)):
        shutil.rmtree(logs, ignore_errors=True)
        with monkeypatch.context() as patch:
            patch.setattr(Store, "append", full)
            done = forecourt("store", "import", source, logs=logs, text=content)
        assert (done.exit_code, done.stdout) == (1, "")
        told = "[Errno 28] No space left on device; 3 records were taken in before that"
        assert done.stderr == f"Error: {logs}: {told}{'; the same command goes on from there' if goes_on else ''}\n"
    assert take_in(logs, tmp_path / "some.jsonl")["records"] == 6


def test_no_request_is_larger_than_the_receiver_takes(tmp_path: Path) -> None:
    """It would refuse all of it."""
    file = written(tmp_path / "some.jsonl", b"".join(line(number, 10) for number in range(8)))
    sizes: list[int] = []

    def take(_: Signal, body: bytes) -> Taken:
        sizes.append(len(body))
        return Taken(0, "")

    result = Result()
    FileImport(file, result, None, take, Bounds(records=1000, bytes=2048)).run(Before())
    assert (result.records, result.is_whole, max(sizes) <= 2048, len(sizes) < 8) == (80, True, True, True)


def test_thousands_of_scopes_are_a_few_requests() -> None:
    """Whatever is around them; nothing of them is lost."""
    scope = b'{"scope":{"name":"%0400d"},"spans":[{"name":"a","startTimeUnixNano":"1"}]}'
    text = b'{"resourceSpans":[{"scopeSpans":[' + b",".join(scope % number for number in range(3000)) + b"]}]}"
    parsed = parse(text)
    assert len(parsed.requests) < 10
    bodies = [ExportTraceServiceRequest.FromString(request.body) for request in parsed.requests]
    told = [scope.scope.name for body in bodies for resource in body.resource_spans for scope in resource.scope_spans]
    assert told == [f"{number:0400}" for number in range(3000)]
    assert sum(request.records for request in parsed.requests) == 3000
