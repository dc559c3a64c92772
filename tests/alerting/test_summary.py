"""What the alerts of a time come to, as a report tells it."""

from __future__ import annotations

from alerting.alert import alert_id
from alerting.history import Episode, episodes
from alerting.summary import summary
from tests.support.incident import Incident, nano

RULES = ("down", "slow", "disk", "errors")


def _episode(rule: str, severity: str = "low", began: float = 0, acknowledged: float | None = None) -> Episode:
    key = {"service.name": "app"}
    made = Episode(alert_id(rule, tuple(key.items())), rule, key, severity, nano(began), notified=2)
    if acknowledged is not None:
        made.acknowledged, made.acknowledged_at = "anna", nano(acknowledged)
    return made


def test_a_quiet_time_has_nothing_but_the_rules_that_kept_still() -> None:
    """Nobody waited for anybody: there is no median."""
    assert summary([], ["slow", "down"]) == {
        "episodes": 0,
        "by_severity": {"low": 0, "medium": 0, "high": 0, "critical": 0},
        "notified": 0,
        "acknowledged": 0,
        "median_seconds_to_acknowledge": None,
        "noisiest": [],
        "never_fired": ["down", "slow"],
    }


def test_episodes_are_counted_by_severity_and_rule() -> None:
    """What was acknowledged counts for how long it took; the rule that fired most is the first."""
    found = [
        _episode("slow", "high", began=0, acknowledged=60),
        _episode("slow", "low", began=100, acknowledged=400),
        _episode("down", "critical", began=200, acknowledged=210),
        _episode("slow", "high", began=500),
    ]
    assert summary(found, RULES) == {
        "episodes": 4,
        "by_severity": {"low": 1, "medium": 0, "high": 2, "critical": 1},
        "notified": 8,
        "acknowledged": 3,
        "median_seconds_to_acknowledge": 60.0,
        "noisiest": [{"rule": "slow", "episodes": 3}, {"rule": "down", "episodes": 1}],
        "never_fired": ["disk", "errors"],
    }


def test_only_the_ten_noisiest_are_named() -> None:
    """However many rules fired; none of them has never fired."""
    found = [_episode(f"rule{number}", began=number) for number in range(30)] + [_episode("rule7")]
    told = summary(found, [f"rule{number}" for number in range(31)])
    assert told["noisiest"] == [
        {"rule": "rule7", "episodes": 2},
        *({"rule": f"rule{number}", "episodes": 1} for number in (0, 1, 2, 3, 4, 5, 6, 8, 9)),
    ]
    assert told["never_fired"] == ["rule30"]


def test_an_incident_as_it_was_written_down() -> None:
    """From the journal that alerting itself has kept: who was told, and how soon somebody answered."""
    incident = Incident().fire("down", "critical").fire("disk", "medium").until(50)
    incident.dispatcher.acknowledge(alert_id("down", (("service.name", "app"),)), "anna", "on it", nano(50))
    incident.until(60).end("disk").until(1000)
    assert summary(episodes(incident.dispatcher.journal.entries), RULES) == {
        "episodes": 2,
        "by_severity": {"low": 0, "medium": 1, "high": 0, "critical": 1},
        "notified": 2,
        "acknowledged": 1,
        "median_seconds_to_acknowledge": 40.0,
        "noisiest": [{"rule": "down", "episodes": 1}, {"rule": "disk", "episodes": 1}],
        "never_fired": ["errors", "slow"],
    }
