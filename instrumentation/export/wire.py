"""The few pieces of protobuf's wire format that spans and log records are made of.

https://protobuf.dev/programming-guides/encoding/: what is rare goes through the generated classes; what every record
has is written here, since building a message object for each costs ten times as much.
"""

from __future__ import annotations

_ONE_BYTE = tuple(bytes((number,)) for number in range(0x80))


def varint(number: int) -> bytes:
    """`number` is not negative."""
    if number < 0x80:  # noqa: PLR2004  # what fits in seven bits
        return _ONE_BYTE[number]
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004  # as above
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def delimited(tag: bytes, content: bytes) -> bytes:
    """A field of bytes, text or an embedded message; `tag` is number and wire type, encoded."""
    return tag + varint(len(content)) + content
