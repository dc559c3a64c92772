"""Real clients against a real collector: every record that they sent is in the files, as they sent it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.untraced

HERE = Path(__file__).parent
CLIENT_SECONDS = 60


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Sidecar]:
    with Sidecar(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JavaScript SDK as npm installs it, with the sending script beside it."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node.js and npm are not installed")
    folder = tmp_path_factory.mktemp("javascript")
    for name in ("package.json", "send.mjs"):
        shutil.copy(HERE / "javascript" / name, folder)
    command = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"npm could not install the JavaScript SDK: {installed.stderr.strip()[-300:]}")
    return folder


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_the_python_sdk_sends_everything(sidecar: Sidecar, protocol: str, compression: str) -> None:
    """The Python SDK's exporters deliver spans, points and log records over gRPC and HTTP, gzip and not."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": sidecar.url(protocol),
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
        **({} if compression == "none" else {"OTEL_EXPORTER_OTLP_COMPRESSION": compression}),
    }
    command = [sys.executable, str(HERE / "python_sdk.py"), protocol]
    subprocess.run(command, env={**os.environ, **environment}, check=True, timeout=CLIENT_SECONDS)
    spans = {span["span_id"]: span for span in sidecar.records("traces")}
    assert sorted(span["attributes"]["number"] for span in spans.values()) == list(range(100))
    assert {span["service"] for span in spans.values()} == {"python"}
    logs = {record["body"]: record for record in sidecar.records("logs")}
    assert logs.keys() == {f"working on {number}" for number in range(100)}
    assert {record["span_id"] for record in logs.values()} == spans.keys()
    assert {record["severity"] for record in logs.values()} == {"WARN"}
    points = {point["name"]: point for point in sidecar.records("metrics")}
    assert points["orders"]["value"] == 3
    assert points["duration"]["sum"] == 0.25


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_javascript_sdk_sends_everything(sidecar: Sidecar, javascript: Path, compression: str) -> None:
    """The JavaScript SDK's HTTP/JSON exporters (chunked bodies) deliver all signals."""
    command = ["node", "send.mjs", sidecar.url("http"), compression]
    subprocess.run(command, cwd=javascript, check=True, timeout=CLIENT_SECONDS)
    spans = {span["name"]: span for span in sidecar.records("traces")}
    assert spans.keys() == {f"work {number}" for number in range(25)}
    first = spans["work 0"]
    assert (first["kind"], first["status"], first["status_message"]) == ("SERVER", "ERROR", "broken")
    assert first["attributes"] == {
        "number": 0,
        "ratio": 0.5,
        "text": "grüße 👋",
        "list": ["a", "b"],
        "big": 2**53 - 1,
    }
    assert [event["name"] for event in first["events"]] == ["checkpoint"]
    (record,) = sidecar.records("logs")
    assert record["body"] == {"message": "low", "litres": 12}
    assert record["attributes"] == {"tank": "A"}
    points = {point["name"]: point for point in sidecar.records("metrics")}
    assert points["orders"]["value"] == 3
    assert (points["duration"]["count"], points["duration"]["sum"]) == (1, 0.25)


def _curl(sidecar: Sidecar, signal: str, body: Path, content_type: str, *options: str) -> tuple[int, bytes]:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    command = [
        curl,
        "--silent",
        "--show-error",
        "--max-time",
        "30",
        "--write-out",
        "\n%{http_code}",
        *options,
    ]
    command += ["--header", f"Content-Type: {content_type}", "--data-binary", f"@{body}"]
    done = subprocess.run(
        [*command, f"{sidecar.url('http')}/v1/{signal}"],
        capture_output=True,
        check=True,
        timeout=CLIENT_SECONDS,
    )
    answer, _, status = done.stdout.rpartition(b"\n")
    return int(status), answer


@pytest.mark.parametrize("options", [(), ("--header", "Expect: 100-continue"), ("--http1.0",)])
def test_curl_posts_protobuf_and_json(sidecar: Sidecar, tmp_path: Path, options: tuple[str, ...]) -> None:
    """A body from a file arrives in either encoding, with and without Expect, over HTTP/1.0 too."""
    example = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "curl"}}]},
                "scopeSpans": [{"spans": [{"traceId": "0a" * 16, "spanId": "0b" * 8, "name": "by hand"}]}],
            }
        ]
    }
    body = tmp_path / "body.json"
    body.write_text(json.dumps(example))
    assert _curl(sidecar, "traces", body, "application/json", *options) == (200, b"{}")
    recorded = next((ROOT / "tests" / "data" / "otlp").rglob("traces/*.pb"))
    assert _curl(sidecar, "traces", recorded, "application/x-protobuf", *options) == (200, b"")
    names = [span["name"] for span in sidecar.records("traces")]
    assert "by hand" in names
    assert len(names) > 1


def _expected(recordings: Path, index: str) -> dict[str, int]:
    totals = {"traces": 0, "metrics": 0, "logs": 0}
    for line in (recordings / index).read_text().splitlines():
        entry = json.loads(line)
        totals[entry["signal"]] += entry["records"]
    return totals


@pytest.mark.parametrize("recording", ["clean", "native"])
def test_the_recorded_traffic_is_kept_to_the_record(sidecar: Sidecar, recordings: Path, recording: str) -> None:
    """Replaying a whole recording over HTTP keeps just as many records as it holds, of each signal."""
    connection = sidecar.connect()
    for line in (recordings / recording / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        body = (recordings / recording / entry["file"]).read_bytes()
        connection.request("POST", f"/v1/{entry['signal']}", body, {"Content-Type": entry["content_type"]})
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
    connection.close()
    kept = {signal: sum(1 for _ in sidecar.records(signal)) for signal in ("traces", "metrics", "logs")}
    assert kept == _expected(recordings, f"{recording}/index.jsonl")
