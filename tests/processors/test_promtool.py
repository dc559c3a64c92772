"""Prometheus as an independent judge of `for` and `keep_firing_for`: `promtool test rules` on the same values."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.judgement import TICK_NANO
from tests.support.course import Course, gauge

PROMTOOL = shutil.which("promtool")
TICK_SECONDS = TICK_NANO // 1_000_000_000


def _ours(values: list[int], wait: int, keep: int) -> list[bool]:
    """Whether the alert fires at each tick."""
    rule = {
        "metric": "queue",
        "statistic": "last",
        "window": "10s",
        "for": f"{wait}s",
        "keep_firing_for": f"{keep}s",
        "bands": [{"level": "warning", "when": "> 5", "severity": "low"}],
    }
    course = Course("queue", {"queue": rule})
    firing = []
    for number, value in enumerate(values):
        at = number * TICK_SECONDS
        course.feed([gauge(at + 5, "queue", value)], until=at + TICK_SECONDS)
        firing.append(course.evaluation.status == "firing")
    return firing


def _alerts(firing: list[bool], number: int) -> dict[str, Any]:
    expected = [{"exp_labels": {"name": "queue"}}] if firing[number] else []
    return {"eval_time": f"{number * TICK_SECONDS}s", "alertname": "Queue", "exp_alerts": expected}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian's package prometheus) is not installed")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    values=st.lists(st.sampled_from([1, 9]), min_size=20, max_size=60),
    wait=st.sampled_from([0, 10, 30]),
    keep=st.sampled_from([0, 20, 40]),
)
@pytest.mark.untraced
def test_alerts_fire_at_the_very_ticks_at_which_prometheus_fires_them(
    tmp_path: Path, values: list[int], wait: int, keep: int
) -> None:
    """Whatever the values do."""
    firing = _ours(values, wait, keep)
    rule = {"alert": "Queue", "expr": "queue > 5", "for": f"{wait}s", "keep_firing_for": f"{keep}s"}
    groups = {"groups": [{"name": "queue", "interval": f"{TICK_SECONDS}s", "rules": [rule]}]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(groups))
    case = {
        "interval": f"{TICK_SECONDS}s",
        "input_series": [{"series": 'queue{name="queue"}', "values": " ".join(map(str, values))}],
        "alert_rule_test": [_alerts(firing, number) for number in range(len(values))],
    }
    document = {"rule_files": ["rules.yml"], "evaluation_interval": f"{TICK_SECONDS}s", "tests": [case]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
