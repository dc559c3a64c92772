from __future__ import annotations

import errno
import gzip
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.exporting import unsent
from collector.exporting.unsent import Order, Part, UnreadableError, Unsent
from storage.compression import compress
from storage.holding import left_of
from storage.names import segments
from storage.ranges import WHOLE, Range, Ranges
from storage.reader import plain_name

NAMES = (
    "2026-11-23T10.jsonl",
    "2026-11-23T11.jsonl",
    "2026-11-23T11.2.jsonl",
    "2026-11-23T11.10.jsonl",
    "2026-11-23T11.east.jsonl",
    "2026-11-23T12.jsonl",
)
"""In their order: by hour, writer and number."""
FIRST, SECOND, THIRD = NAMES[0], NAMES[1], NAMES[2]
TEN = 1_795_428_000 * 10**9
"""2026-11-23T10:00:00Z."""
LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"\r")) | st.just(b"x" * 150), max_size=12)


class Segments:
    """Of one stream; `content` is what was ever in them, by name without .gz."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.content: dict[str, bytes] = {}

    def put(self, name: str, *lines: bytes, torn: bytes = b"") -> Path:
        """More of it, and the beginning of a line that is not whole yet."""
        path = self.folder / name
        with path.open("ab") as file:
            added = b"".join(line + b"\n" for line in lines) + torn
            file.write(added)
        self.content[name] = self.content.get(name, b"") + added
        return path

    def compress(self, name: str) -> Path:
        """As retention does, a minute later."""
        plain = self.folder / name
        packed = plain.with_name(f"{name}.gz")
        compress(plain, packed, self.folder, lambda: False)
        plain.unlink()
        return packed

    def left(self, sent: Mapping[str, Ranges]) -> dict[str, bytes]:
        """By name in their order, without what is torn."""
        found = {}
        for name in (plain_name(name) for name, _ in segments(self.folder)):
            whole = self.content[name][: self.content[name].rfind(b"\n") + 1]
            content = b"".join(whole[start:stop] for start, stop in sent.get(name, Ranges()).gaps(len(whole)))
            found.update({name: content} if content else {})
        return found


@pytest.fixture
def stream(tmp_path: Path) -> Segments:
    return Segments(tmp_path)


@contextmanager
def reading(
    stream: Segments, sent: Mapping[str, Ranges] | None = None, *, order: Order = "oldest_first", part_bytes: int = 64
) -> Iterator[Unsent]:
    with closing(Unsent(stream.folder, sent or {}, order=order, part_bytes=part_bytes)) as made:
        yield made


def take(reader: Unsent) -> Part | None:
    """The next part, sent."""
    part = reader.next()
    if part is not None:
        reader.done(part.segment, part.start, part.stop)
    return part


def drain(reader: Unsent, meanwhile: Callable[[int], object] = lambda _number: None) -> list[Part]:
    """All there is, sent; `meanwhile` is called after each part."""
    found: list[Part] = []
    while (part := take(reader)) is not None:
        found.append(part)
        meanwhile(len(found))
    return found


def lines(parts: list[Part]) -> list[str]:
    return [line.decode() for part in parts for line in part.lines]


def test_the_oldest_come_first_line_by_line(stream: Segments) -> None:
    """Of all writers and numbers, plain and compressed, each line once."""
    for name in reversed(NAMES):
        stream.put(name, *(f"{name} {number}".encode() for number in range(5)))
    stream.compress(FIRST)
    stream.compress(NAMES[3])
    with reading(stream) as reader:
        parts = drain(reader)
        assert reader.next() is None
        assert reader.waiting() == (0, 0)
    assert lines(parts) == [f"{name} {number}" for name in NAMES for number in range(5)]
    assert all(len(part.content) <= 64 for part in parts)
    assert all(stream.content[part.segment][part.start : part.stop] == part.content for part in parts)


def test_the_newest_come_first_part_by_part(stream: Segments) -> None:
    """Within a part lines keep their order; a compressed segment is read from its beginning on."""
    for name in (FIRST, SECOND):
        stream.put(name, *(f"{number:09}".encode() for number in range(6)))
    stream.compress(FIRST)
    with reading(stream, order="newest_first", part_bytes=25) as reader:
        found = [(part.segment, [int(line) for line in part.lines]) for part in drain(reader)]
        assert reader.waiting() == (0, 0)
    of_second, of_first = [[4, 5], [2, 3], [0, 1]], [[0, 1], [2, 3], [4, 5]]
    assert found == [*((SECOND, part) for part in of_second), *((FIRST, part) for part in of_first)]


def test_what_comes_meanwhile_is_the_newest(stream: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer that was away shows what happens now before what it has missed."""
    monkeypatch.setattr(unsent, "_LIST_SECONDS", -1.0)
    stream.put(FIRST, b"a1", b"a2", b"a3", b"a4")

    def meanwhile(number: int) -> None:
        if number == 1:
            stream.put(FIRST, b"a5")
        if number == 3:
            stream.put(SECOND, b"b1")

    with reading(stream, order="newest_first", part_bytes=4) as reader:
        found = lines(drain(reader, meanwhile))
    assert found == ["a4", "a5", "a3", "b1", "a2", "a1"]


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_what_is_no_line_yet_is_not_sent(stream: Segments, order: Order) -> None:
    """A torn end waits until it is whole, and holds up no other segment."""
    stream.put(FIRST, b"whole", torn=b"to")
    stream.put(SECOND, b"other", torn=b"x" * 200)
    with reading(stream, order=order) as reader:
        assert sorted(lines(drain(reader))) == ["other", "whole"]
        assert reader.waiting()[0] == 202
        stream.put(FIRST, b"rn")
        stream.put(SECOND, b"x")
        assert sorted(lines(drain(reader))) == ["torn", "x" * 201]
        assert reader.waiting() == (0, 0)


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
@pytest.mark.parametrize("packed", [False, True])
def test_lines_longer_than_a_part_are_parts_of_their_own(stream: Segments, order: Order, *, packed: bool) -> None:
    """And empty ones and carriage returns are lines like others: whoever encodes them judges."""
    expected = [b"", b"a" * 1000, b"\r", b"b\rc", b"", b"d" * 3000, b"", b"e"]
    stream.put(FIRST, *expected)
    if packed:
        stream.compress(FIRST)
    with reading(stream, order=order) as reader:
        parts = drain(reader)
    assert [line for part in sorted(parts, key=lambda part: part.start) for line in part.lines] == expected
    assert max(len(part.content) for part in parts) < 64 * 4**3


