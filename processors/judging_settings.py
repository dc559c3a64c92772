"""What the operator may set about all judges together, and every rule that there then is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from processors.anomalies.settings import AnomalySettings
from processors.anomalies.telling import describe as describe_watch
from processors.anomalies.watches import compile_watches
from processors.baselines.settings import BaselineSettings
from processors.baselines.telling import describe as describe_baselines
from processors.description import Description
from processors.judges import JudgesSettings
from processors.rules import describe as describe_threshold
from processors.security.judging import describe as describe_security
from processors.security.settings import SecuritySettings
from processors.settings import ThresholdSettings
from processors.settings_model import Settings


class KnownRule(NamedTuple):
    """`way` leads to the key of the configuration that switches it on and off."""

    description: Description
    enabled: bool
    way: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.description.name


class JudgingSettings(Settings):
    """`processors`, as far as it is about judging."""

    thresholds: ThresholdSettings = ThresholdSettings()
    baselines: BaselineSettings = BaselineSettings()
    anomalies: AnomalySettings = AnomalySettings()
    security: SecuritySettings = SecuritySettings()

    def others(self, used: Collection[str] = ("baselines", "anomalies", "security")) -> JudgesSettings:
        """Those beside the thresholds that a pipeline lists."""
        return JudgesSettings(
            baselines=self.baselines if "baselines" in used else None,
            security=self.security if "security" in used else None,
            anomalies=self.anomalies if "anomalies" in used else None,
        )

    def known_rules(self) -> dict[str, KnownRule]:
        """Of all judges, by name; also those that are switched off."""
        return {one.name: one for one in self._known()}

    def _known(self) -> Iterator[KnownRule]:
        for name, rule in self.thresholds.rules.items():
            yield KnownRule(describe_threshold(name, rule), rule.enabled, ("thresholds", "rules", name, "enabled"))
        for described in describe_baselines(self.baselines):
            yield KnownRule(described, self.baselines.enabled, ("baselines", "enabled"))
        for watch in compile_watches(self.anomalies, everything=True):
            enabled = watch.settings.enabled and self.anomalies.enabled
            way = ("anomalies", "watches", watch.name, "enabled")
            yield KnownRule(describe_watch(watch, self.anomalies), enabled, way)
        for name, attack in self.security.rules.items():
            enabled = attack.enabled and self.security.enabled
            yield KnownRule(describe_security(name, attack), enabled, ("security", "rules", name, "enabled"))
