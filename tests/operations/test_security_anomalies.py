"""`security anomalies` on the recorded week, and the commands about rules where those of security are concerned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from operations.cli import main
from operations.configuration import load
from processors.security.default_rules import DEFAULT_RULES
from processors.security.judging import SecurityJudging
from processors.security.settings import SecuritySettings
from processors.security.sighting import sighting_of_line
from tests.conftest import ROOT
from tests.support.week import ATTACK, ATTACKER, DAY, END, HOUR, START, Week, iso

ALL = (START, END)
ANOMALIES = ("auth", "user", "access", "data")


def run(*given: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(given), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def anomalies(week: Week, kind: str, *given: str, between: tuple[int, int] = ALL) -> Result:
    period = ("--logs", str(week.logs), "--from", iso(between[0]), "--to", iso(between[1]))
    return run("security", "anomalies", kind, *given, *period)


def asked(week: Week, kind: str, *given: str, between: tuple[int, int] = ALL) -> Any:
    return orjson.loads(anomalies(week, kind, "--json", *given, between=between).stdout)


def stamp(seconds: float) -> str:
    return f"{iso(seconds)}.000000000Z"


def test_auth_tells_the_attack_its_rules_and_that_it_got_in(week: Week) -> None:
    """Worst first, each with first and last moment, count and evidence."""
    told = asked(week, "auth")
    assert (told["from"], told["to"], told["enabled"]) == (stamp(START), stamp(END), True)
    found = [
        (one["rule"], one["key"], one["severity"], one["first"], one["last"], one["count"]) for one in told["episodes"]
    ]
    breach, address, *users = found
    key = {"user.id": "user-1", "client.address": ATTACKER}
    assert breach == ("security.breach", key, "critical", stamp(ATTACK + 700), stamp(ATTACK + 700), 60)
    assert address == (
        "security.guessing.address",
        {"client.address": ATTACKER},
        "critical",
        stamp(ATTACK + 40),
        stamp(ATTACK + 590),
        60,
    )
    assert users == [
        (
            "security.guessing.user",
            {"user.id": f"user-{number}"},
            "medium",
            stamp(ATTACK + number * 10 + 120),
            stamp(ATTACK + number * 10 + 570),
            20,
        )
        for number in (2, 1, 0)
    ]


def test_an_episode_is_whole_as_json(week: Week) -> None:
    """Bounds, technique, evidence, and what to write to hear no more of it."""
    (episode,) = asked(week, "auth", "--limit", "1")["episodes"]
    assert {name: episode[name] for name in ("bounds", "mitre_attack_id", "summary", "sightings")} == {
        "bounds": ["a login within 15min after security.guessing.user or security.guessing.address"],
        "mitre_attack_id": "T1078",
        "summary": f"user-1 got in from {ATTACKER} after 60 failed logins: somebody may know the password",
        "sightings": 21,
    }
    assert [(one["timestamp"], one["event"], one["outcome"]) for one in episode["evidence"]] == [
        (stamp(ATTACK + 10), "auth.login", "failure"),
        (stamp(ATTACK + 40), "auth.login", "failure"),
        (stamp(ATTACK + 700), "auth.login", "success"),
    ]
    assert episode["evidence"][0]["attributes"] == {"user.id": "user-1", "client.address": ATTACKER}
    assert ATTACKER in episode["allow"]


def test_auth_is_read_by_people(week: Week) -> None:
    """What, by which rule, when, on what evidence, and what to write if it is fine."""
    told = anomalies(week, "auth", "--limit", "2").stdout
    for line in (
        f"critical user-1 got in from {ATTACKER} after 60 failed logins: somebody may know the password",
        "  rule     security.guessing.address: >= 5 within 15min; >= 50 within 15min (MITRE ATT&CK T1110)",
        "  when     2026-11-20 03:00:40 to 2026-11-20 03:09:50 UTC",
        f"  evidence 2026-11-20 03:00:00 auth.login failure user.id=user-0 client.address={ATTACKER}",
        "           … 57 more …",
    ):
        assert line in told.splitlines()
    assert told.count("if fine  ") == 2
    assert "guessing.user:" not in told


def test_user_tells_logins_that_are_odd_for_their_user(week: Week) -> None:
    """The attacker's, from a network that user-1 never came from; no alarm, since nobody is known for two weeks."""
    told = asked(week, "user")
    assert told["episodes"] == []
    assert told["odd_logins"] == [
        {
            "time": stamp(ATTACK + 700),
            "user": "user-1",
            "address": ATTACKER,
            "network": "203.0.113.0/24",
            "browser": "",
            "new_network": True,
            "new_browser": False,
            "usual_hour": True,
            "trace_id": "",
        }
    ]
    shown = anomalies(week, "user").stdout
    assert "odd for their user, and no alarm by themselves:" in shown
    assert "user-1  203.0.113.7" in shown
    assert shown.rstrip().endswith("new network")


