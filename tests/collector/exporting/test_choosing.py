from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.exporting import choosing
from collector.exporting.choosing import Everything, WholeTraces, looking_back
from collector.exporting.sampling_settings import TailSamplingSettings
from collector.exporting.tail_sampling import TailSampler
from collector.exporting.unsent import Part, Unsent
from storage.ranges import WHOLE, Range, Ranges

SECOND = 10**9
NOON = 1_795_435_200 * SECOND
WAIT = 30.0
FIRST, SECOND_ONE = "2026-11-23T12.jsonl", "2026-11-23T12.2.jsonl"
ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}


def span(trace: int, at: float, *, error: bool = False, number: int = 0) -> bytes:
    """A line that came `at` seconds after noon."""
    record = {
        "received_unix_nano": NOON + int(at * SECOND),
        "trace_id": f"{trace:032x}",
        "span_id": f"{number:016x}",
        "status": "ERROR" if error else "UNSET",
    }
    return orjson.dumps(record)


class Stream:
    """Segments of spans, the clock, and who sends on what sampling by errors keeps."""

    def __init__(self, folder: Path, *, part_bytes: int = 2**20) -> None:
        self.folder = folder
        self.seconds = 0.0
        self.sent: dict[str, Ranges] = {}
        self.left_out = 0
        self._part_bytes = part_bytes
        self._open = ExitStack()
        self.start()

    def start(self) -> None:
        """Another process, that knows what the one before has written down."""
        self._open.close()
        self._unsent = self._open.enter_context(closing(self._reader(self.sent)))
        ahead = self._open.enter_context(closing(self._reader(looking_back(self.sent))))
        sampler = TailSampler(TailSamplingSettings.model_validate({"policies": [ERRORS]}))
        self._choice = WholeTraces(sampler, ahead, WAIT, lambda: NOON + int(self.seconds * SECOND))

    def close(self) -> None:
        self._open.close()

    def _reader(self, sent: Mapping[str, Ranges]) -> Unsent:
        return Unsent(self.folder, sent, order="oldest_first", part_bytes=self._part_bytes)

    def put(self, *lines: bytes, segment: str = FIRST) -> None:
        with (self.folder / segment).open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))

    def send(self, most: int = 1000) -> list[bytes]:
        """What is sent on by now, in so many steps at most."""
        found: list[bytes] = []
        for _ in range(most):
            part = self._unsent.next()
            chosen = self._choice.choose(part) if part is not None else None
            if part is None or chosen is None:
                break
            piece = chosen.piece
            assert list(piece.ends) == sorted(piece.ends)
            assert (piece.start, part.start < piece.stop <= part.stop) == (part.start, True)
            starts = [end - len(line) - 1 for line, end in zip(piece.lines, piece.ends, strict=True)]
            assert [
                part.content[start - part.start :][: len(line)] for start, line in zip(starts, piece.lines, strict=True)
            ] == list(piece.lines)
            found += piece.lines
            self.left_out += chosen.left_out
            self.sent[part.segment] = Ranges(self._unsent.done(part.segment, piece.start, piece.stop))
        return found


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    with closing(Stream(tmp_path)) as made:
        yield made


def test_everything_is_each_line_with_its_end() -> None:
    """Empty ones too."""
    part = Part(FIRST, Path(FIRST), 100, b"ab\n\nc\r\n")
    piece, left_out = Everything().choose(part)
    assert (piece.lines, piece.ends, piece.start, piece.stop, left_out) == (
        [b"ab", b"", b"c\r"],
        [103, 104, 107],
        100,
        107,
        0,
    )


def test_a_trace_is_decided_by_what_came_of_it_until_then(stream: Stream) -> None:
    """Its first span waits as long as it is configured; the others follow as they came."""
    good, early, late = span(1, 0), span(2, 1), span(2, 20, error=True)
    stream.put(good, early)
    stream.seconds = 2
    assert stream.send() == []
    stream.put(late)
    for stream.seconds, expected in ((25, []), (29.9, []), (30.5, []), (31, [early]), (49.9, []), (50, [late])):
        assert stream.send() == expected
    assert stream.left_out == 1


def test_a_backlog_is_decided_without_waiting(stream: Stream) -> None:
    """By what came within the time of each span, in this segment and in the next."""
    stream.seconds = 7200
    first = [span(number, number) for number in range(40)]
    stream.put(*first)
    stream.put(span(39, 60, error=True), span(40, 100), segment=SECOND_ONE)
    stream.put(span(5, 3600, error=True), segment="2026-11-23T13.jsonl")
    assert stream.send() == [first[39], span(39, 60, error=True)]
    assert stream.left_out == 41


def test_lines_that_are_no_record_are_passed_on(stream: Stream) -> None:
    """Sampling does not know them: whoever encodes them counts them as unreadable."""
    torn = [b"", b"[]", b"{torn", b"5", b"null"]
    stream.seconds = 100
    stream.put(span(1, 0), *torn[:2], span(2, 1, error=True), *torn[2:])
    assert stream.send() == [*torn[:2], span(2, 1, error=True), *torn[2:]]
    assert stream.left_out == 1


