"""What the operator may set about decoding, as decoding takes it."""

from __future__ import annotations

from collector.decoding import DecodingLimits
from collector.settings import LimitSettings


def decoding_limits(settings: LimitSettings) -> DecodingLimits:
    """Its bounds, in bytes and numbers."""
    return DecodingLimits(**{name: getattr(settings, name) for name in LimitSettings.model_fields})
