"""The sidecar is killed while it compresses, archives and takes in more: no record is lost or doubled."""

from __future__ import annotations

import gzip
import http.client
import itertools
import random
import threading
import time
from collections import Counter
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from operations.cli import main
from storage.names import hour_of
from tests.support.otlp import PROTOBUF, span_id, trace_request
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.untraced

HOUR = 3600 * 1_000_000_000
SEGMENTS = 10
"""More in each round."""
AT_ONCE = {"compress_after": "0s", "archive_after": "1h", "delete_after": "90days", "floor": "0B"}


def _template(sidecar: Sidecar) -> list[bytes]:
    """The lines of a real segment."""
    with sidecar:
        connection = sidecar.connect()
        for number in range(20):
            connection.request("POST", "/v1/traces", trace_request(range(number * 100, number * 100 + 100)), PROTOBUF)
            assert connection.getresponse().read() is not None
        connection.close()
    (segment,) = (sidecar.logs / "traces").glob("*.jsonl")
    return segment.read_bytes().splitlines(keepends=True)


def _put(folder: Path, lines: list[bytes], ages: range) -> Counter[bytes]:
    """A segment of each of these hours, with batches of its own; every other one is compressed already."""
    found: Counter[bytes] = Counter()
    for age in ages:
        path = folder / f"{hour_of(time.time_ns() - age * HOUR)}.jsonl"
        own = f'"batch_id":"{age}-'.encode()
        made = [line.replace(b'"batch_id":"', own) for line in lines]
        if age % 2:
            path.write_bytes(b"".join(made))
        else:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(b"".join(made), 1))
        found.update(made)
    return found


def _send(sidecar: Sidecar, numbers: itertools.count[int], taken: set[int]) -> None:
    connection = sidecar.connect()
    try:
        while True:
            number = next(numbers)
            connection.request("POST", "/v1/traces", trace_request([number]), PROTOBUF)
            if connection.getresponse().read() is not None:
                taken.add(number)
    except (OSError, http.client.HTTPException):
        connection.close()


def _maintain(sidecar: Sidecar) -> str:
    given = ["store", "maintain", "--config", str(sidecar.configuration)]
    return CliRunner().invoke(main, given).output


def _kept(sidecar: Sidecar, archive: Path) -> Counter[bytes]:
    """Each segment's lines once, in whichever forms it lies there; both forms of one hold the same."""
    segments: dict[str, bytes] = {}
    for path in [*(sidecar.logs / "traces").iterdir(), *(archive / "traces").glob("*")]:
        if path.suffix not in {".jsonl", ".gz"}:
            continue
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        name = path.name.removesuffix(".gz")
        assert segments.setdefault(name, content) == content, name
    return Counter(line for content in segments.values() for line in content.splitlines(keepends=True))


def test_whenever_it_is_killed_in_retention_every_record_is_there_once(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    chance = random.Random(6)  # noqa: S311  # moments, not secrets
    sidecar = Sidecar(tmp_path, {"exporters": {"jsonl": {"retention": AT_ONCE}}})
    lines = _template(sidecar)
    expected = Counter(lines)
    numbers, taken = itertools.count(1_000_000), set[int]()
    rounds = max(6, pytestconfig.getoption("--rounds") // 3)
    for number in range(rounds):
        first = 1 + number * SEGMENTS
        expected += _put(sidecar.logs / "traces", lines, range(first, first + SEGMENTS))
        sidecar.start()
        client = threading.Thread(target=_send, args=(sidecar, numbers, taken))
        client.start()
        killer = threading.Timer(chance.uniform(0.1, 1.5), sidecar.process.kill)
        killer.start()
        _maintain(sidecar)
        client.join()
        killer.join()
        sidecar.kill()
    with sidecar:
        _maintain(sidecar)
    kept = _kept(sidecar, tmp_path / "archive")
    assert {line: kept[line] for line in expected} == dict(expected)
    assert max(kept.values()) == 1
    assert {span_id(number) for number in taken} <= {orjson.loads(line)["span_id"] for line in kept}
    assert len(list((tmp_path / "archive" / "traces").glob("*.gz"))) >= rounds * SEGMENTS // 2 - 1
