"""What imports are read from, and the sidecar that they go through: compressed, cut off, long, moved."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from collector.signals import LOGS
from operations.configuration import load
from operations.importing import sidecar as through_sidecar
from operations.importing import taking
from operations.importing.entry import Entry
from operations.importing.reading import chunks
from operations.importing.requests import request
from operations.importing.taken import Taken
from operations.importing.unpacking import opened
from storage.names import segments
from tests.support.exported import forecourt, messages_of_the_collector
from tests.support.sidecar import UntracedSidecar, unused_port


def line(number: int, count: int = 1) -> bytes:
    return orjson.dumps({"number": number, "text": "x" * count}) + b"\n"


def records(logs: Path) -> list[dict[str, Any]]:
    return [orjson.loads(one) for _, path in segments(logs / "logs") for one in path.read_bytes().splitlines()]


PACKED: dict[str, Callable[..., bytes]] = {
    "some.jsonl": lambda *parts: b"".join(parts),
    "some.jsonl.gz": lambda *parts: b"".join(map(gzip.compress, parts)) + bytes(512),
    "some.jsonl.zst": lambda *parts: b"".join(map(zstandard.compress, parts)),
    "named wrongly": lambda *parts: gzip.compress(b"".join(parts)),
    "collector.json": lambda *parts: messages_of_the_collector(*(part.rstrip() for part in parts)),
}


@pytest.mark.parametrize("name", PACKED)
def test_what_is_compressed_is_known_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    """By gzip or zstd in some parts, or as the Collector's file exporter writes it."""
    parts = line(0, 2000), line(1), line(2)
    file = tmp_path / name
    file.write_bytes(PACKED[name](*parts))
    with opened(file) as source:
        assert source.read() == b"".join(parts)


DAMAGED: dict[str, tuple[Callable[[Sequence[bytes]], bytes], int]] = {
    "some.jsonl.gz": (lambda lines: gzip.compress(b"".join(lines))[:-9], 60),
    "some.jsonl.zst": (lambda lines: zstandard.compress(b"".join(lines)) + zstandard.compress(b"x")[:-1], 60),
    "length.zst": (lambda lines: messages_of_the_collector(*lines) + b"\0\0", 60),
    "frame.zst": (lambda lines: messages_of_the_collector(*lines)[:-1], 59),
    "no frame.zst": (lambda lines: messages_of_the_collector(*lines) + b"\0\0\0\x07", 60),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    """And never taken for whole."""
    made, whole = DAMAGED[name]
    file = tmp_path / name
    file.write_bytes(made([line(number) for number in range(60)]))
    found: list[bytes] = []
    with pytest.raises(EOFError, match="is cut off"), opened(file) as source:
        found.extend(filter(bytes.strip, source))
    assert found == [line(number) for number in range(whole)]


def test_a_running_import_follows_the_sidecar_to_another_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload that moves its receiver costs a moment; when it is gone for good, that is told with what to do."""
    monkeypatch.setattr(through_sidecar, "_PATIENCE_SECONDS", 20.0)
    entry = Entry(1_795_435_200_000_000_000, "hello")
    first, second = ({"receivers": {"otlp": {"protocols": {"http": {"endpoint": _free()}}}}} for _ in range(2))
    with UntracedSidecar(tmp_path, first) as sidecar:
        configuration = load(sidecar.configuration).configuration
        with taking.opened(configuration, sidecar.logs) as take:
            assert take(LOGS, request([entry], "app", 1)) == Taken(0, "")
            UntracedSidecar(tmp_path, second)  # writes its configuration
            reloaded = forecourt("collector", "reload", "--config", str(sidecar.configuration), logs=sidecar.logs)
            assert reloaded.exit_code == 0, reloaded.output
            assert take(LOGS, request([entry], "app", 2)) == Taken(0, "")
            assert sidecar.stop() == 0
            monkeypatch.setattr(through_sidecar, "_PATIENCE_SECONDS", 0.0)
            with pytest.raises(OSError, match="the sidecar does not answer: "):
                take(LOGS, request([entry], "app", 3))
    lines = [one["resource"]["attributes"]["forecourt.import.first_line"] for one in records(tmp_path / "logs")]
    assert lines == [1, 2]


def _free() -> str:
    return f"127.0.0.1:{unused_port()}"


def test_long_lines_are_sent_in_requests_that_a_receiver_takes(tmp_path: Path) -> None:
    """However many lines a chunk may have: a hundred of a megabyte would be refused as a whole."""
    file = tmp_path / "long.log"
    file.write_text(("x" * 999_999 + "\n") * 14)
    lines = [[line.number for line in chunk] for chunk, _ in chunks(file, 0)]
    assert lines == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14]]


def test_a_damaged_log_is_taken_in_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    """Compressed by zstd as well, and through a pipe."""
    file = tmp_path / "auth.log.zst"
    text = b"Dec 10 06:55:46 host sshd[1]: hello\n" * 30
    file.write_bytes(zstandard.compress(text) + zstandard.compress(b"x")[:-1])
    arguments = ("logs", "import", "--format", "sshd", "--year", "2024", "--timezone", "UTC")
    done = forecourt(*arguments, file, logs=tmp_path / "logs")
    told = f"Error: {file}: is cut off; 30 records were taken in before that\n"
    assert (done.exit_code, done.stderr) == (1, told)
    assert forecourt(*arguments, "-", logs=tmp_path / "piped", text=file.read_bytes()).exit_code == 1
    for logs in (tmp_path / "logs", tmp_path / "piped"):
        assert [one["timestamp"][:10] for one in records(logs)] == ["2024-12-10"] * 30
