"""Coverage-guided fuzzing of both decoders, for long runs: python benchmarks/fuzz_decoders.py -max_total_time=600.

Needs pip install "forecourt[fuzz]". Anything but records or MalformedBodyError is a finding.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))

with atheris.instrument_imports(include=["collector", "instrumentation"]):
    from collector.decoding import Decoder, DecodingLimits, MalformedBodyError
    from instrumentation.redaction import Redactor

from processors.observation import Projection

DECODERS = [
    Decoder(redactor=Redactor(), limits=DecodingLimits(), slice_bytes=slice_bytes) for slice_bytes in (32, 2**20)
]


def one_input(data: bytes) -> None:
    """The first byte chooses signal, encoding and slicing."""
    chosen, body = (data[0], data[1:]) if data else (0, b"")
    decoder = DECODERS[chosen & 1]
    decode = (decoder.decode_traces, decoder.decode_metrics, decoder.decode_logs)[chosen // 4 % 3]
    with contextlib.suppress(MalformedBodyError):
        list(decode(body, Projection(), encoding="json" if chosen & 2 else "protobuf", received_unix_nano=1))


atheris.Setup(sys.argv, one_input)
atheris.Fuzz()
