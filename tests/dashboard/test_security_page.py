"""Who tried to get in, as the records of the week tell it, and what is noticed of it on what evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alerting.alert import alert_id
from alerting.rule_note import note_of
from analysis.allowances import allowance
from analysis.attacks import attacks
from analysis.engine import Engine
from analysis.period import Period
from dashboard.rendering import NONE
from processors.judging_settings import JudgingSettings
from processors.security.settings import SecuritySettings
from tests.dashboard.opening import Opening, Shown
from tests.dashboard.standing import tell
from tests.support.incident import Incident, nano
from tests.support.stored import HOUR, store
from tests.support.week import ATTACK, ATTACKER, END, START, Week, iso

NANO = 1_000_000_000
NOW = HOUR + 1800 * NANO
DAY = {"from_": iso(START + 4 * 86_400), "to": iso(START + 5 * 86_400)}
"""Of the attack."""
HOSTILE = "<script>alert(1)</script>\"'\x00\u202e" + "x" * 100_000


@pytest.fixture(scope="module")
def shown(week: Week) -> Shown:
    with Opening(week.logs) as pages:
        return pages.shown("/security", **DAY)


@pytest.fixture(scope="module")
def evidence(week: Week) -> Shown:
    with Opening(week.logs) as pages:
        return pages.shown("/security/evidence", **DAY)


def table(shown: Shown, *heads: str) -> list[list[str]]:
    (found,) = [one[1:] for one in shown.tables if one[0][: len(heads)] == list(heads)]
    return found


def logins(week: Week) -> list[Any]:
    """Of that day: user, address, outcome."""
    start = START + 4 * 86_400
    return [
        (one.attributes["user.id"], one.attributes["client.address"], one.outcome)
        for one in week.events
        if one.name == "fossa.auth.login" and start <= one.at < start + 86_400
    ]


def test_the_attack_in_numbers(week: Week, shown: Shown) -> None:
    """Sixty failed logins and twelve refusals, beside what succeeded."""
    succeeded = sum(outcome == "success" for *_, outcome in logins(week))
    assert f"Failed logins 60 {succeeded} succeeded Refused by the rate limit 12 requests" in shown.text
    assert f"Attacks now {NONE} ○ not judged Noticed in this time 0 alerts of security" in shown.text
    chart = shown.charts["logins-chart"]
    assert [(line["name"], sum(line["values"])) for line in chart["series"]] == [
        ("succeeded", succeeded),
        ("failed", 60),
    ]
    part = (chart["times"][1] - chart["times"][0]) // 1000
    assert {index for index, value in enumerate(chart["series"][1]["values"]) if value} == {
        int(ATTACK + 10 * number - START - 4 * 86_400) // part for number in range(60)
    }


def test_failed_logins_by_user_and_by_address(week: Week, shown: Shown) -> None:
    """With how many succeeded, and from how many places or as how many users."""
    known = logins(week)
    failed = Counter(user for user, _, outcome in known if outcome == "failure")
    good = Counter(user for user, _, outcome in known if outcome == "success")
    users = table(shown, "user", "failed")
    assert {row[0]: row[1:4] for row in users} == {
        user: [str(failed[user]), str(good[user]), str(len({place for one, place, _ in known if one == user}))]
        for user in ("user-0", "user-1", "user-2")
    }
    assert table(shown, "address", "failed") == [[ATTACKER, "60", "1", "3", "2026-11-20 03:11:40"]]


def test_who_was_refused_by_the_rate_limit(shown: Shown) -> None:
    """By address, with what it mostly asked for."""
    assert table(shown, "address", "refused") == [["198.51.100.4", "12", "/api/v1/work-orders/", "2026-11-20 03:00:11"]]


def test_events_stand_with_the_latest_first(week: Week, shown: Shown) -> None:
    """What failed is marked; nothing is told that no app has told."""
    start = START + 4 * 86_400
    streams = {"fossa.auth.login", "fossa.rate_limit.exceeded"}
    known = sorted(
        (one for one in week.events if one.name in streams and start <= one.at < start + 86_400),
        key=lambda one: -one.at,
    )
    rows = table(shown, "time", "event")
    assert len(rows) == min(50, len(known))
    assert [row[1:5] for row in rows[:5]] == [
        [one.name, "success", one.attributes["user.id"], one.attributes["client.address"]] for one in known[:5]
    ]
    with Opening(week.logs) as pages:
        then = pages.shown("/security", from_=iso(ATTACK), to=iso(ATTACK + 60))
    assert ["2026-11-20 03:00:50", "fossa.auth.login", "▲ failure", "user-2", ATTACKER, ""] in table(
        then, "time", "event"
    )


def test_what_is_worth_a_look(shown: Shown) -> None:
    """Somebody got in after many failures."""
    assert ["login after many failures", ATTACKER, "60", "then in as user-1", "2026-11-20 03:11:40"] in table(
        shown, "what", "who"
    )


def test_a_quiet_time_says_what_tells_of_security(tmp_path: Path) -> None:
    """And a judge that is off is named."""
    judging = JudgingSettings.model_validate({"security": {"enabled": False}})
    with Opening(tmp_path, judging=judging) as pages:
        quiet = pages.shown("/security")
    assert "○ not judged processors.security.enabled is false: nobody judges this." in quiet.text
    assert "no login was told" in quiet.text
    assert 'No login was told in this time. An app tells of each with event("auth.login"' in quiet.text
    assert "The rate limit refused nobody." in quiet.text
    assert 'Nobody exported data. The app tells it with event("data.export", …).' in quiet.text
    assert "No event of security in this time." in quiet.text


def _alerted(folder: Path, *fired: tuple[str, str, float, float | None]) -> None:
    """Rule, severity, when it fired and when it ended."""
    known = JudgingSettings().known_rules()
    incident = Incident()
    incident._notes.update({name: note_of(one.description) for name, one in known.items()})
    moments = sorted(
        [(start, rule, severity) for rule, severity, start, _ in fired]
        + [(end, rule, "") for rule, _, _, end in fired if end is not None]
    )
    for at, rule, severity in moments:
        incident.until(at)
        if severity:
            incident.fire(rule, severity)
        else:
            incident.end(rule)
    tell(folder, incident.until(1500))


def test_alerts_of_security_on_a_timeline_by_technique(tmp_path: Path) -> None:
    """Each with its technique of MITRE ATT&CK; those of other things are not there."""
    _alerted(
        tmp_path,
        ("security.guessing.user", "medium", 300, 600),
        ("security.breach", "critical", 900, None),
        ("host.disk", "high", 300, None),
    )
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/security", last="1h")
        before = pages.shown("/security", from_="2026-11-23T12:00:00Z", to="2026-11-23T12:05:00Z")
    assert "Attacks now 1 ■ firing Noticed in this time 2 alerts of security" in shown.text
    assert "Now critical security.breach is bad since 12:15:10" in shown.text
    link = f"/alerts/{alert_id('security.breach', (('service.name', 'app'),))}"
    assert shown.links["security.breach is bad"] == f"{link}?last=1h"
    chart = shown.charts["techniques"]
    assert chart["rows"] == ["T1078 security.breach", "T1110.001 security.guessing.user"]
    spans = [(one["row"], one["start"] - nano(0) // 10**6, one["end"] - nano(0) // 10**6) for one in chart["items"]]
    assert sorted(spans) == [(0, 910_000, 1_800_000), (1, 310_000, 610_000)]
    assert [one["level"] for one in chart["items"]] == ["critical", "medium"]
    assert before.charts.keys() == {"logins-chart"}


def _event(event: str, outcome: str = "", **attributes: Any) -> dict[str, Any]:
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    return {"event": event, "outcome": outcome, "attributes": named, "trace_id": "ab" * 16}


def test_who_took_data_out(tmp_path: Path) -> None:
    """How often, by how many, the last ones with how much, and the trace of each."""
    exports = [
        _event("fossa.data.export", "success", user_id=user, export_records=records)
        for user, records in (("anna", 10), ("jo", 2000), ("anna", 30))
    ]
    store(tmp_path, "security", *exports)
    with Opening(tmp_path, NOW) as pages:
        shown = pages.shown("/security", last="1h")
    assert "fossa.data.export: 3 by 2 users" in shown.text
    assert "anna success 30 records trace" in shown.text
    assert shown.links["trace"] == f"/traces/{'ab' * 16}?last=1h"


def test_hostile_events_are_shown_as_text(tmp_path: Path) -> None:
    """Escaped and cut in every field, whatever its type; the evidence too."""
    odd: Sequence[Any] = (None, 17, True, ["a"], {"b": "<i>"}, HOSTILE)
    told = [
        {
            "event": event,
            "outcome": outcome,
            "attributes": {"user.id": value, "client.address": value, "url.path": value},
        }
        for event in ("fossa.auth.login", "fossa.rate_limit.exceeded", "fossa.data.export", HOSTILE)
        for outcome in ("failure", HOSTILE)
        for value in odd
    ]
    store(tmp_path, "security", *told, {"event": None, "outcome": None, "attributes": None}, {"event": 3})
    with Opening(tmp_path, NOW) as pages:
        pages_shown = [pages.shown(path, last="1h") for path in ("/security", "/security/evidence")]
    assert "<script>alert(1)</script>\"' xxx" in pages_shown[0].text
    for shown in pages_shown:
        assert "<script>alert" not in shown.html
        assert not {"\x00", "\u202e"} & set(shown.html)
        assert len(shown.html) < 150_000


def test_the_evidence_of_each_rule(week: Week, evidence: Shown) -> None:
    """The worst first, each with its technique, what it saw, and what would let it be."""
    period = Period((START + 4 * 86_400) * NANO, (START + 5 * 86_400) * NANO)
    known = attacks(Engine(week.logs, None), period, SecuritySettings(), 120.0)
    assert [one.rsplit(" 2026-", 1)[0] for one in evidence.opened] == [
        f"{one.severity} {one.summary}" for one in known.episodes
    ]
    for one in known.episodes:
        assert allowance(one) in evidence.text
    assert "rule security.guessing.address, MITRE ATT&CK T1110: >= 5 within 15min; >= 50 within 15min" in evidence.text
    assert f"2026-11-20 03:11:40 auth.login success user.id=user-1 client.address={ATTACKER}" in evidence.text
    assert f'below processors.security: allow: {{addresses: ["{ATTACKER}"]}}, or rules:' in evidence.text
    assert "60 in all" in evidence.text


def test_users_at_risk_come_with_their_reasons(evidence: Shown) -> None:
    """Who may have lost a password is the first."""
    told = evidence.text.partition("Users at risk ")[2]
    assert told.startswith(
        f"user-1 critical: user-1 got in from {ATTACKER} after 60 failed logins: somebody may know the password"
        " medium: 20 failed logins as user-1 user-0 medium: 20 failed logins as user-0 user-2"
    )


def test_what_is_allowed_is_no_evidence(week: Week) -> None:
    """The advice written into the configuration ends what it was given for."""
    allowed = JudgingSettings.model_validate({"security": {"allow": {"addresses": [ATTACKER]}}})
    with Opening(week.logs, judging=allowed) as pages:
        shown = pages.shown("/security/evidence", **DAY)
    assert ATTACKER not in "".join(shown.opened)


def test_a_long_time_is_not_judged_again(week: Week) -> None:
    """What to choose is said on both pages, and nothing is asked."""
    with Opening(week.logs) as pages:
        shown = pages.shown("/security", last="8days")
        again = pages.shown("/security/evidence", last="8days")
        assert pages.shown("/security", last="7days").links["Judge again"] == "/security/evidence?last=7days"
    assert "Choose at most 7 days above to see it." in shown.text
    assert "Judge again" not in shown.links
    assert "Choose at most 7 days: every event of the time is judged again." in again.text


def test_nothing_unusual_says_so(tmp_path: Path) -> None:
    """Where no event was recorded."""
    with Opening(tmp_path, END * NANO) as pages:
        shown = pages.shown("/security/evidence")
    assert "Nothing speaks for anybody being at risk." in shown.text
    assert "Nothing unusual." in shown.text
