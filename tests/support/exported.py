"""Folders of records to export, and what is in the files that come of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import zstandard
from click.testing import CliRunner, Result

from operations.cli import main
from tests.collector.decoding.requests import REQUESTS, decode
from tests.conftest import ROOT

RECORDED = ROOT / "tests" / "data" / "otlp" / "clean"
OWN = ("batch_id", "batch_index", "received_unix_nano")


def forecourt(*arguments: object, logs: Path, text: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "--logs", str(logs)], input=text, catch_exceptions=False)


def export(logs: Path, output: object, *arguments: object, form: str = "otlp-jsonl") -> dict[str, Any]:
    """What `--json` tells of an export that succeeds."""
    done = forecourt("store", "export", "--format", form, "--output", output, "--json", *arguments, logs=logs)
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def recorded(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The recorded requests as records, by stream, in segments archived, compressed and plain."""
    logs, archive = folder / "logs", folder / "archive"
    found: dict[str, list[dict[str, Any]]] = {}
    places = [(archive, ".gz"), (logs, ".gz"), (logs, "")]
    for stream in REQUESTS:
        for number, body in enumerate(sorted((RECORDED / stream).glob("*.pb"))):
            records, *_ = decode(stream, body.read_bytes())
            place, suffix = places[number % 3]
            segment(place / stream / f"2026-11-23T{10 + number}.jsonl{suffix}", records)
            found.setdefault(stream, []).extend(records)
    return found


def segment(path: Path, records: Iterable[dict[str, Any]], more: bytes = b"") -> Path:
    """Write a segment; `more` follows its records."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records) + more
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def otlp(stream: str, file: Path) -> list[dict[str, Any]]:
    """The records that a receiver makes of the lines of a file, each line read by itself."""
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [record for line in content.splitlines() for record in decode(stream, line, encoding="json")[0]]


def alike(records: Iterable[dict[str, Any]]) -> list[str]:
    """All that a client told, apart from the order."""
    return sorted(repr({key: value for key, value in record.items() if key not in OWN}) for record in records)


def messages_of_the_collector(*contents: bytes) -> bytes:
    """As its file exporter writes them with `compression: zstd`."""
    frames = [zstandard.compress(content) for content in contents]
    return b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
