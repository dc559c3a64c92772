from __future__ import annotations

import gzip
from pathlib import Path

import orjson

from storage import Store
from storage.reader import Span, read, unread


def _write(path: Path, *received: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = b"".join(orjson.dumps({"received_unix_nano": one}) + b"\n" for one in received)
    path.write_bytes(lines)
    return len(lines)


def test_streams_are_read_in_the_order_of_arrival(tmp_path: Path) -> None:
    """Of several segments and streams, from where they are known on."""
    _write(tmp_path / "traces" / "2026-11-23T10.jsonl", 1, 4)
    _write(tmp_path / "traces" / "2026-11-23T11.jsonl", 6, 7)
    known = _write(tmp_path / "logs" / "2026-11-23T10.jsonl", 2)
    _write(tmp_path / "logs" / "2026-11-23T10.jsonl", 2, 3, 5)
    spans = list(unread(tmp_path, ("traces", "logs"), {"logs": {"2026-11-23T10.jsonl": known}}))
    found = [(stored.stream, stored.received_unix_nano) for stored in read(spans)]
    assert found == [("traces", 1), ("logs", 3), ("traces", 4), ("logs", 5), ("traces", 6), ("traces", 7)]


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    """What is no record is none, and what is not ended yet is not there yet."""
    path = tmp_path / "traces" / "2026-11-23T10.jsonl"
    path.parent.mkdir()
    path.write_bytes(b'{"received_unix_nano":1}\nnot json\n[]\n{"other":1}\n{"received_unix_nano":2}\n{"received_un')
    assert [stored.received_unix_nano for stored in read(unread(tmp_path, ["traces"], {}))] == [1, 2]


def test_a_part_ends_where_it_is_told_to(tmp_path: Path) -> None:
    """And each record knows the offset behind it."""
    path = tmp_path / "traces" / "2026-11-23T10.jsonl"
    length = _write(path, 1, 2, 3)
    first, second = read([Span("traces", path.name, path, 0, 2 * length // 3)])
    assert (first.end, second.end) == (length // 3, 2 * length // 3)


def test_compressed_segments_read_the_same(tmp_path: Path) -> None:
    """Under the name that they had."""
    path = tmp_path / "traces" / "2026-11-23T10.jsonl"
    _write(path, 1, 2)
    (path.parent / "2026-11-23T10.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert [(one.segment, one.received_unix_nano) for one in read(unread(tmp_path, ["traces"], {}))] == [
        ("2026-11-23T10.jsonl", 1),
        ("2026-11-23T10.jsonl", 2),
    ]


def test_derived_streams_are_cut_back_to_the_checkpoint_and_the_rest_is_kept_aside(tmp_path: Path) -> None:
    """A segment that no checkpoint names came after it."""
    kept = _write(tmp_path / "errors" / "2026-11-23T10.jsonl", 1)
    _write(tmp_path / "errors" / "2026-11-23T10.jsonl", 1, 2)
    _write(tmp_path / "errors" / "2026-11-23T11.jsonl", 3)
    _write(tmp_path / "traces" / "2026-11-23T11.jsonl", 3)
    store = Store(tmp_path)
    store.open(lambda: {"errors": {"2026-11-23T10.jsonl": kept}})
    store.close()
    assert (tmp_path / "errors" / "2026-11-23T10.jsonl").stat().st_size == kept
    assert not (tmp_path / "errors" / "2026-11-23T11.jsonl").exists()
    assert (tmp_path / "traces" / "2026-11-23T11.jsonl").exists()
    aside = sorted(path.name for path in (tmp_path / ".forecourt" / "torn").iterdir())
    assert aside == [f"errors-2026-11-23T10.jsonl-{kept}.part", "errors-2026-11-23T11.jsonl-0.part"]