def test_a_record_without_a_time_waits_for_nobody(stream: Stream) -> None:
    """Nor does one whose time is of another kind."""
    odd = [
        b'{"trace_id":"%d","status":"ERROR","received_unix_nano":%s}' % (number, value)
        for number, value in enumerate((b"null", b'"x"', b"1e300", b"-5"))
    ]
    stream.put(*odd, b'{"status":"ERROR"}')
    assert stream.send() == [*odd, b'{"status":"ERROR"}']


def test_a_trace_that_was_half_sent_is_decided_as_before(stream: Stream) -> None:
    """After a restart the error that was sent already is looked at again."""
    spans = [span(1, 0, error=True), span(2, 1), span(1, 2, number=1), span(2, 3, number=1)]
    stream.seconds = 100
    stream.put(spans[0], spans[1])
    assert stream.send() == [spans[0]]
    stream.put(*spans[2:])
    stream.start()
    assert stream.send() == [spans[2]]
    assert stream.left_out == 2


def test_only_the_last_megabytes_are_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all that was sent, by the order of the segments; not of what is from before the exporter, or given up."""
    monkeypatch.setattr(choosing, "_LOOKBACK_BYTES", 150)
    ten, eleven, two, noon = (
        "2026-11-23T10.jsonl",
        "2026-11-23T11.jsonl",
        "2026-11-23T11.2.jsonl",
        "2026-11-23T12.jsonl",
    )

    def looked(sent: dict[str, list[Range]]) -> dict[str, list[Range]]:
        given = {segment: Ranges(parts) for segment, parts in sent.items()}
        found = {segment: list(ranges) for segment, ranges in looking_back(given).items()}
        assert {segment: list(ranges) for segment, ranges in given.items()} == sent
        return found

    assert looked({}) == {}
    assert looked({ten: [(0, 1000)], two: [(0, 100)], eleven: [(0, 1000)]}) == {
        ten: [(0, 1000)],
        eleven: [(0, 950)],
        two: [],
    }
    assert looked({ten: [(0, 1000)], noon: [(0, WHOLE)]}) == {ten: [(0, 850)], noon: [(0, WHOLE)]}
    assert looked({noon: [(0, 100), (200, 300)]}) == {noon: [(0, 100)]}
    assert looked({ten: [(0, 500)], noon: [(0, 150)]}) == {ten: [(0, 500)], noon: []}


def test_a_clock_that_was_put_back_holds_up_nothing(stream: Stream) -> None:
    """What came before by its time is decided with what is there; what comes then waits as ever."""
    stream.seconds = 7200
    ahead = [span(1, 7199), span(1, 7200, error=True)]
    stream.put(*ahead)
    assert stream.send() == []
    stream.seconds = 0
    assert stream.send() == ahead
    stream.put(span(3, 7200, error=True), span(2, 1), segment=SECOND_ONE)
    stream.seconds = 10
    assert stream.send() == [span(3, 7200, error=True)]
    assert stream.send() == []
    stream.put(span(2, 12, error=True), segment=SECOND_ONE)
    stream.seconds = 32
    assert stream.send() == [span(2, 1)]
    stream.seconds = 42
    assert stream.send() == [span(2, 12, error=True)]
    assert stream.left_out == 0


def test_a_damaged_segment_ahead_is_passed_over(stream: Stream) -> None:
    """It is told of when its turn comes to be sent."""
    stream.seconds = 100
    stream.put(span(1, 0, error=True))
    packed = gzip.compress(span(2, 1) + b"\n")
    (stream.folder / "2026-11-23T13.jsonl.gz").write_bytes(packed[:-9])
    assert stream.send(1) == [span(1, 0, error=True)]


@given(st.data())
def test_a_trace_is_sent_whole_or_not_at_all(data: st.DataObject) -> None:
    """In whatever parts it is read, and wherever the process was killed."""
    traces = data.draw(st.lists(st.tuples(st.integers(0, 300), st.booleans()), min_size=1, max_size=8))
    spans = []
    for trace, (begins, fails) in enumerate(traces):
        offsets = data.draw(st.lists(st.integers(0, 25), min_size=1, max_size=4))
        errors = {data.draw(st.integers(0, len(offsets) - 1))} if fails else set()
        spans += [(begins + offset, trace, index, index in errors) for index, offset in enumerate(offsets)]
    lines = [(trace, span(trace, at, error=error, number=number)) for at, trace, number, error in sorted(spans)]
    kept = [line for trace, line in lines if traces[trace][1]]
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Stream(Path(folder), part_bytes=data.draw(st.integers(100, 2000)))) as stream,
    ):
        stream.seconds = 10_000
        border = data.draw(st.integers(0, len(lines)))
        stream.put(*(line for _, line in lines[:border]), segment=FIRST)
        stream.put(*(line for _, line in lines[border:]), segment=SECOND_ONE)
        found = []
        for _ in range(data.draw(st.integers(0, 3))):
            found += stream.send(data.draw(st.integers(0, 4)))
            stream.start()
        found += stream.send()
    assert found == kept
    assert stream.left_out == len(lines) - len(kept)
