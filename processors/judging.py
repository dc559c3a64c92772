"""Judging the rules at a moment: from windows to evaluations, and from those to alerts that begin and end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from processors.evaluation import Band, Evaluation, Transition, format_value
from processors.rule_state import RuleState
from processors.rules import Rule, Series
from processors.window import Cell, Key, Outcomes, Windows


class _Seen(NamedTuple):
    cell: Cell
    seconds: float
    users: int
    """Different ones who failed."""


class _Look(NamedTuple):
    """What a rule sees of a key; `value` is None for too little, `weak` a failure rate that rests on too few."""

    cell: Cell
    seconds: float
    value: float | None
    weak: bool
    detail: str


class Judging:
    """The state of each rule and key."""

    def __init__(self, rules: Iterable[Rule], series: Mapping[str, Series]) -> None:
        self._rules = list(rules)
        self._series = series
        self._states: dict[tuple[str, Key], RuleState] = {}
        self._seen: dict[tuple[str, Key, float], _Seen] = {}

    @property
    def rules(self) -> list[Rule]:
        return self._rules

    def judge(self, now_unix_nano: int, *, frozen: bool) -> tuple[list[Evaluation], list[Transition]]:
        """Evaluate every rule for each of its keys; while `frozen` nothing fires or resolves."""
        evaluations: list[Evaluation] = []
        transitions: list[Transition] = []
        self._seen.clear()
        for rule in self._rules:
            series = self._series[rule.identity]
            for key in self._keys(rule, series):
                evaluation, transition = self._one(rule, series, key, now_unix_nano, frozen=frozen)
                evaluations.append(evaluation)
                if transition is not None:
                    transitions.append(transition)
        for series in self._series.values():
            series.forget(now_unix_nano)
        self._states = {known: state for known, state in self._states.items() if not state.idle}
        return evaluations, transitions

    def _keys(self, rule: Rule, series: Series) -> Iterator[Key]:
        found = dict.fromkeys(series.windows)
        found.update(dict.fromkeys(key for name, key in self._states if name == rule.name))
        return iter(found)

    def _one(
        self, rule: Rule, series: Series, key: Key, now: int, *, frozen: bool
    ) -> tuple[Evaluation, Transition | None]:
        look = self._look(rule, series, key, now)
        state = self._states.get((rule.name, key)) or RuleState.of(rule.bands)
        band = None if look.value is None or look.weak else state.band(rule.bands, look.value)
        reason, severity_before = None, _severity(rule, state)
        if not frozen:
            judged = _unremarkable(rule) if look.weak else look.value
            reason = state.advance(rule.bands, judged, now, for_nano=rule.for_nano, keep_nano=rule.keep_nano)
            self._states[rule.name, key] = state
        severity = _severity(rule, state)
        named = tuple(zip(rule.settings.by, key, strict=False))
        traces: tuple[str, ...] = () if band is None else _examples(series, key, look.seconds, now)
        remarkable = bool(severity) or band is not None or reason is not None
        summary = _summary(rule, named, look.value) if remarkable else ""
        evaluation = Evaluation(
            rule=rule.name,
            key=named,
            value=look.value,
            unit=rule.unit,
            band=_band_name(rule, band, look.value),
            severity=severity,
            status="firing" if state.firing is not None else state.status,
            samples=look.cell.count,
            window_seconds=look.seconds,
            since_unix_nano=state.status_since,
            time_unix_nano=now,
            traces=traces,
            detail="grace after a restart" if frozen else look.detail,
            summary=summary,
        )
        if reason is None:
            return evaluation, None
        told = severity or severity_before
        return evaluation, Transition(rule.name, named, state.status, told, look.value, reason, now, summary, traces)

    def _look(self, rule: Rule, series: Series, key: Key, now: int) -> _Look:
        """The configured window; the wider one where too little is in it, or a bad rate rests on too few failures."""
        settings = rule.settings
        if isinstance(series.windows, Outcomes):
            return _assess(rule, self._see(series, key, settings.within, now))
        look = _assess(rule, self._see(series, key, settings.window, now))
        if settings.widen_to is None or (look.value is not None and not look.weak):
            return look
        return _assess(rule, self._see(series, key, settings.widen_to, now))

    def _see(self, series: Series, key: Key, seconds: float, now: int) -> _Seen:
        """Once for all rules that look at the same."""
        place = (series.identity, key, seconds)
        seen = self._seen.get(place)
        if seen is None:
            windows = series.windows
            cell = windows.over(key, now) if isinstance(windows, Outcomes) else windows.over(key, seconds, now)
            users = series.users(key, now - int(seconds * 1e9))
            seen = self._seen[place] = _Seen(cell, seconds, users)
        return seen

    def postpone(self, nano: int) -> None:
        """Timers stood still for so long."""
        for state in self._states.values():
            state.postpone(nano)

    def to_state(self) -> Any:
        return [[rule, key, state.to_state()] for (rule, key), state in self._states.items()]

    def restore(self, content: Iterable[Any]) -> None:
        known = {rule.name: rule for rule in self._rules}
        for name, key, state in content:
            if name in known:
                self._states[name, tuple(key)] = RuleState.from_state(state, known[name].bands)


def _assess(rule: Rule, seen: _Seen) -> _Look:
    settings = rule.settings
    cell, seconds, users = seen
    if cell.count < settings.minimum_count:
        detail = f"{cell.count} samples of at least {settings.minimum_count}"
        return _Look(cell, seconds, None, weak=False, detail=detail)
    value = rule.measure(cell, seconds)
    if not math.isfinite(value):
        return _Look(cell, seconds, None, weak=False, detail="no value")
    weakness = ""
    if cell.total < settings.minimum_failures:
        weakness = f"{cell.total:.0f} failures of at least {settings.minimum_failures}"
    elif users < settings.minimum_users:
        weakness = f"failures of fewer than {settings.minimum_users} users"
    remarkable = any(band.when.holds(value) for band in rule.bands)
    return _Look(cell, seconds, value, weak=bool(weakness) and remarkable, detail=weakness if remarkable else "")


def _unremarkable(rule: Rule) -> float:
    """A value in no band: what a rate counts as that rests on too few failures."""
    return -math.inf if rule.bands[0].when.upward else math.inf


def _band_name(rule: Rule, band: int | None, value: float | None) -> Band:
    if value is None:
        return "no data"
    if band is None:
        return "normal"
    return "critical" if rule.bands[band].level == "critical" else "warning"


def _severity(rule: Rule, state: RuleState) -> str:
    if state.firing is not None:
        return rule.bands[state.firing].severity
    entered = [index for index, since in enumerate(state.since) if since is not None]
    return rule.bands[entered[-1]].severity if entered else ""


def _examples(series: Series, key: Key, seconds: float, now: int) -> tuple[str, ...]:
    windows = series.windows
    return windows.examples(key, seconds, now) if isinstance(windows, Windows) else windows.examples(key)


def _summary(rule: Rule, key: tuple[tuple[str, str], ...], value: float | None) -> str:
    """The rule's summary with its value and labels filled in; what it does not know stays as it stands."""
    text = rule.settings.summary or f"{rule.name} is {{value}}"
    for label, content in (("value", format_value(value, rule.unit)), *key):
        text = text.replace("{" + label + "}", content)
    return text
