"""What a baseline says is usual, for a glance beside what is."""

from __future__ import annotations

import math
import statistics

import orjson

from analysis.summaries import Key
from processors.baselines.baseline import Baseline, BaselineError
from processors.baselines.windows import QUANTILES
from storage.baseline_rows import find
from storage.state import State

_P95 = tuple(QUANTILES).index("p95")


def usual_p95(state: State, indicator: str, name: str) -> dict[Key, float]:
    """By key the median of the p95 of the windows of all hours, in the indicator's unit, of the baseline of this name.

    Empty where there is none, or none that can be read. Raise StateError.
    """
    row = find(state, name)
    if row is None:
        return {}
    try:
        baseline = Baseline.from_json(orjson.loads(row.content))
    except (BaselineError, ValueError):
        return {}
    found: dict[Key, float] = {}
    for subject, known in baseline.keys.items():
        if subject.indicator != indicator:
            continue
        values = [window.quantiles[_P95] for of_class in known.values() for window in of_class]
        if finite := [value for value in values if math.isfinite(value)]:
            found[subject.values] = statistics.median(finite)
    return found
