"""The course of judging: observations go in, derived lines, evaluations and transitions come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from processors.derived import OWN_SERVICE, DerivedLines
from processors.description import Description
from processors.evaluation import Evaluation, Transition
from processors.event_mapping import EventMappings
from processors.judges import Judges, JudgesSettings
from processors.judging import Judging
from processors.observation import Observation, Projection
from processors.reading import Reading, projection_for
from processors.repeats import Repeats
from processors.rollups import MINUTE_NANO, Rollups
from processors.rules import Rule, compile_rules
from processors.sampler import Sampler
from processors.settings import ThresholdSettings

TICK_NANO = 10_000_000_000
"""Rules are evaluated at multiples of it, live and in a backtest alike."""
GAP_NANO = 3 * TICK_NANO
"""A longer gap between two ticks means that we were not there: stopped, or asleep."""
_GRACE_NANO = 120_000_000_000
_FORGET_SERIES_NANO = 3600_000_000_000
_SKEW_TOLD_SECONDS = 5.0
"""A clock that is behind by as much more or less is as steady as before (processors.clocks)."""

STATE_FORMAT = 1

Evaluated = Callable[[int, list[Evaluation], list[Transition]], None]
"""Takes the time of a tick in nanoseconds since 1970, and what it gave."""


class Judgement:
    """Owned by one thread; reads no clock."""

    def __init__(
        self, settings: ThresholdSettings, *, others: JudgesSettings | None = None, derives: bool = True
    ) -> None:
        """`others` judge beside the thresholds. Without `derives` no lines are made."""
        self._settings = settings
        self._others = others or JudgesSettings()
        self.judges = Judges(self._others, settings.lateness)
        rules, self._series = compile_rules(settings)
        self._unfilled = set(self._series)
        self.projection: Projection = projection_for(rules, self.judges.security.labels)
        self._judging = Judging(rules, self._series)
        self._rollups = Rollups()
        self.lines = DerivedLines()
        self._derives = derives
        self._sampler = Sampler(self._series.values(), self._rollups if derives else None, settings.lateness)
        lines = self.lines if derives else None
        self._reading = Reading(
            self._sampler, lines, settings.max_series, EventMappings(settings.events), self.judges.security
        )
        self._repeats = Repeats()
        self._told_skewed: dict[str, float] = {}
        self._tick = 0
        self._frozen_until = 0
        self.evaluations: list[Evaluation] = []
        """Those of the last tick."""
        self.transitions: list[Transition] = []
        """Those of all ticks since somebody emptied the list; empty where somebody takes each tick."""
        self.on_evaluated: Evaluated | None = None

    @property
    def rules(self) -> list[Rule]:
        return self._judging.rules

    @property
    def descriptions(self) -> list[Description]:
        """Of the rules of all judges."""
        return [*(rule.description for rule in self.rules), *self.judges.descriptions]

    @property
    def tick_unix_nano(self) -> int:
        """When rules were last evaluated; 0 before the first time."""
        return self._tick

    @property
    def late_records(self) -> int:
        return self._sampler.late

    @property
    def repeated_records(self) -> int:
        return self._repeats.count

    @property
    def overflowed_samples(self) -> int:
        """Samples of keys and series beyond what there is room for."""
        windows = sum(series.windows.overflowed for series in self._series.values())
        kept = self._rollups.overflowed + self._reading.measurements.deltas.overflowed
        return windows + kept + self.judges.overflowed

    def skewed_clocks(self) -> dict[str, float]:
        """Seconds that each wrong clock is ahead of ours, by service."""
        return self._reading.clocks.skewed()

    def was_up(self, target: str) -> bool:
        """Whether a probe's target was ever seen healthy; any thread may ask."""
        return self._reading.probes.was_up(target)

    def observe(self, observation: Observation) -> None:
        """Take a record in, once however often it comes."""
        if not self._repeats.seen(observation.batch_id, observation.batch_index):
            self._reading.observe(observation)

    def advance(self, now_unix_nano: int) -> bool:
        """Evaluate at each tick up to now; whether there was one."""
        if not self._tick:
            self._tick = now_unix_nano - now_unix_nano % TICK_NANO
        ticked = False
        while self._tick + TICK_NANO <= now_unix_nano:
            self._tick += TICK_NANO
            self._evaluate(self._tick)
            ticked = True
        return ticked

    def rewind(self, now_unix_nano: int) -> None:
        """Go on after the clock was set back: timers keep what they have, and panes of the future are dropped."""
        step = now_unix_nano - self._tick
        if not self._tick or step >= 0:
            return
        self._judging.postpone(step)
        self._reading.presence.excuse(step)
        for series in self._series.values():
            series.windows.forget_after(now_unix_nano)
        self.judges.postpone(step)
        self.judges.forget_after(now_unix_nano)
        self._frozen_until = now_unix_nano + _GRACE_NANO
        self._tick = now_unix_nano - now_unix_nano % TICK_NANO

    def resume(self, now_unix_nano: int) -> None:
        """Go on after a time in which nobody looked: timers stood still, and for 2 minutes nothing begins or ends."""
        gap = now_unix_nano - self._tick
        if not self._tick or gap <= GAP_NANO:
            return
        self._judging.postpone(gap)
        self.judges.postpone(gap)
        self._reading.presence.excuse(gap)
        self._frozen_until = now_unix_nano + _GRACE_NANO
        self._tick = now_unix_nano - now_unix_nano % TICK_NANO

    def _evaluate(self, tick: int) -> None:
        frozen = tick < self._frozen_until
        if frozen:
            self._judging.postpone(TICK_NANO)
        for service, absent in self._reading.presence.silent(tick):
            self._sampler.take("service.absent", {"service.name": service}, absent, tick - 1)
        self.close_rollups(tick)
        self.evaluations, transitions = self._judging.judge(tick, frozen=frozen)
        evaluations, more = self.judges.judge(tick, frozen=frozen)
        self.evaluations += evaluations
        transitions += more
        if self._derives:
            self._write(transitions, tick)
        if self.on_evaluated is not None:
            self.on_evaluated(tick, self.evaluations, transitions)
        else:
            self.transitions += transitions
        if tick % MINUTE_NANO == 0:
            self._reading.measurements.deltas.forget(tick - _FORGET_SERIES_NANO)

    def _write(self, transitions: Iterable[Transition], tick: int) -> None:
        for transition in transitions:
            self.lines.own(_service_of(transition), "alerts", tick, tick, _alert_fields(transition))
        self._tell_of_services(tick)

    def _tell_of_services(self, tick: int) -> None:
        for change in self._reading.presence.changes():
            fields = {"event": change.event, "attributes": change.attributes}
            self.lines.own(change.service, "system", change.time_unix_nano, tick, fields)
        skewed = self.skewed_clocks()
        for service, seconds in skewed.items():
            if abs(seconds - self._told_skewed.get(service, 0.0)) > _SKEW_TOLD_SECONDS:
                fields = {"event": "clock.skewed", "attributes": {"seconds_ahead": seconds}}
                self.lines.own(service, "system", tick, tick, fields)
                self._told_skewed[service] = seconds
        self._told_skewed = {service: told for service, told in self._told_skewed.items() if service in skewed}

    def close_rollups(self, now_unix_nano: int) -> None:
        """Write those whose time is over."""
        for summary in self._rollups.close(now_unix_nano):
            self.judges.take(summary)
            self.lines.own(OWN_SERVICE, summary.stream, summary.start_unix_nano, now_unix_nano, summary.fields())

    def tell(self, event: str, now_unix_nano: int, **attributes: Any) -> None:
        """Something of the collector itself, for the stream `system`."""
        self.lines.own(OWN_SERVICE, "system", now_unix_nano, now_unix_nano, {"event": event, "attributes": attributes})

    def afresh(self) -> Judgement:
        """Another that knows nothing yet."""
        return Judgement(self._settings, others=self._others)

    def filler(self) -> Judgement | None:
        """One that reads for the rules whose windows no state has filled; None when there is no such rule."""
        new = {rule.name: rule.settings for rule in self.rules if rule.identity in self._unfilled}
        others = self._others if self.judges.unlearnt else None
        if not new and others is None:
            return None
        return Judgement(self._settings.model_copy(update={"rules": new}), others=others, derives=False)

    def fill_from(self, filler: Judgement) -> None:
        """Take the windows over that it has filled from stored records."""
        for identity in self._unfilled & filler._series.keys():  # its own class
            self._series[identity].take_over(filler._series[identity])
        self._unfilled.clear()
        if self.judges.unlearnt:
            self.judges.take_over(filler.judges)

    def to_state(self) -> dict[str, Any]:
        """What a restart needs; a value for JSON."""
        return {
            "format": STATE_FORMAT,
            "tick": self._tick,
            "frozen_until": self._frozen_until,
            "series": {identity: series.to_state() for identity, series in self._series.items()},
            "states": self._judging.to_state(),
            "rollups": self._rollups.to_state(),
            "reading": self._reading.to_state(),
            "repeats": self._repeats.to_state(),
            "told_skewed": self._told_skewed,
            "judges": self.judges.to_state(),
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Go on from a state; rules that are not as they were begin anew."""
        self._tick = content["tick"]
        self._frozen_until = content["frozen_until"]
        for identity, series in content["series"].items():
            if identity in self._series:
                self._series[identity].restore(series)
                self._unfilled.discard(identity)
        self._judging.restore(content["states"])
        self._rollups.restore(content["rollups"])
        self._reading.restore(content["reading"])
        self._repeats.restore(content["repeats"])
        self._told_skewed = dict(content["told_skewed"])
        if "judges" in content:
            self.judges.restore(content["judges"])


def _service_of(transition: Transition) -> str:
    return dict(transition.key).get("service.name") or OWN_SERVICE


def _alert_fields(transition: Transition) -> dict[str, Any]:
    """As a line of the stream `alerts`."""
    key = dict(transition.key)
    named = ",".join(f"{label}={value}" for label, value in key.items())
    return {
        "alert": f"{transition.rule}{{{named}}}",
        "rule": transition.rule,
        "key": key,
        "severity": transition.severity,
        "status": transition.status,
        "value": transition.value,
        "summary": transition.summary,
        "reason": transition.reason,
        "trace_ids": transition.traces,
    }
