"""`rules enable`, `rules tune` and `rules review`: a diff first, the file only when it is wanted, comments and all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from alerting import records
from operations import rule_groups
from operations.cli import main
from operations.configuration import load
from operations.rule_changes import RULES
from processors.default_rules import DEFAULT_RULES
from storage import State
from storage.names import OWN_FOLDER
from tests.support.incident import Incident, nano
from tests.support.week import DAY, END, HOUR, NANO, START, Week, iso

WRITTEN = """\
# Mine.
processors:
  thresholds:
    rules:
      http.server.p95:   # the slow ones
        enabled: true
        bands:
          - {level: warning, when: "> 3s", severity: low}   # told by the runbook
"""


def run(*given: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(given), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "otel-config.yaml"
    path.write_text(WRITTEN, encoding="utf-8")
    return path


def test_a_group_is_switched_off_as_a_diff_and_in_the_file_when_wanted(config: Path) -> None:
    names = [name for name in DEFAULT_RULES if name.startswith("http.")]
    shown = run("rules", "enable", "http", "--disable", "--config", str(config))
    assert config.read_text(encoding="utf-8") == WRITTEN
    assert "nothing was written" in shown.stderr
    assert "-        enabled: true\n+        enabled: false\n" in shown.stdout
    run("rules", "enable", "http", "--disable", "--write", "--config", str(config))
    after = config.read_text(encoding="utf-8")
    assert "# Mine.\n" in after
    assert "# told by the runbook\n" in after
    rules = load(config).configuration.processors.thresholds.rules
    assert not any(rules[name].enabled for name in names)
    assert rules["host.cpu"].enabled
    again = run("rules", "enable", "http", "--disable", "--write", "--config", str(config))
    assert again.stdout == f"all {len(names)} rules of http are off already\n"


SHARED = """\
processors:
  thresholds:
    rules:
      http.server.p95: &slow {enabled: true, for: 3min}
      db.query.p95: *slow
"""


def test_what_an_alias_shares_is_not_changed(config: Path) -> None:
    """Another rule would go off with it."""
    config.write_text(SHARED, encoding="utf-8")
    for group in ("http", "db"):
        refused = run("rules", "enable", group, "--disable", "--write", "--config", str(config), code=1)
        assert "is shared by an alias; change it there" in refused.stderr
    assert config.read_text(encoding="utf-8") == SHARED


@pytest.mark.skipif(os.name == "nt", reason="modes and links")
def test_the_file_keeps_its_mode_its_line_ends_and_who_links_to_it(config: Path) -> None:
    """It may hold secrets, and somebody else's editor may be set to CRLF."""
    config.write_bytes(WRITTEN.replace("\n", "\r\n").encode())
    config.chmod(0o600)
    link = config.with_name("link.yaml")
    link.symlink_to(config.name)
    run("rules", "enable", "db", "--disable", "--write", "--config", str(link))
    assert link.is_symlink()
    assert config.stat().st_mode & 0o777 == 0o600
    content = config.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n")
    assert not load(config).configuration.processors.thresholds.rules["db.query.p95"].enabled
    assert [path.name for path in config.parent.iterdir() if path.name.startswith(".")] == []


def test_a_file_of_nothing_but_rules_is_changed_too(config: Path) -> None:
    config.write_text("rules:\n  host.cpu: {enabled: true}\n", encoding="utf-8")
    run("rules", "enable", "host", "--disable", "--write", "--config", str(config))
    rules = load(config).configuration.processors.thresholds.rules
    assert not any(rules[name].enabled for name in rules if name.startswith("host."))


