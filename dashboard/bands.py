"""The thresholds' rules, and their bands as charts draw them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from dashboard.charts import BandRange
from dashboard.records import Same
from dashboard.site import Site
from processors.rules import Rule, compile_rules
from processors.settings import ThresholdSettings


def rules_of(site: Site) -> Mapping[str, Rule]:
    """Those that are switched on, by name; the same objects each time."""
    return _compiled(Same(site.judging.thresholds))


@lru_cache(8)
def _compiled(settings: Same[ThresholdSettings]) -> Mapping[str, Rule]:
    return {rule.name: rule for rule in compile_rules(settings.value)[0]}


def band_ranges(site: Site, name: str) -> list[BandRange]:
    """Mildest first; none where there is no such rule."""
    rule = rules_of(site).get(name)
    return [
        BandRange(
            "critical" if band.level == "critical" else "warning",
            band.when.bound if band.when.upward else None,
            None if band.when.upward else band.when.bound,
            f"{band.level} {band.when}",
        )
        for band in (rule.bands if rule else ())
    ]