def test_a_segment_that_is_compressed_while_it_is_read_goes_on_in_its_turn(stream: Segments) -> None:
    """Not after the newer ones."""
    for name in (FIRST, SECOND):
        stream.put(name, *(f"{name} {number}".encode() for number in range(10)))
    with reading(stream) as reader:
        parts = drain(reader, lambda number: stream.compress(FIRST) if number == 2 else None)
    assert lines(parts) == [f"{name} {number}" for name in (FIRST, SECOND) for number in range(10)]
    assert {part.path.suffix for part in parts if part.segment == FIRST} == {".jsonl", ".gz"}


def test_a_segment_that_lies_there_in_both_forms_is_read_once(stream: Segments) -> None:
    """For a minute retention leaves the plain one."""
    stream.put(FIRST, b"a", b"b")
    content = (stream.folder / FIRST).read_bytes()
    stream.compress(FIRST)
    (stream.folder / FIRST).write_bytes(content)
    with reading(stream) as reader:
        assert lines(drain(reader)) == ["a", "b"]
        (stream.folder / FIRST).unlink()
        assert (reader.next(), reader.waiting()) == (None, (0, 0))


@pytest.mark.parametrize("packed", [False, True])
def test_a_segment_that_is_deleted_while_it_is_read_holds_up_nobody(stream: Segments, *, packed: bool) -> None:
    """Retention, or an operator, took it away."""
    for name in (FIRST, SECOND, THIRD):
        stream.put(name, *(f"{name} {number}".encode() for number in range(10)))
    gone = stream.compress(SECOND) if packed else stream.folder / SECOND
    with reading(stream) as reader:
        parts = drain(reader, lambda number: gone.unlink() if number == 3 else None)
    assert lines(parts) == [f"{name} {number}" for name in (FIRST, THIRD) for number in range(10)]