def test_a_change_that_only_the_check_refuses_is_not_written(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is loaded as it would be, and told by its own name."""
    monkeypatch.setattr(rule_groups, "enabling", lambda *_, **__: [((*RULES, "host.cpu", "enabled"), "perhaps")])
    refused = run("rules", "enable", "host", "--disable", "--write", "--config", str(config), code=1)
    assert "it would not be valid, so nothing was written" in refused.stderr
    assert "otel-config.yaml:" in refused.stderr
    assert "proposed" not in refused.stderr
    assert config.read_text(encoding="utf-8") == WRITTEN


def test_groups_are_listed_and_one_that_is_not_there_is_guessed() -> None:
    listed = run("rules", "enable").stdout
    assert {"security", "http", "host"} <= {line.split()[0] for line in listed.splitlines()}
    wrong = run("rules", "enable", "securty", code=2)
    assert "Did you mean 'security'?" in wrong.stderr


def test_a_change_that_would_not_be_valid_is_not_written(tmp_path: Path) -> None:
    """The file is refused before anything is asked of it, and stays as it is."""
    path = tmp_path / "otel-config.yaml"
    path.write_text(WRITTEN + "      nothing: {}\n", encoding="utf-8")
    result = run("rules", "enable", "http", "--disable", "--write", "--config", str(path), code=1)
    assert "rules.nothing.bands: Field required" in result.stderr
    assert path.read_text(encoding="utf-8") == WRITTEN + "      nothing: {}\n"


def _tuned(week: Week, config: Path, *given: str) -> Any:
    period = ("--logs", str(week.logs), "--from", iso(START), "--to", iso(END), "--config", str(config))
    return orjson.loads(run("rules", "tune", *given, "--json", *period).stdout)


STRICT = """\
processors:
  thresholds:
    rules:
      http.server.p95:
        window: 15min
        minimum_count: 5
        for: 0s
        keep_firing_for: 0s
        bands:
          - {level: warning, when: "> 130ms", severity: low}   # cries too often
"""


@pytest.mark.untraced
def test_bounds_are_proposed_that_would_have_cried_less(week: Week, tmp_path: Path) -> None:
    """With the count of alerts before and after; nothing is written unless that is said, and then comments stay."""
    config = tmp_path / "otel-config.yaml"
    config.write_text(STRICT, encoding="utf-8")
    told = _tuned(week, config, "http.server.p95")
    (rule,) = told["rules"]
    assert rule["alerts"] == pytest.approx(_would_fire(week, 0.130), rel=0.1)  # rollups know p95 within 1.6 %
    assert rule["alerts"] > 10
    assert rule["alerts_proposed"] <= 1
    (proposed,) = (
        load(_applied(config, rule["proposed"])).configuration.processors.thresholds.rules["http.server.p95"].bands
    )
    assert proposed.when.bound > 0.130
    assert _would_fire(week, proposed.when.bound * 1.016) <= 1
    assert (told["written"], "+          - {level: warning, when: " in told["diff"]) == (False, True)
    assert config.read_text(encoding="utf-8") == STRICT
    assert _tuned(week, config, "http.server.p95", "--write")["written"]
    after = config.read_text(encoding="utf-8")
    assert "# cries too often" in after
    again = _tuned(week, config, "http.server.p95")
    assert (again["rules"][0]["alerts"], again["diff"]) == (rule["alerts_proposed"], "")


def _applied(config: Path, bounds: list[str]) -> Path:
    path = config.with_name("applied.yaml")
    path.write_text(config.read_text(encoding="utf-8").replace("> 130ms", bounds[0]), encoding="utf-8")
    return path


def _would_fire(week: Week, bound: float) -> int:
    """Reckoned from the requests themselves: p95 of the last 15 minutes at the end of each that has a request."""
    by_minute: dict[int, list[float]] = {}
    for one in week.requests:
        by_minute.setdefault(int(one.at) // 60, []).append(one.seconds)
    fired, was = 0, False
    for minute in range(START // 60, END // 60):
        values = sorted(value for past in range(minute - 14, minute + 1) for value in by_minute.get(past, ()))
        if len(values) < 5:
            continue
        rank = 0.95 * (len(values) - 1)
        low = values[int(rank)]
        p95 = low + (values[min(int(rank) + 1, len(values) - 1)] - low) * (rank - int(rank))
        fired += p95 > bound and not was
        was = p95 > bound
    return fired


@pytest.mark.untraced
def test_a_rule_that_cries_seldom_stays_as_it_is(week: Week, tmp_path: Path) -> None:
    told = _tuned(week, _empty(tmp_path))
    rules = {one["rule"]: one for one in told["rules"]}
    assert rules["http.server.p95"]["bounds"] == rules["http.server.p95"]["proposed"]
    assert "service.absent" in told["not_reckoned"]
    wrong = run("rules", "tune", "http.server.p96", "--logs", str(week.logs), code=2)
    assert "there is no such rule" in wrong.stderr


def _empty(folder: Path) -> Path:
    path = folder / "otel-config.yaml"
    path.write_text("", encoding="utf-8")
    return path


def test_review_says_which_rules_are_noisy_flap_or_never_speak(tmp_path: Path) -> None:
    """Ten alerts of one within two hours; a rule that had one; all others none."""
    incident = Incident().fire("disk", "medium").until(100).end("disk").until(1000)
    for number in range(10):
        began = 1000 + number * 600
        incident.fire("down", "high").until(began + 60).end("down").until(began + 600)
    logs = tmp_path / "logs"
    (logs / OWN_FOLDER).mkdir(parents=True)
    state = State.open(logs / OWN_FOLDER / "state.db")
    records.save(incident.dispatcher, state)
    state.close()
    began = nano(0) // NANO
    period = ("--from", iso(began - 3 * DAY), "--to", iso(began + 3 * HOUR))
    found = orjson.loads(run("rules", "review", "--json", "--logs", str(logs), *period).stdout)["rules"]
    rules = {one["rule"]: one for one in found}
    assert {"noisy", "flapping"} <= set(rules["down"]["verdicts"])
    assert (rules["down"]["episodes"], rules["disk"]["episodes"], rules["disk"]["verdicts"]) == (10, 1, [])
    assert rules["http.server.p95"]["verdicts"] == ["silent"]
    assert found[0]["rule"] == "down"


def test_a_judge_that_is_off_is_switched_on_with_its_rules(tmp_path: Path) -> None:
    """One that has no rules of its own to switch changes once."""
    path = tmp_path / "otel-config.yaml"
    path.write_text("processors:\n  security: {enabled: false}\n  baselines: {enabled: false}\n")
    for group in ("security", "baseline"):
        done = CliRunner().invoke(main, ["rules", "enable", group, "--write", "--config", str(path)])
        assert done.exit_code == 0, done.output
    processors = load(path).configuration.processors
    assert (processors.security.enabled, processors.baselines.enabled) == (True, True)
    assert all(rule.enabled for rule in processors.known_rules().values())
