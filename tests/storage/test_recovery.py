from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from storage import Store
from storage.recovery import recover_tail
from tests.storage.records import NOON, Clock, line, numbers


def _segment(folder: Path, content: bytes) -> Path:
    path = folder / "traces" / "2026-11-23T12.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


@pytest.mark.untraced
def test_a_file_cut_at_every_byte_of_its_last_three_lines_keeps_its_whole_lines(tmp_path: Path) -> None:
    """Wherever a crash tore the tail, whole lines stay, the fragment is kept aside and counted."""
    lines = [line(number, size=10) for number in range(5)]
    content = b"".join(lines)
    for cut in range(len(lines[0]) + len(lines[1]), len(content) + 1):
        folder = tmp_path / str(cut)
        _segment(folder, content[:cut])
        store = Store(folder, clock=Clock())
        store.open()
        statistics = store.statistics()
        store.append("traces", line(9), [NOON]).result(5)
        store.close()
        whole = content[:cut].rfind(b"\n") + 1
        torn = cut - whole
        assert numbers(folder) == [orjson.loads(text)["number"] for text in content[:whole].splitlines()] + [9]
        assert (statistics.torn_tails, statistics.torn_bytes) == (int(torn > 0), torn)
        kept = [path.read_bytes() for path in (folder / ".forecourt" / "torn").iterdir()]
        assert kept == ([content[whole:cut]] if torn else [])


@pytest.mark.parametrize(
    ("tail", "whole"),
    [
        (b"\0" * 5000, 0),
        (b"\0" * 100 + b"\n", 0),
        (b"[1]\n", 0),
        (b'{"number": 7\n', 0),
        (b'\xff\xfe{"number": 7}\n', 0),
        (b"\n\n\n", 0),
        (b"garbage\n" + line(7), len(b"garbage\n" + line(7))),
    ],
)
def test_what_is_no_record_at_the_end_is_cut(tmp_path: Path, tail: bytes, whole: int) -> None:
    """Zeros and garbage at the end go; garbage before a good line stays, since a cut would lose the line."""
    path = _segment(tmp_path, line(0) + tail)
    recover_tail(path, tmp_path)
    assert path.read_bytes() == line(0) + tail[:whole]


def test_a_file_without_one_whole_line_becomes_empty(tmp_path: Path) -> None:
    """A crash within the very first line leaves nothing to keep but the torn bytes aside."""
    path = _segment(tmp_path, b'{"number":')
    torn = recover_tail(path, tmp_path)
    assert torn is not None
    assert path.read_bytes() == b""
    assert torn.kept_in.read_bytes() == b'{"number":'


def test_a_clean_file_is_not_touched(tmp_path: Path) -> None:
    """Nothing is cut, kept aside or rewritten when the last line is whole."""
    path = _segment(tmp_path, line(0))
    before = path.stat()
    assert recover_tail(path, tmp_path) is None
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_corrupt_lines_in_the_middle_are_counted_in_the_manifest(tmp_path: Path) -> None:
    """A spoilt line before good ones is passed over by readers and shows in the segment's summary."""
    _segment(tmp_path, line(0) + b"spoilt\n" + line(1))
    store = Store(tmp_path, clock=Clock())
    store.open()
    store.close()
    manifest = orjson.loads((tmp_path / ".forecourt" / "manifest.json").read_bytes())
    entry = manifest["segments"]["traces/2026-11-23T12.jsonl"]
    assert (entry["records"], entry["corrupt"]) == (2, 1)