@pytest.mark.parametrize("packed", [False, True])
def test_segments_that_are_done_are_not_looked_at_again(
    stream: Segments, monkeypatch: pytest.MonkeyPatch, *, packed: bool
) -> None:
    """While others are left: a backlog of a year of hours costs no more by the hour than one of a day."""
    names = [f"2026-{month:02}-{day:02}T10.jsonl" for month in range(1, 6) for day in range(1, 21)]
    for name in names:
        stream.put(name, b"one", b"two")
        if packed:
            stream.compress(name)
    looks = 0

    def counted(*given: Any) -> list[Range]:
        nonlocal looks
        looks += 1
        return left_of(*given)

    monkeypatch.setattr(unsent, "left_of", counted)
    with reading(stream) as reader:
        assert [part.segment for part in drain(reader)] == names
    assert looks < 5 * len(names)


def test_what_is_written_under_an_earlier_name_is_sent_too(stream: Segments) -> None:
    """The clock was put back, or an import brought it."""
    stream.put(SECOND, b"b1")
    with reading(stream) as reader:
        assert lines(drain(reader)) == ["b1"]
        stream.put(FIRST, b"a1")
        stream.put(SECOND, b"b2")
        assert lines(drain(reader)) == ["a1", "b2"]


def test_what_counts_as_sent_is_passed_over(stream: Segments) -> None:
    """A segment from before the exporter, and parts in the midst of others; parts end where such a part begins."""
    for name in (FIRST, SECOND, THIRD):
        stream.put(name, *(f"{name[:13]} {number}".encode() for number in range(6)))
    stream.compress(THIRD)
    size = len("2026-11-23T10 0\n")
    middle = [(size, 2 * size), (4 * size, 5 * size)]
    sent = {FIRST: Ranges([(0, WHOLE)]), SECOND: Ranges(middle), THIRD: Ranges(middle)}
    with reading(stream, sent, part_bytes=1000) as reader:
        assert reader.waiting()[0] == 8 * size
        parts = drain(reader)
    assert [(part.segment, part.start // size, len(part.lines)) for part in parts] == [
        (name, start, count) for name in (SECOND, THIRD) for start, count in ((0, 1), (2, 2), (5, 1))
    ]


def test_a_compressed_segment_is_gone_back_in_where_newer_parts_of_it_come_first(stream: Segments) -> None:
    """It was plain when it was begun: what is left of it lies before what was sent."""
    stream.put(FIRST, *(b"%09d" % number for number in range(20)))
    with reading(stream, order="newest_first", part_bytes=40) as reader:
        parts = drain(reader, lambda number: stream.compress(FIRST) if number == 2 else None)
        assert reader.waiting() == (0, 0)
    found = [[int(line) for line in part.lines] for part in parts]
    assert found == [[17, 18, 19], [14, 15, 16], [0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13]]
    with reading(stream, {FIRST: Ranges([(40, 160)])}, order="newest_first", part_bytes=20) as reader:
        found = [[int(line) for line in part.lines] for part in drain(reader)]
    assert found == [[16, 17], [18, 19], [0, 1], [2, 3]]


@given(st.data())
def test_whatever_happens_each_line_is_sent_until_it_was(data: st.DataObject) -> None:
    """Killed at any point, resumed from what was written down, while segments grow, are torn and compressed."""
    with tempfile.TemporaryDirectory() as folder:
        stream = Segments(Path(folder))
        order: Order = data.draw(st.sampled_from(("oldest_first", "newest_first")))
        part_bytes = data.draw(st.integers(1, 200))
        sent: dict[str, Ranges] = {}
        closed: set[str] = set()
        for _ in range(data.draw(st.integers(1, 4))):  # lives of the process
            grow(data, stream, closed)
            with reading(stream, sent, order=order, part_bytes=part_bytes) as reader:
                for _ in range(data.draw(st.integers(0, 6))):
                    part = reader.next()
                    if part is None or data.draw(st.booleans()):
                        break  # sent or not, it is not written down: it is sent again
                    assert_unsent(stream, sent, part)
                    sent[part.segment] = Ranges(reader.done(part.segment, part.start, part.stop))
                    if data.draw(st.booleans()):
                        grow(data, stream, closed)
        expected = stream.left(sent)
        with reading(stream, sent, order=order, part_bytes=part_bytes) as reader:
            parts = drain(reader)
        found: dict[str, bytes] = {}
        for part in sorted(parts, key=lambda part: part.start):
            found[part.segment] = found.get(part.segment, b"") + part.content
        assert found == expected
        promised = list(expected) if order == "oldest_first" else list(reversed(expected))
        assert list(dict.fromkeys(part.segment for part in parts)) == promised


def grow(data: st.DataObject, stream: Segments, closed: set[str]) -> None:
    """Some lines more, perhaps with a torn end, or one is closed, mended and compressed."""
    name = data.draw(st.sampled_from(NAMES))
    if name in closed:
        return
    stream.put(name, *data.draw(LINES))
    if data.draw(st.booleans()):
        closed.add(name)
        stream.compress(name)
    elif data.draw(st.booleans()):
        stream.put(name, torn=b"t")
        if data.draw(st.booleans()):
            stream.put(name, b"orn")
        else:  # as recovery does
            os.truncate(stream.folder / name, len(stream.content[name]) - 1)
            stream.content[name] = stream.content[name][:-1]


def assert_unsent(stream: Segments, sent: Mapping[str, Ranges], part: Part) -> None:
    """Whole lines that stand there, none of which was sent before."""
    assert part.content == stream.content[part.segment][part.start : part.stop]
    assert part.content.endswith(b"\n")
    assert (b"\n" + stream.content[part.segment])[part.start : part.start + 1] == b"\n"
    gaps = sent.get(part.segment, Ranges()).gaps(part.stop)
    assert any(start <= part.start and part.stop <= stop for start, stop in gaps)


def random_lines(count: int) -> list[bytes]:
    """That hardly get smaller."""
    drawn = random.Random(1)  # noqa: S311  # for a test
    return [drawn.randbytes(40).hex().encode() for _ in range(count)]


def test_a_damaged_segment_is_told_and_the_others_go_on(stream: Segments) -> None:
    """Up to the damage its lines were sent; from there on it is given up."""
    expected = random_lines(2000)
    stream.put(FIRST, *expected)
    stream.put(SECOND, b"b")
    packed = stream.compress(FIRST)
    os.truncate(packed, packed.stat().st_size // 2)
    with reading(stream, part_bytes=2000) as reader:
        with pytest.raises(UnreadableError, match=r"2026-11-23T10\.jsonl\.gz: Compressed file ended") as caught:
            drain(reader)
        damage = caught.value
        assert damage.segment == FIRST
        assert 0.4 < damage.start / len(stream.content[FIRST]) < 0.5
        assert reader.waiting()[0] >= 0
        reader.done(damage.segment, damage.start, WHOLE)
        assert lines(drain(reader)) == ["b"]
        assert reader.waiting() == (0, 0)


def test_a_compressed_segment_that_ends_within_a_line_is_told(stream: Segments) -> None:
    """Nothing will ever make it whole; to wait for it would hold up retention."""
    stream.put(FIRST, b"whole", torn=b"torn")
    stream.compress(FIRST)
    with reading(stream) as reader:
        assert lines([part for part in [take(reader)] if part]) == ["whole"]
        with pytest.raises(UnreadableError, match="ends in the middle of a line") as caught:
            reader.next()
    assert (caught.value.segment, caught.value.start) == (FIRST, 6)


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_beyond_all_bounds_is_told(stream: Segments, monkeypatch: pytest.MonkeyPatch, *, packed: bool) -> None:
    """Rather than to wait at it for ever, or to pass over in silence what is behind it."""
    monkeypatch.setattr(unsent, "_LONGEST_LINE_BYTES", 1000)
    stream.put(FIRST, b"a", b"x" * 10_000, b"c")
    if packed:
        stream.compress(FIRST)
    with reading(stream) as reader:
        assert lines([part for part in [take(reader)] if part]) == ["a"]
        with pytest.raises(UnreadableError, match="has a line that is longer than 1024 bytes") as caught:
            reader.next()
    assert (caught.value.segment, caught.value.start) == (FIRST, 2)


def test_a_broken_disk_is_damage_and_a_missing_permission_is_not(
    stream: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an operator can mend is tried again."""
    stream.put(FIRST, b"a")

    def refused(number: int) -> Callable[..., bytes]:
        def read(*_given: object) -> bytes:
            raise OSError(number, os.strerror(number))

        return read

    with reading(stream) as reader:
        monkeypatch.setattr(unsent, "_read", refused(errno.EIO))
        with pytest.raises(UnreadableError, match="Input/output error"):
            reader.next()
        monkeypatch.setattr(unsent, "_read", refused(errno.EACCES))
        with pytest.raises(PermissionError):
            reader.next()


def test_reading_a_compressed_segment_in_parts_unpacks_it_once(
    stream: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many parts it is read in, from where it is resumed too."""
    count = 40_000
    stream.put(FIRST, *(b"%099d" % number for number in range(count)))
    stream.compress(FIRST)
    unpacked: list[int] = []

    class Counting(gzip.GzipFile):
        def read(self, size: int | None = -1) -> bytes:
            content = super().read(size)
            unpacked.append(len(content))
            return content

        def rewind(self) -> None:
            raise AssertionError("it is unpacked from its beginning again")

    opened = []

    def counting(path: Path, mode: Any) -> gzip.GzipFile:
        opened.append(path)
        return Counting(path, mode)

    monkeypatch.setattr(gzip, "open", counting)
    half = count * 50
    with reading(stream, {FIRST: Ranges([(0, half)])}, part_bytes=2**14) as reader:
        parts = drain(reader)
        assert reader.waiting() == (0, 0)
    assert [int(line) for part in parts for line in part.lines] == list(range(count // 2, count))
    assert len(parts) > 100
    assert (len(opened), sum(unpacked)) == (1, half)


def test_how_much_waits_and_since_when(stream: Segments) -> None:
    """By the arrival of the first line that was not sent, long or torn as it may be; else by its segment's hour."""
    received = TEN + 5 * 60 * 10**9
    head = b'{"timestamp":"2026","received_unix_nano":%d,"name":"' % received
    for content, expected in (
        (head + b'"}\n', received),
        (head + b"x" * 2**20 + b'"}\n', received),
        (head, received),
        (b'{"torn', TEN),
        (b'{"name":"' + b"x" * 5000 + b'","received_unix_nano":5}\n', TEN),
    ):
        (stream.folder / FIRST).write_bytes(b"sent\n" + content)
        with reading(stream, {FIRST: Ranges([(0, 5)])}) as reader:
            assert reader.waiting() == (len(content), expected)


def test_how_much_of_a_compressed_segment_waits(stream: Segments) -> None:
    """In bytes that it unpacks to; a damaged one waits with nothing rather than with less."""
    stream.put(FIRST, *random_lines(10))
    packed = stream.compress(FIRST)
    size = len(stream.content[FIRST])
    with reading(stream, {FIRST: Ranges([(0, 81)])}) as reader:
        assert reader.waiting() == (size - 81, TEN)
    packed.write_bytes(packed.read_bytes()[:-4] + bytes(4))
    with reading(stream, {FIRST: Ranges([(0, 81)])}) as reader:
        assert reader.waiting()[0] == 0


def test_a_part_knows_whether_it_still_stands_there(stream: Segments) -> None:
    """What a full disk refused is cut off again, and others take its place."""
    path = stream.put(FIRST, b"kept", b"cut")
    with reading(stream) as reader:
        part = reader.next()
    assert part is not None
    assert part.still_there()
    path.write_bytes(b"kept\ncut\nmore\n")
    assert part.still_there()
    path.write_bytes(b"kept\n")
    assert not part.still_there()
    path.write_bytes(b"kept\nother\n")
    assert not part.still_there()
    path.write_bytes(b"kept\ncut\n")
    stream.compress(FIRST)
    assert part.still_there()
    with reading(stream) as reader:
        packed = reader.next()
    assert packed is not None
    assert packed.still_there()


def test_no_folder_is_nothing_to_send(tmp_path: Path) -> None:
    """Nothing of this signal has come yet."""
    with reading(Segments(tmp_path / "traces")) as reader:
        assert (reader.next(), reader.waiting()) == (None, (0, 0))
