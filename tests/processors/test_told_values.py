from __future__ import annotations

import pytest

from processors.evaluation import format_value


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (0.0, "s", "0 s"),
        (0.0451, "s", "45.1 ms"),
        (930.0, "s", "930 s"),
        (999.9, "s", "16.7 min"),
        (7199.0, "s", "120 min"),
        (21_700.0, "s", "6.03 h"),
        (1_728_000.0, "s", "20 days"),
        (0.052, "ratio", "5.2 %"),
        (9_999.0, "", "9999"),
        (81_203.0, "", "81,203"),
        (12.5, "", "12.5"),
        (1e18, "", "1e+18"),
        (None, "s", "no value"),
    ],
)
def test_values_are_told_as_people_read_them(value: float | None, unit: str, told: str) -> None:
    """An exporter that is 1.2e+05 s behind says less than one of 33 hours."""
    assert format_value(value, unit) == told
