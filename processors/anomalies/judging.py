"""Judging rollups for what is unusual: a detector for each watch and key, and incidents that begin and end."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from processors.anomalies.incident import Incident
from processors.anomalies.point import Point
from processors.anomalies.series import BUCKET_NANO, Series
from processors.anomalies.settings import AnomalySettings
from processors.anomalies.telling import describe, evaluate, is_learning, summarize
from processors.anomalies.watches import Key, Watch, compile_watches
from processors.description import Description
from processors.evaluation import Evaluation, Status, Transition
from processors.rollups import Summary

_WAIT_NANO = 40 * 1_000_000_000
"""After its end a bucket is judged: its last minute is closed 30 s after that, at a tick."""
_SILENT_NANO = 3600 * 1_000_000_000
"""Whoever was silent for so long makes room for others."""
_FORGET_NANO = 28 * 86400 * 1_000_000_000
_OVERFLOW = "otel.metric.overflow"


class AnomalyJudging:
    """Owned by one thread; reads no clock."""

    def __init__(self, settings: AnomalySettings) -> None:
        self._settings = settings
        self._watches: dict[str, list[Watch]] = {}
        for watch in compile_watches(settings):
            self._watches.setdefault(watch.settings.indicator, []).append(watch)
        self._series: dict[tuple[str, Key], Series] = {}
        self._evaluations: dict[tuple[str, Key], Evaluation] = {}
        self._judged_until = 0
        """Where the next bucket to judge begins; 0 before the first time."""
        self._tick = 0
        self._unseen_until = 0
        self._looked: set[int] = set()
        """Buckets to come of which anything is known: elsewhere nobody looked, and nothing is no zero."""
        self.points: list[Point] = []
        """Of the last tick, while nothing is frozen."""
        self.overflowed = 0
        """Summaries of keys beyond what there is room for."""
        self.late = 0
        """Summaries of buckets that had been judged."""

    @property
    def descriptions(self) -> tuple[Description, ...]:
        watches = (watch for watches in self._watches.values() for watch in watches)
        return tuple(describe(watch, self._settings) for watch in watches)

    @property
    def indicators(self) -> frozenset[str]:
        """Whose rollups are looked at; that of the host says that somebody looked."""
        return frozenset((*self._watches, "host.cpu")) if self._watches else frozenset()

    @property
    def identities(self) -> set[str]:
        """What is measured: a watch that measures something else has everything to learn."""
        return {watch.identity for watches in self._watches.values() for watch in watches}

    def take_over(self, other: AnomalyJudging, but: Collection[str]) -> None:
        """The series that the other has learnt, `but` those of these watches."""
        if not self._judged_until:
            self._judged_until, self._tick = other._judged_until, other._tick  # its own class
        for known, series in other._series.items():
            if series.watch.identity not in but and len(self._series) < self._settings.max_series:
                self._series[known] = series
        self._evaluations.clear()

    def take(self, summary: Summary) -> None:
        """Take a closed minute in; other resolutions say the same again."""
        if summary.resolution != "1min":
            return
        start = summary.start_unix_nano - summary.start_unix_nano % BUCKET_NANO
        self._looked.add(start)
        watches = self._watches.get(summary.subject.indicator)
        if watches is None or summary.subject.labels == (_OVERFLOW,):
            return
        if start < self._judged_until:
            self.late += 1
            return
        for watch in watches:
            for key in watch.keys(summary.subject):
                series = self._series_of(watch, key, start)
                if series is None:
                    self.overflowed += 1
                else:
                    series.take(start, watch.cell(summary))

    def _series_of(self, watch: Watch, key: Key, start: int) -> Series | None:
        series = self._series.get((watch.name, key))
        if series is None and (len(self._series) < self._settings.max_series or self._gave_up_place(start)):
            series = self._series[watch.name, key] = Series(watch, key, start)
        return series

    def _gave_up_place(self, now: int) -> bool:
        """Whether somebody who has long been silent made room for somebody new."""
        calm = (one for one in self._series.items() if one[1].incident is None)
        known, oldest = min(calm, key=lambda one: one[1].seen_unix_nano, default=(None, None))
        if known is None or oldest is None or now - oldest.seen_unix_nano < _SILENT_NANO:
            return False
        del self._series[known]
        return True

    def judge(self, now_unix_nano: int, *, frozen: bool) -> tuple[list[Evaluation], list[Transition]]:
        """Judge the buckets that have ended; while `frozen` detectors learn, and nothing fires or resolves."""
        transitions: list[Transition] = []
        self.points.clear()
        for start in self._due(now_unix_nano):
            for series in self._series.values():
                has_point = series.conclude(start, looked=start in self._looked)
                if has_point and not frozen:
                    self.points.append(self._point(series))
                if not frozen and (transition := self._advance(series, now_unix_nano, has_point=has_point)):
                    transitions.append(transition)
            self._evaluations.clear()
            self._forget(start)
        self._looked = {start for start in self._looked if start >= self._judged_until}
        self._tick = now_unix_nano
        return list(self._evaluate(now_unix_nano)), transitions

    def _point(self, series: Series) -> Point:
        learning, score = is_learning(series, self._settings), series.score.score
        return Point(series.watch.name, series.key, series.point_unix_nano, series.value or 0.0, score, learning)

    def _due(self, now: int) -> Iterator[int]:
        """The beginnings of buckets to judge; those in which nobody looked are left out, whatever is in them."""
        end = _end_of_due(now)
        if not self._judged_until:
            earliest = (series.earliest_unix_nano for series in self._series.values())
            self._judged_until = min((start for start in earliest if start is not None), default=end)
        unseen = -(-self._unseen_until // BUCKET_NANO) * BUCKET_NANO
        begin = max(self._judged_until, min(unseen, end), end - _FORGET_NANO)
        if begin > self._judged_until:
            for series in self._series.values():
                series.keep(begin, math.inf)
        self._judged_until = max(self._judged_until, end)
        return iter(range(begin, end, BUCKET_NANO))

    def _advance(self, series: Series, now: int, *, has_point: bool) -> Transition | None:
        incident = series.incident
        if incident is not None:
            if has_point:
                incident.take(series.detector)
            reason = incident.over(now)
            return self._end(series, incident, reason, now) if reason else None
        score = series.score
        if not has_point or score.score < self._settings.notify_from or is_learning(series, self._settings):
            return None
        series.incident = Incident(score, now)
        reason = f"score {score.score:.2f} of at least {self._settings.notify_from:g}, view {score.view}"
        return self._transition(series, series.incident, reason, now)

    def _end(self, series: Series, incident: Incident, reason: str, now: int) -> Transition:
        series.incident = None
        return self._transition(series, incident, reason, now)

    @staticmethod
    def _transition(series: Series, incident: Incident, reason: str, now: int) -> Transition:
        series.since_unix_nano = now
        status: Status = "resolved" if series.incident is None else "firing"
        watch = series.watch
        summary = summarize(series, incident.score)
        severity = watch.settings.severity
        return Transition(watch.rule, series.key, status, severity, series.value, reason, now, summary, ())

    def _forget(self, start: int) -> None:
        """What nobody has heard of for four weeks."""
        gone = [known for known, series in self._series.items() if series.seen_unix_nano < start - _FORGET_NANO]
        for known in gone:
            del self._series[known]

    def _evaluate(self, now: int) -> Iterator[Evaluation]:
        for known, series in self._series.items():
            evaluation = self._evaluations.get(known)
            if evaluation is None:
                evaluation = self._evaluations[known] = evaluate(series, self._settings, now)
            yield replace(evaluation, time_unix_nano=now)

    def postpone(self, gap_nano: int) -> None:
        """Nobody looked for so long; a negative gap is a clock that was set back."""
        for series in self._series.values():
            series.postpone(gap_nano)
        if gap_nano >= 0:
            self._unseen_until = max(self._unseen_until, self._tick) + gap_nano
        elif self._tick:
            self._rewind(self._tick + gap_nano)

    def _rewind(self, now: int) -> None:
        """What "will" have happened counts for nothing."""
        self._tick, self._unseen_until = now, 0
        self._judged_until = min(self._judged_until, _end_of_due(now))
        for series in self._series.values():
            series.keep(0, now)

    def to_state(self) -> Any:
        """What a restart needs; a value for JSON."""
        return {
            "judged_until": self._judged_until,
            "tick": self._tick,
            "unseen_until": self._unseen_until,
            "looked": sorted(self._looked),
            "series": [
                [watch, series.watch.identity, series.to_state()] for (watch, _), series in self._series.items()
            ],
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Go on from a state; a watch that measures something else now begins anew."""
        self._judged_until, self._tick = content["judged_until"], content["tick"]
        self._unseen_until, self._looked = content["unseen_until"], set(content["looked"])
        known = {watch.name: watch for watches in self._watches.values() for watch in watches}
        for name, identity, state in content["series"]:
            watch = known.get(name)
            if watch is None or watch.identity != identity:
                continue
            series = Series.from_state(watch, state)
            if watch.groups_by(tuple(label for label, _ in series.key)):
                self._series[name, series.key] = series


def _end_of_due(now: int) -> int:
    """Where the last bucket ended that may be judged by now."""
    return (now - _WAIT_NANO) // BUCKET_NANO * BUCKET_NANO
