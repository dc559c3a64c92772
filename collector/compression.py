"""Decompression that is bounded before it is held: a bomb costs time, not memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterator

import zstandard

_STEP = 256 * 1024
_TRUSTED_BYTES = 4 * 1024 * 1024
"""Up to here output is kept as it comes; beyond it the whole is counted first and kept in a second run."""
_ZSTD_STEP = 256
"""Bytes of input at a time: four of them may become a block of 128 KiB."""
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
_ZLIB_HEADER_MODULUS = 31
_DEFLATE = 8


class CompressionError(ValueError):
    """The body is not what its Content-Encoding says."""


class TooLargeError(Exception):
    """The body is larger than the limit, as sent or decompressed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes, before or after decompression. Send less at once.")


def decompress(body: bytes, encoding: str, limit: int, hold: Callable[[int], None]) -> bytes:
    """The decompressed body; raise CompressionError or TooLargeError. `encoding` is a key of ENCODINGS.

    `hold` is told how large the output is becoming, and may raise to end it.
    """
    size = 0
    parts: list[bytes] = []
    for part in _checked(body, encoding):
        size += len(part)
        if size > limit:
            raise TooLargeError(limit)
        hold(size)
        if size <= _TRUSTED_BYTES:
            parts.append(part)
    return b"".join(parts if size <= _TRUSTED_BYTES else _checked(body, encoding))


def _checked(body: bytes, encoding: str) -> Iterator[bytes]:
    try:
        yield from ENCODINGS[encoding](body)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise CompressionError(f"the body is not valid {encoding}: {error}") from error


def _gzip(body: bytes) -> Generator[bytes, None, None]:
    """Members one after the other are one body (RFC 1952, 2.2)."""
    rest = body
    while rest:
        rest = yield from _inflate(rest, 16 + zlib.MAX_WBITS)


def _deflate(body: bytes) -> Generator[bytes, None, None]:
    """Zlib's form as HTTP means it (RFC 9110, 8.4.1.2), or the raw one that some clients send."""
    first = int.from_bytes(body[:2], "big")
    wrapped = body[:1] and body[0] & 0x0F == _DEFLATE and first % _ZLIB_HEADER_MODULUS == 0
    if (yield from _inflate(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)):
        raise EOFError("something follows its end")


def _inflate(body: bytes, window_bits: int) -> Generator[bytes, None, bytes]:
    """Yield the output of one stream; return what follows it."""
    inflating = zlib.decompressobj(window_bits)
    rest = body
    while not inflating.eof:
        part = inflating.decompress(rest, _STEP)
        rest = inflating.unconsumed_tail
        if part:
            yield part
        elif not rest and not inflating.eof:
            raise EOFError("it is cut off")
    return inflating.unused_data


def _zstd(body: bytes) -> Iterator[bytes]:
    """Frames one after the other are one body (RFC 8878, 3.1)."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    position = 0
    while position < len(body):
        frame = decompressor.decompressobj()
        while not frame.eof:
            if position >= len(body):
                raise EOFError("it is cut off")
            if part := frame.decompress(body[position : position + _ZSTD_STEP]):
                yield part
            position += _ZSTD_STEP
        position = min(position, len(body)) - len(frame.unused_data)


ENCODINGS: dict[str, Callable[[bytes], Iterator[bytes]]] = {"gzip": _gzip, "deflate": _deflate, "zstd": _zstd}