@pytest.mark.parametrize("kind", ["access", "data"])
def test_nothing_unusual_is_said(week: Week, kind: str) -> None:
    """Twelve refusals by the rate limit are below twenty; nobody exported anything."""
    assert asked(week, kind) == {"from": stamp(START), "to": stamp(END), "enabled": True, "episodes": []}
    assert anomalies(week, kind).stdout.splitlines()[-1] == "nothing unusual"


def test_a_period_without_the_attack_has_none_of_it(week: Week) -> None:
    """Before it, and the days after."""
    assert asked(week, "auth", between=(START, ATTACK))["episodes"] == []
    assert asked(week, "auth", between=(ATTACK + DAY, END))["episodes"] == []
    assert len(asked(week, "auth", between=(ATTACK, ATTACK + HOUR))["episodes"]) == 5


def configured(folder: Path, security: str) -> tuple[str, str]:
    path = folder / "otel-config.yaml"
    path.write_text(f"processors:\n  security:\n{security}", encoding="utf-8")
    return "--config", str(path)


def test_rules_are_those_of_the_configuration(week: Week, tmp_path: Path) -> None:
    """Other bounds, rules of one's own, and whom to let alone."""
    syncs = "{event: work_order.sync, by: [service.name], severity: low}"
    own = f"    rules:\n      security.rate_limit: {{count: 10}}\n      syncs: {syncs}\n"
    told = asked(week, "access", *configured(tmp_path, own))
    assert {one["rule"] for one in told["episodes"]} == {"security.rate_limit", "syncs"}
    allowed = configured(tmp_path, "    allow: {addresses: [203.0.113.0/24], users: [user-1]}\n")
    left = asked(week, "auth", *allowed)["episodes"]
    assert [one["key"] for one in left] == [{"user.id": "user-2"}, {"user.id": "user-0"}]


def test_where_security_is_off_it_is_said(week: Week, tmp_path: Path) -> None:
    off = configured(tmp_path, "    enabled: false\n")
    assert asked(week, "auth", *off)["enabled"] is False
    assert "processors.security.enabled is false: nobody judges this" in anomalies(week, "auth", *off).stdout


@pytest.mark.parametrize("kind", ANOMALIES)
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--limit", "0"), "0 is not in the range x>=1"),
        (("--last", "soon"), "soon"),
        (("--bogus",), "No such option"),
        (("--from", "2026-11-20", "--to", "2026-11-19"), "--from is not before --to"),
        (("--logs", "nowhere"), "nowhere"),
    ],
    ids=["limit", "last", "option", "order", "folder"],
)
def test_what_is_wrong_is_named(kind: str, given: tuple[str, ...], told: str) -> None:
    result = CliRunner().invoke(main, ["security", "anomalies", kind, *given])
    assert result.exit_code != 0
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_a_kind_that_is_not_there_is_guessed() -> None:
    told = run("security", "anomalies", "auht", code=2).stderr
    assert "'auth'" in told


HOSTILE = "jo\x1b[2J\r\nOK: all is well\u202e"


