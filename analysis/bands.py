"""The configured rules' bands, for numbers that a question has reckoned itself."""

from __future__ import annotations

from collections.abc import Sequence

from processors.rule_state import Band, RuleState
from processors.rules import Rule, compile_rules
from processors.settings import ThresholdSettings


class Bands:
    """By indicator and statistic; of what no rule judges there is no data."""

    def __init__(self, settings: ThresholdSettings) -> None:
        rules, _ = compile_rules(settings)
        self._rules = rules

    def rule(self, indicator: str, statistic: str) -> Rule | None:
        """The first rule that judges it."""
        return next(
            (one for one in self._rules if (one.settings.indicator, one.settings.statistic) == (indicator, statistic)),
            None,
        )

    def band(self, indicator: str, statistic: str, value: float | None, samples: int | None = None) -> str:
        """normal, warning or critical; no data for None, and for fewer samples than the rule asks for."""
        rule = self.rule(indicator, statistic)
        if rule is None or value is None or (samples is not None and samples < rule.settings.minimum_count):
            return "no data"
        return band_of(rule.bands, value)


def band_of(bands: Sequence[Band], value: float) -> str:
    index = RuleState.of(bands).band(bands, value)
    return "normal" if index is None else bands[index].level
