"""The rules as Prometheus reads them: `promtool` accepts the file, and fires when we do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.cli import main
from operations.prometheus_export import prometheus_rules
from processors.judgement import TICK_NANO
from processors.settings import ThresholdSettings
from tests.support.course import Course, gauge

PROMTOOL = shutil.which("promtool")
TICK_SECONDS = TICK_NANO // 1_000_000_000
LEVELS = ["low", "medium", "high", "critical"]
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian's package prometheus) is not installed")


def _promtool(folder: Path, *arguments: str) -> None:
    done = subprocess.run([str(PROMTOOL), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_accepts_the_exported_file(tmp_path: Path) -> None:
    """The default rules, and some with everything that could go wrong in them."""
    (tmp_path / "otel-config.yaml").write_text(
        """
processors: {thresholds: {rules: {
  'odd "rule" {{x}}': {metric: a, by: [service.name, http.route], keep_firing_for: 1min,
    labels: {team.name: 'core'}, summary: '{{ value }} {value} of {http.route} }}', next_steps: ['look at {{this}}'],
    bands: [{level: warning, when: "> 80%", clear: "<= 77%", severity: low}]}}}}
"""
    )
    done = CliRunner().invoke(
        main, ["rules", "export", "--format", "prometheus", "--config", str(tmp_path / "otel-config.yaml")]
    )
    assert done.exit_code == 0, done.output
    (tmp_path / "rules.yml").write_text(done.output)
    _promtool(tmp_path, "check", "rules", "rules.yml")
    alerts = yaml.safe_load(done.output)["groups"][0]["rules"]
    by_name = {one["alert"]: one for one in alerts if one["labels"]["level"] == "critical"}
    assert by_name["http.server.error_rate"] == {
        "alert": "http.server.error_rate",
        "expr": 'forecourt_rule_value{rule="http.server.error_rate"} > 0.1',
        "labels": {"severity": "critical", "level": "critical", "band": "2"},
        "annotations": {
            "summary": "{{ $value | humanizePercentage }} of requests fail",
            "next_steps": "forecourt logs errors --last 1h; forecourt stats errors --last 1h; "
            "forecourt runbook alert http.server.error_rate",
        },
    }


def _rule(wait: int, keep: int, bands: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "metric": "queue",
        "statistic": "last",
        "window": "10s",
        "for": f"{wait}s",
        "keep_firing_for": f"{keep}s",
        "bands": bands,
    }


def _ours(values: list[int], rule: dict[str, Any]) -> list[str]:
    """The severity that fires at each tick; empty for none."""
    course = Course("queue", {"queue": rule})
    found = []
    for number, value in enumerate(values):
        at = number * TICK_SECONDS
        course.feed([gauge(at + 5, "queue", value)], until=at + TICK_SECONDS)
        evaluation = course.evaluation
        found.append(evaluation.severity if evaluation.status == "firing" else "")
    return found


BANDS = [
    {"level": "warning", "when": "> 5", "severity": "low"},
    {"level": "critical", "when": "> 10", "severity": "high"},
]
CLEARING = [{"level": "warning", "when": "> 5", "clear": "< 3", "severity": "low"}]


@needs_promtool
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    values=st.lists(st.sampled_from([1, 4, 9, 12]), min_size=20, max_size=40),
    wait=st.sampled_from([0, 10, 30]),
    bands=st.sampled_from([BANDS, CLEARING]),
)
def test_prometheus_fires_the_exported_rules_when_we_do(
    tmp_path: Path, values: list[int], wait: int, bands: list[dict[str, Any]]
) -> None:
    """Each band at the very ticks; the worst of them is our alert's severity."""
    rule = _rule(wait, 0, bands)
    single = [_ours(values, _rule(wait, 0, [band])) for band in bands]
    worst = [
        max(severities, key=lambda one: LEVELS.index(one) if one else -1) for severities in zip(*single, strict=True)
    ]
    assert _ours(values, rule) == worst
    _agrees(tmp_path, values, rule, single)


@needs_promtool
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    values=st.lists(st.sampled_from([1, 9]), min_size=20, max_size=40),
    wait=st.sampled_from([0, 20]),
    keep=st.sampled_from([20, 40]),
)
def test_prometheus_keeps_them_firing_as_long_as_we_do(tmp_path: Path, values: list[int], wait: int, keep: int) -> None:
    """`keep_firing_for` is exported too."""
    rule = _rule(wait, keep, BANDS[:1])
    _agrees(tmp_path, values, rule, [_ours(values, rule)])


def _agrees(folder: Path, values: list[int], rule: dict[str, Any], single: list[list[str]]) -> None:
    everything = prometheus_rules(ThresholdSettings.model_validate({"rules": {"queue": rule}}))
    group = everything["groups"][0]
    group["rules"] = [{**one, "annotations": {}} for one in group["rules"] if one["alert"] == "queue"]
    (folder / "rules.yml").write_text(yaml.safe_dump(everything))
    series = 'forecourt_rule_value{rule="queue", service_name="app"}'
    case = {
        "interval": f"{TICK_SECONDS}s",
        "input_series": [{"series": series, "values": " ".join(map(str, values))}],
        "alert_rule_test": [
            {
                "eval_time": f"{number * TICK_SECONDS}s",
                "alertname": "queue",
                "exp_alerts": [
                    {"exp_labels": {"rule": "queue", "service_name": "app", **one["labels"]}}
                    for one, firing in zip(group["rules"], single, strict=True)
                    if firing[number]
                ],
            }
            for number in range(len(values))
        ],
    }
    document = {"rule_files": ["rules.yml"], "evaluation_interval": f"{TICK_SECONDS}s", "tests": [case]}
    (folder / "test.yml").write_text(yaml.safe_dump(document))
    _promtool(folder, "test", "rules", "test.yml")
