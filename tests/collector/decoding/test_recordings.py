"""Recorded traffic of a real backend, counted in the lines that decoding makes of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.decoding import Encoding
from instrumentation.redaction import Redactor
from tests.collector.decoding.requests import decode
from tests.conftest import ROOT

DATA = ROOT / "tests" / "data" / "otlp"


def _records(folder: Path, signal: str, redactor: Redactor | None = None) -> Iterator[dict[str, Any]]:
    for path in sorted((folder / signal).glob("*.pb")):
        records, _, rejected, _ = decode(signal, path.read_bytes(), redactor=redactor)
        assert rejected == 0
        yield from records


@pytest.mark.parametrize(
    ("recording", "spans", "kinds", "errors", "events", "logs", "points"),
    [
        ("clean", 2372, {"SERVER": 433, "INTERNAL": 1391, "CLIENT": 548}, 61, 9, 2853, 3396),
        ("native", 859, {"SERVER": 206, "INTERNAL": 408, "CLIENT": 245}, 31, 0, 1433, 3043),
    ],
)
def test_the_totals_of_a_recording_are_exact(  # noqa: PLR0917  # one row of the table
    recordings: Path,
    recording: str,
    spans: int,
    kinds: dict[str, int],
    errors: int,
    events: int,
    logs: int,
    points: int,
) -> None:
    """Spans by kind and status, events, log records and data points agree with the recording's own account."""
    traces = list(_records(recordings / recording, "traces"))
    assert len(traces) == spans
    assert Counter(span["kind"] for span in traces) == kinds
    assert sum(span["status"] == "ERROR" for span in traces) == errors
    assert sum(len(span.get("events", [])) for span in traces) == events
    assert sum(1 for _ in _records(recordings / recording, "logs")) == logs
    assert sum(1 for _ in _records(recordings / recording, "metrics")) == points


def test_the_clean_recording_agrees_with_its_expected_answers(recordings: Path) -> None:
    """Requests by route, severities, trace ids and the first and last start are those worked out elsewhere."""
    expected = json.loads((recordings / "clean" / "expected.json").read_text())
    traces = list(_records(recordings / "clean", "traces"))
    logs = list(_records(recordings / "clean", "logs"))
    servers = [span for span in traces if span["kind"] == "SERVER"]
    routes = Counter(span["attributes"].get("http.route") for span in servers)
    routes.pop(None)
    assert routes == {route: answer["count"] for route, answer in expected["by_http_route"].items()}
    failed = Counter(
        span["attributes"].get("http.route")
        for span in servers
        if span["attributes"].get("http.response.status_code", 0) >= 500
    )
    assert failed == {r: answer["errors"] for r, answer in expected["by_http_route"].items() if answer["errors"]}
    severities = Counter(str(record["severity_number"]) for record in logs)
    assert severities == expected["log_records_by_severity_number"]
    assert len({span["trace_id"] for span in traces}) == 444
    assert len({record["trace_id"] for record in logs if "trace_id" in record}) == 424
    starts = [span["time_unix_nano"] for span in traces]
    assert (min(starts), max(starts)) == (1795420230660779146, 1795420258005203608)


def test_points_by_name_and_type_are_exact(recordings: Path) -> None:
    """A few of each kind of metric, all cumulative where that means something."""
    points = list(_records(recordings / "clean", "metrics"))
    assert Counter(point["type"] for point in points) == {"gauge": 336, "sum": 2217, "histogram": 843}
    names = Counter(point["name"] for point in points)
    assert (names["http.server.request.duration"], names["db.client.connections.usage"]) == (356, 30)
    assert {point["temporality"] for point in points if point["type"] != "gauge"} == {"CUMULATIVE"}


def test_json_and_protobuf_of_the_same_request_give_the_same_lines(recordings: Path) -> None:
    """But for the batch id, which is of the bytes, nothing tells which encoding was sent."""
    compared = 0
    for line in (recordings / "json" / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        lines = []
        for path, encoding in ((f"json/{entry['file']}", "json"), (entry["source"], "protobuf")):
            one: Encoding = "json" if encoding == "json" else "protobuf"
            records, _, _, _ = decode(entry["signal"], (recordings / path).read_bytes(), encoding=one)
            lines.append([{**record, "batch_id": ""} for record in records])
        assert lines[0] == lines[1]
        compared += entry["records"]
    assert compared == 190 + 1016 + 386


def test_a_small_part_of_the_recording_travels_with_the_project() -> None:
    """A clone without the recordings proves the same on a few requests."""
    found = {signal: list(_records(DATA / "clean", signal)) for signal in ("traces", "metrics", "logs")}
    assert {signal: len(records) for signal, records in found.items()} == {"traces": 120, "metrics": 156, "logs": 20}
    assert {span["service"] for span in found["traces"]} == {"fossawork-backend"}
    for path in sorted((DATA / "json").rglob("*.json")):
        signal = path.parent.name
        twin = DATA / "clean" / signal / path.name.replace("clean-", "").replace(".json", ".pb")
        records, _, _, _ = decode(signal, path.read_bytes(), encoding="json")
        again, _, _, _ = decode(signal, twin.read_bytes())
        assert [{**record, "batch_id": ""} for record in records] == [{**record, "batch_id": ""} for record in again]


def test_redaction_leaves_the_recorded_traffic_readable(recordings: Path) -> None:
    """In real traffic only what stood for a credential or an address changes."""
    changed = Counter[str]()
    for signal in ("traces", "logs"):
        plain = _records(recordings / "clean", signal)
        redacted = _records(recordings / "clean", signal, Redactor())
        for before, after in zip(plain, redacted, strict=True):
            if json.dumps(before) != json.dumps(after):
                assert any(word in json.dumps(before) for word in ("REMOVED-CREDENTIAL", "@", "assword", "token"))
                changed[signal] += 1
    assert 0 < changed["logs"] < 600
    assert changed["traces"] < 20