def test_nothing_that_telemetry_says_moves_the_cursor(tmp_path: Path) -> None:
    """User, path and trace of a stranger's events; JSON says them as they are."""
    folder = tmp_path / "logs" / "security"
    folder.mkdir(parents=True)
    lines = [
        {
            "time_unix_nano": (START + each) * 1_000_000_000,
            "received_unix_nano": (START + each) * 1_000_000_000,
            "service": HOSTILE,
            "event": "auth.login",
            "outcome": "failure",
            "trace_id": HOSTILE,
            "attributes": {"user.id": HOSTILE, "client.address": HOSTILE, "event.reason": HOSTILE},
        }
        for each in range(20)
    ]
    path = folder / f"{iso(START)[:13]}.jsonl"
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    given = ("auth", "--logs", str(tmp_path / "logs"), "--from", iso(START), "--to", iso(END))
    shown = run("security", "anomalies", *given).stdout
    assert "20 failed logins as jo" in shown
    assert not {"\x1b", "\r", "\u202e"} & set(shown)
    assert not any(line.startswith("OK: all is well") for line in shown.splitlines())
    told = orjson.loads(run("security", "anomalies", *given, "--json").stdout)
    assert {one["key"]["user.id"] for one in told["episodes"] if "user.id" in one["key"]} == {HOSTILE}


def test_rules_of_security_are_tried_on_records(week: Week, tmp_path: Path) -> None:
    """By the code that runs live: what would have been told, and when."""
    path = tmp_path / "rules.yaml"
    named = "{security.guessing.address: {}, security.breach: {}}"
    path.write_text(f"processors: {{security: {{rules: {named}}}}}\n", encoding="utf-8")
    period = ("--logs", str(week.logs), "--from", iso(ATTACK - HOUR), "--to", iso(ATTACK + 3 * HOUR))
    lines = run("rules", "test", str(path), "--json", *period).stdout.splitlines()
    told = [one for one in map(orjson.loads, lines) if one["rule"] != "security.guessing.user"]  # a breach follows it
    assert [(one["rule"], one["status"], one["severity"], one["reason"]) for one in told] == [
        ("security.guessing.address", "firing", "high", "the condition holds"),
        ("security.guessing.address", "firing", "critical", "it got worse"),
        ("security.breach", "firing", "critical", "the condition holds"),
        ("security.guessing.address", "resolved", "critical", "it has ceased"),
        ("security.breach", "resolved", "critical", "it has ceased"),
    ]
    assert {one["key"]["client.address"] for one in told} == {ATTACKER}


def test_the_group_is_switched_off_in_the_file_and_on_again(tmp_path: Path) -> None:
    """As a diff first; the thresholds about security are of the group too."""
    _, path = configured(tmp_path, "    max_keys: 500   # a small machine\n")
    shown = run("rules", "enable", "security", "--disable", "--config", path)
    assert "security.breach" in shown.stdout
    assert "nothing was written" in shown.stderr
    run("rules", "enable", "security", "--disable", "--write", "--config", path)
    settings = load(Path(path)).configuration.processors
    assert {name for name, rule in settings.security.rules.items() if rule.enabled} == set()
    assert not settings.thresholds.rules["auth.failed_logins"].enabled
    assert "# a small machine" in Path(path).read_text(encoding="utf-8")
    run("rules", "enable", "security", "--write", "--config", path)
    settings = load(Path(path)).configuration.processors
    assert {name for name, rule in settings.security.rules.items() if rule.enabled} == set(DEFAULT_RULES)


