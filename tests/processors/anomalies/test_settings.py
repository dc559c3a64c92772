"""What may be set about anomalies, and what is said when it is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from processors.anomalies.settings import AnomalySettings
from tests.processors.anomalies.days import BUCKET, Days, requests


def test_the_defaults() -> None:
    """All is on; one key switches it off."""
    settings = AnomalySettings()
    assert list(settings.watches) == [
        "request_rate",
        "response_time_p95",
        "error_rate",
        "query_time",
        "cpu",
        "memory",
        "failed_logins",
        "sync_duration",
        "automation_success",
    ]
    assert all(watch.enabled for watch in settings.watches.values())
    assert (settings.show_from, settings.notify_from, settings.learning) == (0.7, 0.8, 7 * 86400)
    assert {watch.severity for watch in settings.watches.values()} == {"medium"}


def test_a_default_with_some_keys_changed_keeps_its_others() -> None:
    """And the other watches stay as they are."""
    watches = AnomalySettings.model_validate({"watches": {"cpu": {"enabled": False}, "memory": None}}).watches
    default = AnomalySettings().watches
    assert watches["cpu"] == default["cpu"].model_copy(update={"enabled": False})
    assert {**watches, "cpu": default["cpu"]} == default


def test_settings_can_be_written_and_read_again() -> None:
    """As `forecourt config` shows them."""
    settings = AnomalySettings()
    assert AnomalySettings.model_validate(settings.model_dump(mode="json")) == settings


def test_watches_of_ones_own() -> None:
    """On any indicator that is rolled up."""
    own = {
        "indicator": "http.server.response_time",
        "statistic": "p99",
        "by": ["http.route"],
        "where": ["http.route = /pay"],
        "least_change": "100ms",
        "severity": "low",
    }
    days = Days("pay", **own)
    days.each(BUCKET, lambda at: [requests(at, [0.5] * 10, route="/pay"), requests(at, [9.0], route="/other")])
    assert days.settings.watches["pay"].least_change == 0.1
    (evaluation,) = days.evaluations
    assert (evaluation.rule, evaluation.key, evaluation.value) == ("anomaly.pay", (("http.route", "/pay"),), 0.5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"watch": {}}, "Extra inputs are not permitted"),
        ({"notify_from": 0.5}, "notify_from 0.5 is below show_from 0.7"),
        ({"learning": 7}, "7 has no unit"),
        ({"by_route": ["request_rte"]}, "'request_rte' is not a watch (did you mean 'request_rate'?)"),
        ({"by_route": ["cpu"]}, "cpu measures host.cpu, which has no routes"),
        ({"watches": {"own": {"statistic": "p95"}}}, "Field required"),
        ({"watches": {"own": {"indicator": "http.server.errors"}}}, "'http.server.errors' has no rollups"),
        ({"watches": {"cpu": {"by": ["service.name"]}}}, "rollups of host.cpu have no 'service.name'"),
        ({"watches": {"cpu": {"least_change": "much"}}}, "'much' is not an amount, expected for example 50ms"),
        ({"watches": {"cpu": {"severity": "high"}}}, "Input should be 'low' or 'medium'"),
        ({"watches": {"cpu": {"where": ["host.name"]}}}, "'host.name' is not a matcher"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, Any], said: str) -> None:
    """With what was expected."""
    with pytest.raises(ValidationError) as error:
        AnomalySettings.model_validate(given)
    assert said in str(error.value)
