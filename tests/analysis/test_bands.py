"""A number that a question has reckoned itself is held against the configured rule, or against none."""

from __future__ import annotations

import pytest

from analysis.bands import Bands
from processors.settings import ThresholdSettings

MEAN = "http.server.response_time"


@pytest.mark.parametrize(
    ("value", "samples", "band"),
    [
        (0.5, None, "normal"),
        (3.0, 30, "warning"),
        (6.0, 30, "critical"),
        (6.0, 29, "no data"),
        (0.5, 29, "no data"),
        (None, 30, "no data"),
    ],
)
def test_too_few_samples_are_no_data(value: float | None, samples: int | None, band: str) -> None:
    """Never fine, and never bad: as the rule's own minimum has it."""
    assert Bands(ThresholdSettings()).band(MEAN, "mean", value, samples) == band


def test_what_no_rule_judges_is_not_called_normal() -> None:
    """A rule that is switched off calls no full disk fine."""
    off = ThresholdSettings.model_validate({"rules": {"host.disk": {"enabled": False}}})
    assert Bands(off).band("host.disk", "mean", 0.99) == "no data"
    assert Bands(ThresholdSettings()).band("host.disk", "mean", 0.99) == "critical"
    assert Bands(ThresholdSettings()).band("nothing", "mean", 1.0) == "no data"
