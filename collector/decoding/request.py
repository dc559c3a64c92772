"""What the records of one request share while they are flattened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from collector.decoding.batch import DecodingLimits
from collector.decoding.envelope import ResourceEnvelope, ScopeEnvelope
from collector.decoding.values import Values
from processors.observation import Projection
from processors.timestamps import Timestamps


@dataclass(frozen=True, slots=True)
class Request:
    batch_id: str
    received_unix_nano: int
    projection: Projection
    values: Values
    limits: DecodingLimits
    timestamps: Timestamps


class Scoped(NamedTuple):
    """Records of one resource and scope; for data points of one metric, which is `metric`."""

    resource: ResourceEnvelope
    scope: ScopeEnvelope
    records: Sequence[Any]
    metric: dict[str, Any] | None = None
