from __future__ import annotations

from instrumentation.testing import telemetry

__all__ = ["telemetry"]
