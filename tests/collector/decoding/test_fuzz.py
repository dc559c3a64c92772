from __future__ import annotations

import contextlib
import gc
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.decoding import Encoding, MalformedBodyError
from tests.collector.decoding.requests import REQUESTS, decode, messages, to_json

ENCODINGS: tuple[Encoding, Encoding] = ("protobuf", "json")
EXAMPLES = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("signal", REQUESTS)
@EXAMPLES
@given(body=st.binary(max_size=400))
def test_any_bytes_are_decoded_or_malformed(signal: str, encoding: Encoding, body: bytes) -> None:
    """No input ends in anything but records or the one error that means 400."""
    for size in (7, 2**20):
        with contextlib.suppress(MalformedBodyError):
            decode(signal, body, encoding=encoding, slice_bytes=size)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("signal", REQUESTS)
@EXAMPLES
@given(data=st.data())
def test_mutated_requests_are_decoded_or_malformed_however_they_are_sliced(
    signal: str, encoding: Encoding, data: st.DataObject
) -> None:
    """A flipped, cut or repeated part gives the same records, or an error, whether or not the body is sliced."""
    request = data.draw(messages(REQUESTS[signal]))
    body = bytearray(request.SerializeToString() if encoding == "protobuf" else to_json(request))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    outcomes = [_outcome(signal, bytes(body), encoding, size) for size in (20, 2**20)]
    if encoding == "json" or (outcomes[0] is not None and outcomes[1] is not None):
        assert outcomes[0] == outcomes[1]


def _outcome(signal: str, body: bytes, encoding: Encoding, slice_bytes: int) -> Any:
    try:
        return decode(signal, body, encoding=encoding, slice_bytes=slice_bytes)
    except MalformedBodyError:
        return None


def _deep_groups(size: int) -> bytes:
    return b"\x0b" * size


HOSTILE = {
    "open arrays": ("json", lambda size: b"[" * size),
    "open objects": ("json", lambda size: b'{"resourceSpans":[' * (size // 18)),
    "a long key": ("json", lambda size: b'{"' + b"k" * size + b'": 1}'),
    "a long number": ("json", lambda size: b'{"x": ' + b"9" * size + b"}"),
    "escapes": ("json", lambda size: b'{"x": "' + b'\\"' * (size // 2) + b'"}'),
    "blanks": ("json", lambda size: b"{" + b" " * size + b"}"),
    "empty resources": ("json", lambda size: b'{"resourceSpans": [' + b"{}," * (size // 3) + b"{}]}"),
    "groups": ("protobuf", _deep_groups),
    "empty spans": ("protobuf", lambda size: b"\x12\x00" * (size // 2)),
    "long varints": ("protobuf", lambda size: b"\xff" * size),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.untraced
def test_hostile_bodies_cost_time_in_proportion_to_their_size(case: str) -> None:
    """Ten times the bytes take about ten times the processor's time, never a hundred."""
    encoding, make = HOSTILE[case]
    seconds = []
    gc.disable()  # it would look through what other tests have left
    try:
        for size in (20_000, 200_000):
            body = make(size)
            best = float("inf")
            for _ in range(2):
                started = time.process_time()
                _outcome("traces", body, "json" if encoding == "json" else "protobuf", 2**13)
                best = min(best, time.process_time() - started)
            seconds.append(best)
    finally:
        gc.enable()
    assert seconds[1] < 40 * max(seconds[0], 0.005)
