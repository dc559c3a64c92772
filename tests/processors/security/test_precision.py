"""A month of a small company: which attacks are found, and what is told though nothing happened."""

from __future__ import annotations

from functools import cache

import pytest

from processors.security.default_rules import DEFAULT_RULES
from tests.support.traffic import MONDAY, WEEK, Judged, Score, Traffic, judged, scores, traffic

pytestmark = pytest.mark.untraced

WEEKS = 4
SEEDS = (1,)
"""More of them: benchmarks/attacks.py."""
NOISY = {
    "security.guessing.user": 0.4,
    "security.guessing.address": 0.7,
    "security.breach": 0.2,
    "security.export.volume": 0.5,
}
"""The least share of right alarms where docs/security.md tells what the wrong ones are; all others are never wrong."""
NEVER = "security.failed_logins.spike"
"""Rests on the detector of anomalies: tests/processors/anomalies."""


@cache
def _month(seed: int, *, attacked: bool) -> tuple[Traffic, Judged]:
    truth = traffic(WEEKS, seed, attacked=attacked)
    return truth, judged(truth.sightings)


def _scores(seed: int, *, attacked: bool = True) -> dict[str, Score]:
    return scores(*_month(seed, attacked=attacked))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_attack_is_found_by_each_rule_that_is_about_it(seed: int) -> None:
    found = _scores(seed)
    assert {rule for rule, score in found.items() if score.found} == set(DEFAULT_RULES) - {NEVER}
    assert {rule: score.missed for rule, score in found.items() if score.missed} == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_alarms_are_right_but_where_it_is_said(seed: int) -> None:
    precision = {rule: score.precision for rule, score in _scores(seed).items()}
    assert {rule for rule, share in precision.items() if share < NOISY.get(rule, 1.0)} == set()


@pytest.mark.parametrize("seed", SEEDS)
def test_after_the_first_week_a_normal_one_has_few_alerts(seed: int) -> None:
    """Less than one of high or critical severity in a week, at most four that are medium or low."""
    _, told = _month(seed, attacked=False)
    later = [one.severity for one in told.episodes if one.first_unix_nano / 1e9 >= MONDAY + WEEK]
    grave = sum(severity in {"high", "critical"} for severity in later)
    assert grave <= WEEKS - 1
    assert len(later) - grave <= 4 * (WEEKS - 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_alerts_come_while_an_attack_lasts(seed: int) -> None:
    """Guessing, scanning and hammering within three minutes; what is slow by nature within its window."""
    delays = {rule: max(score.delays) for rule, score in _scores(seed).items() if score.delays}
    slow = {"security.spraying.slow": 86_400, "security.guessing.distributed": 3600, "security.export.volume": 7200}
    assert {rule: delay for rule, delay in delays.items() if delay > slow.get(rule, 1200)} == {}
    assert max(delays["security.scanning"], delays["security.rate_limit"]) < 180


def test_the_same_seed_is_the_same_month() -> None:
    """What a benchmark says can be told again."""
    assert traffic(2, 7).sightings == traffic(2, 7).sightings
    assert traffic(2, 7).sightings != traffic(2, 8).sightings
