"""OTLP bodies, protobuf or JSON, to finished JSON lines and observations."""

from collector.decoding.batch import Batch, DecodingLimits, MalformedBodyError
from collector.decoding.decoder import Decoder, Encoding

__all__ = ["Batch", "Decoder", "DecodingLimits", "Encoding", "MalformedBodyError"]
