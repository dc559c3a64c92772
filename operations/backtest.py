"""Rules over recorded segments: the code that runs live, with the time of the records for now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from collector.learning import learn, take_line
from collector.stored_baselines import StoredBaselines
from operations.period import OpenPeriod
from processors.evaluation import Evaluation, Transition
from processors.judgement import TICK_NANO, Judgement
from processors.judges import JudgesSettings
from processors.needles import Needles, joined, needles_of, needles_of_sightings, rollup_needles
from processors.observation import observe
from processors.settings import ThresholdSettings
from storage import State
from storage.names import OWN_FOLDER, hour_of, segments
from storage.reader import Span, plain_name, read

_HOUR_NANO = 3600 * 1_000_000_000
_AFTER_NANO = 600_000_000_000
"""How long after the last record rules are still judged where the end is open; never beyond the next tick from now."""


class Backtest:
    """`run` yields each transition that would have happened; the period is one of arrival."""

    def __init__(
        self,
        settings: ThresholdSettings,
        folder: Path,
        period: OpenPeriod,
        *,
        now_unix_nano: int,
        others: JudgesSettings | None = None,
    ) -> None:
        self._now = now_unix_nano
        self._judgement = Judgement(settings, others=others, derives=False)
        self._mapped = bool(settings.events)
        self._folder = folder
        self._period = period
        self.records = 0

    def run(self) -> Iterator[Transition]:
        judgement, period = self._judgement, self._period
        projection = judgement.projection
        last = 0
        needles = self._needles()
        self._tell_of_baselines()
        learn(judgement.judges, self._folder, period.start_unix_nano)
        for stored in read(self._spans(needles), needles):
            received = stored.received_unix_nano
            if received < period.start_unix_nano:
                continue
            if period.end_unix_nano is not None and received >= period.end_unix_nano:
                break
            if judgement.advance(received):
                yield from self._taken()
            if stored.stream == "rollups":
                take_line(judgement.judges, stored)
            else:
                judgement.observe(observe(stored.stream, stored.record, projection))
            self.records += 1
            last = received
        if last:
            judgement.advance(min(period.end_unix_nano or last + _AFTER_NANO, self._now + TICK_NANO))
        yield from self._taken()

    def _tell_of_baselines(self) -> None:
        """Those that there are now, whenever they were made."""
        path = self._folder / OWN_FOLDER / "state.db"
        if path.is_file():
            state = State.open(path)
            try:
                StoredBaselines().tell(self._judgement.judges.baselines, state)
            finally:
                state.close()

    def _needles(self) -> Needles:
        rules, security = self._judgement.rules, self._judgement.judges.security
        needles = needles_of(rules, mapped=self._mapped)
        if security.descriptions:
            needles = joined(needles, needles_of_sightings(security.wants_refusals, mapped=self._mapped))
        indicators = self._judgement.judges.indicators
        return {**needles, **({"rollups": rollup_needles(indicators)} if indicators else {})}

    def _taken(self) -> list[Transition]:
        taken = self._judgement.transitions[:]
        self._judgement.transitions.clear()
        return taken

    def _spans(self, streams: Iterable[str]) -> Iterator[Span]:
        """The segments of the hours that the period touches; a segment's hour is that of its writing."""
        start, end = self._period.start_unix_nano, self._period.end_unix_nano
        first = hour_of(max(0, start - _HOUR_NANO))
        last = "9" if end is None else hour_of(end + _HOUR_NANO)
        for stream in streams:
            for name, path in segments(self._folder / stream):
                if first <= name.hour <= last:
                    yield Span(stream, plain_name(name), path, 0, None)

    @property
    def evaluations(self) -> list[Evaluation]:
        """Those of the last tick."""
        return self._judgement.evaluations