def test_rules_are_listed_with_those_of_security(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a sidecar, without values."""
    monkeypatch.chdir(tmp_path)
    rows = orjson.loads(run("rules", "list", "--json").stdout)["rules"]
    assert {row["rule"] for row in rows} >= set(DEFAULT_RULES)
    assert {row["status"] for row in rows if row["rule"] in DEFAULT_RULES} == {"inactive"}


@pytest.mark.parametrize(
    ("security", "told"),
    [
        ("    rules: {security.breach: {within: 15}}\n", "15 has no unit"),
        ("    rules: {security.guessing.user: {count: 0}}\n", "greater than or equal to 1"),
        ("    rules: {mine: {by: [user.id], severity: low}}\n", "event"),
        ("    rules: {mine: {event: x, severity: urgent}}\n", "urgent"),
        ("    rules: {mine: {event: x, severity: low, by: []}}\n", "needs a label"),
        ("    rules: {mine: {event: x, severity: low, where: [nonsense]}}\n", "is not a matcher"),
        ("    allow: {addresses: [somewhere]}\n", "is no address or network"),
        ("    allow: {user_agents: ['(']}\n", "is no regular expression"),
        ("    max_keys: 0\n", "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_place(tmp_path: Path, security: str, told: str) -> None:
    _, path = configured(tmp_path, security)
    refused = run("rules", "check", path, code=1)
    assert told in refused.stderr
    assert refused.stderr.startswith(f"{path}:3:")


DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL))
def test_what_the_document_writes_is_a_configuration(tmp_path: Path, block: str) -> None:
    path = tmp_path / "otel-config.yaml"
    path.write_text(block, encoding="utf-8")
    assert run("rules", "check", str(path)).stdout.startswith(f"{path}: ok, ")


def test_the_document_lists_the_rules_with_their_severities_and_techniques() -> None:
    """As they are by default."""
    rows = re.findall(r"^\| `(security\.\S+)` \| [^|]+ \| ([a-z; ]+) \| (T[0-9.]+) \|$", DOCUMENT, re.MULTILINE)
    worse = {name: rule["worse"]["severity"] for name, rule in DEFAULT_RULES.items() if "worse" in rule}
    assert rows == [
        (name, "; ".join(filter(None, (rule["severity"], worse.get(name)))), rule["labels"]["mitre_attack_id"])
        for name, rule in DEFAULT_RULES.items()
    ]


def test_rules_that_a_file_names_are_tried_with_what_they_rest_on_and_nothing_else(week: Week, tmp_path: Path) -> None:
    """A breach follows guesses: their rules are judged too, and so they are told."""
    path = tmp_path / "rules.yaml"
    path.write_text("processors: {security: {rules: {security.breach: {severity: high}}}}")
    between = ("--logs", str(week.logs), "--from", iso(ATTACK), "--to", iso(ATTACK + HOUR))
    told = [orjson.loads(line) for line in run("rules", "test", str(path), "--json", *between).stdout.splitlines()]
    fired = {(one["rule"], one["severity"]) for one in told if one["status"] == "firing"}
    assert ("security.breach", "high") in fired
    assert {rule for rule, _ in fired} <= {"security.breach", "security.guessing.user", "security.guessing.address"}


def test_whatever_a_sender_calls_itself_it_can_be_allowed_and_nothing_else(tmp_path: Path) -> None:
    """What is shown is YAML, and goes into the configuration as it stands."""
    name = 'jo"], addresses: ["0.0.0.0/0'
    lines = [
        {
            "time_unix_nano": (START + number) * 10**9,
            "received_unix_nano": (START + number) * 10**9,
            "service": "app",
            "event": "auth.login",
            "outcome": "failure",
            "trace_id": "",
            "attributes": {"user.id": name},
        }
        for number in range(5)
    ]
    path = tmp_path / "security" / "2026-11-16T00.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    between = ("--from", iso(START), "--to", iso(END))
    told = run("security", "anomalies", "auth", "--json", "--logs", str(tmp_path), *between)
    (episode,) = orjson.loads(told.stdout)["episodes"]
    allow, rules = episode["allow"].split(", or ")
    assert yaml.safe_load(allow) == {"allow": {"users": [name]}}
    excepted = yaml.safe_load(rules)
    assert excepted == {"rules": {"security.guessing.user": {"except": [f"user.id = {name}"]}}}
    settings = SecuritySettings.model_validate({**yaml.safe_load(allow), **excepted})
    judging = SecurityJudging(settings, 120.0)
    for line in lines:
        judging.take(sighting_of_line(line))
    assert judging.alarms == []
