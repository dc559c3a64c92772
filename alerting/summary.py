"""What the alerts of a time come to, for a report."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from alerting.history import Episode
from alerting.severity import SEVERITIES

_TOP = 10
_NANO = 1_000_000_000


def summary(found: Sequence[Episode], rules: Iterable[str]) -> dict[str, Any]:
    """A value for JSON; `rules` are the names of those that are switched on."""
    counts = Counter(one.rule for one in found)
    waited = [(one.acknowledged_at - one.began_at) / _NANO for one in found if one.acknowledged]
    return {
        "episodes": len(found),
        "by_severity": {severity: sum(one.severity == severity for one in found) for severity in SEVERITIES},
        "notified": sum(one.notified for one in found),
        "acknowledged": len(waited),
        "median_seconds_to_acknowledge": statistics.median(waited) if waited else None,
        "noisiest": [{"rule": rule, "episodes": count} for rule, count in counts.most_common(_TOP)],
        "never_fired": sorted(name for name in rules if name not in counts),
    }
