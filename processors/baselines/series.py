"""One key as it goes on: its last windows, what they say against the baseline, and what people are told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from processors.baselines.alarm import Alarms
from processors.baselines.baseline import Baseline, Subject
from processors.baselines.comparing import RECENT, Finding, Usual, conclude
from processors.baselines.settings import LEVELS, NOUNS, BaselineSettings
from processors.baselines.telling import MEASURES, RESPONSE_TIME, summarize, waits
from processors.baselines.windows import WINDOW_NANO, Gathering, Minute, Window
from processors.evaluation import Band, Evaluation, Status, Transition
from processors.rule_state import NO_DATA_NANO

_FORGOTTEN_NANO = 2 * 86400 * 1_000_000_000
_NO_DATA = "no_data"
_GONE = "the baseline does not know it"


class Series:
    """Of one subject."""

    def __init__(self, subject: Subject, settings: BaselineSettings) -> None:
        self.subject = subject
        self._settings = settings
        self._name = ""
        self._usual: Usual | None = None
        self._gathering: Gathering | None = None
        self._gathered: Sequence[Any] | None = None
        """The state of a gathering that has no hours yet."""
        self._recent: list[Window] = []
        self._findings: list[Finding] = []
        self._alarms = Alarms()
        self._firing = dict.fromkeys(MEASURES, -1)
        """By rule the level that people were told last, -1 for none."""
        self._since = dict.fromkeys(MEASURES, 0)
        self._seen_unix_nano = 0
        """When a window ended last."""

    def use(self, baseline: Baseline | None) -> None:
        """Take another baseline for the one before; windows stay, and belong to its classes of hours."""
        known = baseline.keys.get(self.subject) if baseline else None
        if baseline is None or known is None:
            self._usual = None
            return
        hours = baseline.hours
        self._name = baseline.name
        self._usual = Usual(self.subject, known, hours, self._settings)
        if self._gathering is None:
            self._gathering = Gathering(hours, self._settings.minimum_requests)
        self._gathering.hours = hours
        if self._gathered is not None:
            self._gathering.restore(self._gathered)
            self._gathered = None
        self._recent = [window._replace(hours=hours.of(window.start_unix_nano)) for window in self._recent]
        self._compare()

    def _compare(self) -> None:
        self._findings = conclude(self._usual.compare(self._recent), self._settings) if self._usual else []

    def take(self, minute: Minute) -> None:
        if self._gathering is not None:
            self._gathering.take(minute)

    def close(self, end_unix_nano: int, now: int, *, frozen: bool) -> Iterator[Transition]:
        """The windows that have ended by then."""
        if self._gathering is None or self._usual is None:
            return
        for window in self._gathering.close(end_unix_nano):
            self._recent = [*self._recent, window][-RECENT:]
            self._seen_unix_nano = now
            self._compare()
            if not frozen:
                self._alarms.take(self._findings, self._settings)
        if not frozen:
            yield from self._changes(now, "the condition holds no more")

    def end(self, now: int) -> Iterator[Transition]:
        """What fires and can't be judged any more."""
        if max(self._firing.values()) < 0:
            return
        if self._usual is None:
            self._alarms.end()
            yield from self._changes(now, _GONE)
        elif self._is_quiet(now):
            self._alarms.end()
            yield from self._changes(now, _NO_DATA)

    def _is_quiet(self, now: int) -> bool:
        return now - self._seen_unix_nano >= self._quiet_nano

    @property
    def _quiet_nano(self) -> int:
        """After so long without a window nothing can be said: half an hour, or three times as long as one takes."""
        if not self._recent:
            return NO_DATA_NANO
        return max(NO_DATA_NANO, 3 * (self._recent[-1].end_unix_nano - self._recent[-1].start_unix_nano))

    def is_over(self, now: int) -> bool:
        """Nothing fires, and nothing is left to judge."""
        forgotten = now - self._seen_unix_nano > _FORGOTTEN_NANO and not (self._gathering and self._gathering.waiting)
        return max(self._firing.values()) < 0 and (self._usual is None or forgotten)

    def _changes(self, now: int, over: str) -> Iterator[Transition]:
        for rule, measures in MEASURES.items():
            before, level = self._firing[rule], self._alarms.firing(measures)
            if level == before:
                continue
            self._firing[rule] = level
            if min(before, level) < 0:
                self._since[rule] = now
            yield self._transition(rule, before, level, now, over)

    def _transition(self, rule: str, before: int, level: int, now: int, over: str) -> Transition:
        status: Status = "firing" if level >= 0 else "resolved"
        reason = over
        if level >= 0:
            reason = "it got worse" if level > before >= 0 else "it got better"
        if before < 0:
            reason = f"for {self._settings.hold.windows[level]} windows on end"
        finding = self._worst(rule)
        if finding is None and level < 0 and over != _GONE:
            reason = _NO_DATA
        value = None if finding is None else finding.ratio
        severity = LEVELS[max(level, before if level < 0 else level)]
        return Transition(rule, self.subject.key, status, severity, value, reason, now, self._summary(finding), ())

    def _worst(self, rule: str) -> Finding | None:
        """Of a rule's measures the one that tells most: by what fires, by level, by ratio."""
        found = [finding for finding in self._findings if finding.measure in MEASURES[rule]]
        return max(found, key=self._weight, default=None)

    def _weight(self, finding: Finding) -> tuple[int, int, float]:
        level = LEVELS.index(finding.level) if finding.level else -1
        return self._alarms.firing([finding.measure]), level, finding.ratio

    def _summary(self, finding: Finding | None) -> str:
        return "" if finding is None else summarize(finding, self._name)

    def evaluate(self, now: int) -> Iterator[Evaluation]:
        """Of each rule, where it fires, is exceeded, or nothing can be said."""
        if self._usual is None or self._gathering is None:
            return
        insufficient = next((one.insufficient for one in self._findings if one.insufficient), "")
        if max(self._firing.values()) < 0 and self._is_quiet(now):
            if not self._gathering.waiting:
                return
            insufficient = self._waiting(self._gathering.waiting)
        for rule in MEASURES:
            finding = None if insufficient else self._worst(rule)
            fires = self._firing[rule] >= 0
            if fires or (finding is not None and finding.level) or (insufficient and rule == RESPONSE_TIME):
                yield self._evaluation(rule, finding, insufficient, now)

    def _waiting(self, samples: int) -> str:
        return f"{samples} {NOUNS[self.subject.indicator]} of at least {self._settings.minimum_requests} for a window"

    def _evaluation(self, rule: str, finding: Finding | None, insufficient: str, now: int) -> Evaluation:
        level, windows = self._firing[rule], self._recent
        interesting = finding is not None and (level >= 0 or bool(finding.level))
        detail = f"insufficient data: {insufficient}" if insufficient else ""
        if finding is not None and level < 0:
            detail = waits(finding, self._alarms, self._settings)
        return Evaluation(
            rule=rule,
            key=self.subject.key,
            value=None if finding is None or math.isnan(finding.ratio) else finding.ratio,
            unit="1",
            band=_band(finding),
            severity=LEVELS[level] if level >= 0 else "",
            status="firing" if level >= 0 else "inactive",
            samples=sum(window.samples for window in windows),
            window_seconds=(windows[-1].end_unix_nano - windows[0].start_unix_nano) / 1e9 if windows else 0.0,
            since_unix_nano=self._since[rule],
            time_unix_nano=now,
            traces=(),
            detail=detail,
            summary=self._summary(finding) if interesting else "",
        )

    def postpone(self, gap_nano: int) -> None:
        self._seen_unix_nano += gap_nano

    def forget_after(self, now: int) -> None:
        self._recent = [window for window in self._recent if window.end_unix_nano <= now + WINDOW_NANO]
        self._seen_unix_nano = min(self._seen_unix_nano, now)
        if self._gathering is not None:
            self._gathering.forget_after(now)
        self._compare()

    def to_state(self) -> Any:
        gathered = self._gathering.to_state() if self._gathering is not None else self._gathered
        return {
            "gathered": gathered,
            "recent": [window.to_state() for window in self._recent],
            "alarms": self._alarms.to_state(),
            "firing": self._firing,
            "since": self._since,
            "seen": self._seen_unix_nano,
        }

    def restore(self, content: Any) -> None:
        self._gathered = content["gathered"]
        self._recent = [Window.from_state(row) for row in content["recent"]]
        self._alarms.restore(content["alarms"])
        self._firing, self._since = dict(content["firing"]), dict(content["since"])
        self._seen_unix_nano = content["seen"]


def _band(finding: Finding | None) -> Band:
    if finding is None:
        return "no data"
    if not finding.level:
        return "normal"
    return "critical" if finding.level == LEVELS[-1] else "warning"
