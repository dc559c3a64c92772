"""Courses of alerts, second by second: who is told what, and who is not."""

from __future__ import annotations

import pytest

from tests.support.incident import NANO, Incident, nano


def test_a_critical_alert_is_told_at_once_and_its_end_too() -> None:
    """Without group_wait at the tick itself; the end with the group's next message."""
    incident = Incident().fire("down", "critical").until(100)
    assert incident.take_told() == ["10 mail firing critical down", "10 phone firing critical down"]
    incident.end("down").until(200)
    assert incident.take_told() == ["110 mail resolved critical down-", "110 phone resolved critical down-"]
    assert incident.decisions("down") == ["firing", "notified", "repeated too soon", "resolved", "notified", "notified"]


def test_alerts_of_a_group_wait_for_each_other() -> None:
    """30 s from the first, then one message; a later one waits for the group's interval."""
    incident = Incident().fire("slow", of="app").until(20)
    incident.severities["slow", "app"] = "high"
    incident.until(400)
    assert incident.told == ["40 mail firing high slow"]
    assert incident.decisions("slow")[:3] == ["firing", "grouped", "notified"]


def test_one_message_for_all_keys_of_a_group() -> None:
    """The default groups by rule and service; here by rule alone."""
    routes = {"all": {"receivers": ["mail"], "group_by": ["alertname"]}}
    incident = Incident(routes=routes).fire("disk", of="a").until(15).fire("disk", of="b").until(50)
    assert incident.take_told() == ["40 mail firing high disk/a disk/b"]
    incident.fire("disk", of="c").until(400)
    assert incident.take_told() == ["340 mail firing high disk/a disk/b disk/c"]


def test_low_ones_are_gathered_into_one_message_at_most_every_four_hours() -> None:
    """Also when the group was empty in between."""
    incident = Incident().fire("slow", "low").fire("disk", "low").until(100)
    assert incident.take_told() == ["40 mail firing low disk slow"]
    incident.end("slow").end("disk").until(200).fire("errors", "low").until(4 * 3600 + 100)
    assert incident.take_told() == ["14440 mail firing low errors disk- slow-"]
    incident.end("errors").until(4 * 3600 + 200).fire("disk", "low").until(8 * 3600 + 100)
    assert incident.take_told() == ["28840 mail firing low disk errors-"]


def test_a_rise_of_severity_is_told_at_once_and_a_fall_silently() -> None:
    """One resolved at the end, to everybody who was told, once."""
    incident = Incident().fire("errors", "medium").until(100)
    assert incident.take_told() == ["40 mail firing medium errors"]
    incident.fire("errors", "critical").until(200)
    assert incident.take_told() == ["110 mail firing critical errors", "110 phone firing critical errors"]
    incident.fire("errors", "medium").until(2000)
    assert incident.take_told() == []
    incident.fire("errors", "critical").until(2200)
    assert incident.take_told() == []
    incident.fire("errors", "high").until(2300)
    incident.end("errors").until(3000)
    assert incident.take_told() == ["2310 mail resolved high errors-", "2310 phone resolved high errors-"]


def test_what_goes_on_is_repeated() -> None:
    """Critical every hour, others every four."""
    incident = Incident().fire("down", "critical").fire("slow", "high").until(4 * 3600 + 100)
    assert [line for line in incident.told if "mail" in line and "slow" in line] == [
        "40 mail firing high slow",
        "14440 mail firing high slow",
    ]
    assert [line for line in incident.told if "phone" in line] == [
        f"{10 + 3600 * hour} phone firing critical down" for hour in range(5)
    ]


def test_an_acknowledged_alert_is_not_repeated_but_a_rise_and_its_end_are_told() -> None:
    """Who acknowledged sees to it; worse than that is news."""
    incident = Incident().fire("errors", "high").until(100)
    incident.take_told()
    (alert,) = incident.dispatcher.lifecycle.alerts.values()
    assert incident.dispatcher.acknowledge(alert.id, "anna", "looking", nano(100))
    incident.until(5 * 3600)
    assert incident.take_told() == []
    assert incident.reasons("acknowledged") == ["by anna: looking", "by anna"]
    incident.fire("errors", "critical").until(5 * 3600 + 100)
    assert incident.take_told() == ["18010 mail firing critical errors", "18010 phone firing critical errors"]
    incident.end("errors").until(6 * 3600)
    assert [line.split(" ", 1)[1] for line in incident.take_told()] == [
        "mail resolved critical errors-",
        "phone resolved critical errors-",
    ]
    assert not incident.dispatcher.acknowledge(alert.id, "anna", "", nano(6 * 3600))


def test_who_begins_again_before_its_end_was_told_has_not_ended() -> None:
    """As in Alertmanager: the group's interval takes short breaks out."""
    incident = Incident().fire("slow").until(100)
    incident.take_told()
    incident.end("slow").until(120).fire("slow").until(1000)
    assert incident.take_told() == []
    incident.end("slow").until(1300)
    assert incident.take_told() == ["1010 mail resolved high slow-"]


def test_what_ends_before_anybody_was_told_is_not_told() -> None:
    """But written down."""
    incident = Incident().fire("slow").until(20).end("slow").until(1000)
    assert incident.told == []
    assert incident.reasons("not told") == ["it ended before anybody was told"]


def test_pending_without_data_is_inactive() -> None:
    """Nothing is told of what was never sure."""
    incident = Incident().pend("slow").until(20)
    assert [alert.status for alert in incident.dispatcher.lifecycle.alerts.values()] == ["pending"]
    del incident.severities["slow", "app"]
    incident.until(60)
    assert incident.decisions("slow") == ["pending", "inactive"]


def test_firing_without_data_is_stale_and_ends_after_half_an_hour() -> None:
    """Whether its evaluation has no value or is gone altogether."""
    incident = Incident().fire("down", "critical").fire("slow").until(100)
    incident.take_told()
    incident.lose("slow")
    del incident.severities["down", "app"]
    incident.until(120)
    assert {alert.stale_since for alert in incident.dispatcher.lifecycle.alerts.values()} == {nano(110)}
    incident.end("slow").until(121)
    incident.fire("slow").lose("slow").until(1900)
    assert [line for line in incident.take_told() if "down" in line] == []
    incident.until(2000)
    assert "1910 phone resolved critical down-" in incident.take_told()
    assert incident.reasons("resolved")[-1] == "no_data"


def test_values_that_come_again_end_the_staleness() -> None:
    """It goes on as if nothing had been."""
    incident = Incident().fire("slow").until(100).lose("slow").until(300).find("slow").until(3000)
    assert incident.decisions("slow") == ["firing", "grouped", "notified", "stale", "fresh", "repeated too soon"]
    assert incident.told == ["40 mail firing high slow"]


def test_an_alert_whose_rule_is_gone_ends() -> None:
    """A reload without the rule."""
    incident = Incident().fire("slow").until(100)
    incident.dispatcher.lifecycle._notes = {}
    del incident.severities["slow", "app"]
    incident.until(500)
    assert incident.reasons("resolved") == ["its rule is gone"]


def test_flapping_is_told_once_and_then_quiet_until_it_is_stable() -> None:
    """Six beginnings and ends within an hour; half an hour of rest ends it."""
    incident = Incident()
    for minute in range(0, 30, 2):
        incident.fire("down", "critical").until(minute * 60 + 60).end("down").until(minute * 60 + 120)
    lines = [line for line in incident.take_told() if "phone" in line]
    assert lines == [
        "10 phone firing critical down",
        "70 phone resolved critical down-",
        "130 phone firing critical down",
        "190 phone resolved critical down-",
        "250 phone firing critical down",
        "370 phone flapping critical down",
    ]
    incident.until(5000)
    assert [line for line in incident.take_told() if "phone" in line] == ["3550 phone resolved critical down-"]


def test_what_gets_worse_while_it_flaps_is_told() -> None:
    """Quiet is for what is known."""
    incident = Incident()
    for minute in range(0, 10, 2):
        incident.fire("slow").until(minute * 60 + 60).end("slow").until(minute * 60 + 120)
    incident.fire("slow").until(700)
    incident.take_told()
    incident.fire("slow", "critical").until(800)
    assert incident.take_told() == ["710 mail firing critical slow", "710 phone firing critical slow"]


def test_flapping_that_settles_on_firing_is_told_again() -> None:
    """It is news that it stays."""
    incident = Incident()
    for minute in range(0, 10, 2):
        incident.fire("down", "critical").until(minute * 60 + 60).end("down").until(minute * 60 + 120)
    incident.fire("down", "critical").until(605)
    incident.take_told()
    incident.until(3000)
    assert [line for line in incident.take_told() if "phone" in line] == ["2410 phone firing critical down"]
    assert incident.notifications[-1].reason == "it has not changed for a while and still fires"


def test_a_source_inhibits_its_targets() -> None:
    """The backend's absence silences what follows from it; whoever is still bad afterwards is told."""
    rules = [
        {
            "source_matchers": ["alertname = absent"],
            "target_matchers": ["alertname != absent"],
            "equal": ["service.name"],
        }
    ]
    incident = Incident(inhibit_rules=rules)
    incident.fire("absent", "critical").fire("down", "critical").fire("slow").fire("slow", of="other").until(400)
    told = [line for line in incident.take_told() if "mail" in line]
    assert told == ["10 mail firing critical absent", "40 mail firing high slow/other"]
    (reason,) = set(incident.reasons("inhibited"))
    assert reason.endswith("absent {service.name=app}")
    incident.end("absent").end("down").until(1000)
    assert [line for line in incident.take_told() if "slow" in line] == ["640 mail firing high slow"]


def test_a_silence_keeps_quiet_and_its_end_tells_what_still_fires() -> None:
    """Also of what was told before; what ended meanwhile is told as ended."""
    incident = Incident().fire("slow").fire("disk").until(100)
    incident.take_told()
    incident.silence("s1", 1000, "service.name = app").fire("errors").end("disk").until(999)
    assert incident.take_told() == ["340 mail resolved high disk-"]
    assert incident.reasons("silenced")[0] == "by silence s1 of anna: works"
    incident.until(1100)
    assert incident.take_told() == ["1000 mail firing high slow", "1000 mail firing high errors"]
    assert incident.notifications[-1].reason == "silence s1 has ended and it still fires"


def test_a_silence_that_is_ended_early_ends_then() -> None:
    """Whoever ends it is told at once what still fires."""
    incident = Incident().silence("s1", 5000, "alertname = slow").fire("slow").until(200)
    assert incident.told == []
    incident.silence("s1", 205, "alertname = slow").until(210)
    assert incident.told == ["205 mail firing high slow"]


def test_maintenance_quietens_all_but_critical_security() -> None:
    """And the emergency mute everything, ends too."""
    labels = {"logins": {"category": "security"}}
    incident = Incident(labels=labels).silence("m", 5000, kind="maintenance")
    incident.fire("down", "critical").fire("logins", "critical").fire("slow").until(100)
    assert [line for line in incident.take_told() if "mail" in line] == ["10 mail firing critical logins"]
    incident.silence("e", 1000, kind="emergency").end("logins").until(999)
    assert incident.take_told() == []
    incident.until(1100)
    assert sorted(line.split(" ", 1)[1] for line in incident.take_told() if "mail" in line) == [
        "mail firing critical down",
        "mail firing high slow",
    ]


def test_the_sixth_of_the_same_alert_is_held_back() -> None:
    """Five in 300 s; rises of severity count as notices of the same alert."""
    routes = {"all": {"receivers": ["phone"], "group_wait": "0s", "group_interval": "10s", "repeat_interval": "20s"}}
    incident = Incident(routes=routes).fire("down", "critical").until(300)
    assert incident.take_told() == [
        *[f"{10 + 20 * number} phone firing critical down" for number in range(5)],
        "110 phone digest critical down",
    ]
    incident.until(420)
    assert incident.take_told() == [
        "310 phone firing critical down",
        "330 phone firing critical down",
        "350 phone firing critical down",
        "370 phone firing critical down",
        "390 phone firing critical down",
        "410 phone digest critical down",
    ]


def test_the_twenty_first_notice_is_held_back_and_summed_up() -> None:
    """Twenty in 600 s; a critical one of a rule that had none still goes out."""
    incident = Incident()
    for number in range(25):
        incident.fire(f"rule{number:02}".replace("rule0", "rule"), "high")
    incident.until(60)
    told = incident.take_told()
    assert len([line for line in told if "firing" in line]) == 20
    (digest,) = [one for one in incident.notifications if one.kind == "digest"]
    assert [alert.rule for alert in digest.alerts] == ["rule20", "rule21", "rule22", "rule23", "rule24"]
    assert (
        digest.reason == "more than 20 in 10min notices in all: further ones are held back for 10min and then summed up"
    )
    incident.fire("down", "critical").fire("disk", "high").until(200)
    assert incident.take_told() == ["70 mail firing critical down", "70 phone firing critical down"]
    incident.fire("down", "critical", of="other").until(300)
    assert incident.take_told() == []
    incident.until(700)
    assert [line for line in incident.take_told() if "digest" in line] == [
        "640 mail digest critical down/other rule20 rule21 rule22 rule23 rule24 disk",
        "640 phone digest critical down/other rule20 rule21 rule22 rule23 rule24 disk",
    ]
    assert "capped" in incident.decisions("rule20")


def test_unacknowledged_alerts_go_to_the_next_level() -> None:
    """Critical after 5 minutes each; with one level nothing escalates."""
    levels = {"critical": {"after": "5min", "levels": [["phone"], ["boss"]]}}
    routes = {"critical": {"receivers": ["mail"], "group_wait": "0s", "repeat_interval": "1h"}}
    incident = Incident(escalation=levels, routes=routes).fire("down", "critical").until(1000)
    assert incident.take_told() == [
        "10 mail firing critical down",
        "310 phone escalation critical down",
        "610 boss escalation critical down",
    ]
    incident.end("down").until(1400)
    assert incident.take_told() == [
        "1010 mail resolved critical down-",
        "1010 phone resolved critical down-",
        "1010 boss resolved critical down-",
    ]
    alone = Incident().fire("down", "critical").until(3000)
    assert {line.split()[2] for line in alone.told} == {"firing"}


def test_an_acknowledged_alert_does_not_escalate() -> None:
    """Nor does one that is low."""
    levels = {"critical": {"after": "5min", "levels": [["boss"]]}}
    incident = Incident(escalation=levels).fire("down", "critical").fire("disk", "low").until(100)
    (down,) = [alert for alert in incident.dispatcher.lifecycle.alerts.values() if alert.rule == "down"]
    incident.dispatcher.acknowledge(down.id, "anna", "", nano(100))
    incident.until(3000)
    assert [line for line in incident.told if "boss" in line] == []


def test_a_clock_that_steps_back_an_hour_delays_nothing() -> None:
    """What waits 30 s still waits 30 s, what repeats in an hour repeats in an hour."""
    incident = Incident().fire("slow").fire("down", "critical").until(15)
    incident.now -= 3600
    incident.until(-3500)
    assert [line for line in incident.told if "slow" in line] == ["-3559 mail firing high slow"]
    incident.until(300)
    assert [line for line in incident.told if "phone" in line] == [
        "10 phone firing critical down",
        "11 phone firing critical down",
    ]


def test_a_receiver_that_is_not_configured_is_said_and_costs_the_others_nothing() -> None:
    """The reason names what it lacks."""
    incident = Incident({"phone": "alerting.receivers.phone.url is empty"}).fire("down", "critical").until(20)
    assert incident.told == ["10 mail firing critical down"]
    assert incident.reasons("not configured") == ["phone: alerting.receivers.phone.url is empty"]
    incident.end("down").until(200)
    assert incident.told[1:] == ["70 mail resolved critical down-"]
    assert len(incident.reasons("not configured")) == 1


def test_what_nobody_could_be_told_is_told_once_somebody_can() -> None:
    """Who sets his mail up while something fires hears of it; until then nothing says that it was told."""
    problems = {"mail": "SMTP_HOST is not set"}
    incident = Incident(problems).fire("slow").until(1000)
    assert incident.told == []
    assert incident.decisions("slow") == ["firing", "grouped", "not configured"]
    problems.clear()
    incident.until(1300)
    assert incident.told == ["1240 mail firing high slow"]
    assert incident.reasons("notified") == ["nobody could be told of it before"]


def test_an_alert_that_no_route_takes_is_said() -> None:
    """It is an alert all the same."""
    routes = {"critical": {"matchers": ["severity = critical"], "receivers": ["mail"]}}
    incident = Incident(routes=routes).fire("slow", "high").until(100)
    assert incident.told == []
    assert incident.reasons("no route") == ["no route matches it"]


def test_routes_that_continue_tell_several() -> None:
    """Each by its own times."""
    routes = {
        "archive": {"receivers": ["boss"], "group_wait": "0s", "continue": True},
        "rest": {"receivers": ["mail"]},
    }
    incident = Incident(routes=routes).fire("slow").until(100).end("slow").until(500)
    assert incident.told == [
        "10 boss firing high slow",
        "40 mail firing high slow",
        "310 boss resolved high slow-",
        "340 mail resolved high slow-",
    ]


@pytest.mark.parametrize("again", [1, 3])
def test_ticks_that_are_judged_again_change_nothing(again: int) -> None:
    """After a crash judging repeats what it had not saved."""
    incident = Incident().fire("down", "critical").until(30)
    before = len(incident.dispatcher.journal.entries)
    for number in range(again):
        incident.dispatcher.take(nano(20 - 10 * number), [], [])
    incident.look()
    assert len(incident.dispatcher.journal.entries) == before
    assert NANO == 1_000_000_000


def test_what_is_on_both_sides_of_an_inhibition_is_not_quiet() -> None:
    """Two of a kind must not silence each other."""
    rules = [{"source_matchers": ["severity = critical"], "target_matchers": ["alertname =~ .*"]}]
    incident = Incident(inhibit_rules=rules).fire("down", "critical").fire("absent", "critical").fire("slow").until(100)
    assert sorted(line for line in incident.told if "phone" in line) == [
        "10 phone firing critical absent",
        "10 phone firing critical down",
    ]
    assert [line for line in incident.told if "slow" in line] == []


def test_a_clock_that_steps_back_holds_neither_caps_nor_retries_up() -> None:
    """A storm of five minutes is over in five minutes, and what is tried again in 5 s is tried in 5 s."""
    routes = {"all": {"receivers": ["phone"], "group_wait": "0s", "group_interval": "10s", "repeat_interval": "20s"}}
    incident = Incident(routes=routes).fire("down", "critical").until(115)
    assert incident.take_told()[-1] == "110 phone digest critical down"
    incident.now -= 3600
    incident.until(-3600 + 320)
    assert next(line for line in incident.take_told() if "firing" in line) == "-3289 phone firing critical down"
    waiting = Incident().fire("down", "critical")
    waiting.now = 10
    waiting.tick()
    waiting.dispatcher.advance(nano(10))
    outbox = waiting.dispatcher.outbox
    job = outbox.next_job("phone", nano(10))
    assert job is not None
    number = job.queued.notification.id
    outbox.refused(number, "no", nano(10), permanent=False, retry_after=None, jitter=0.0)
    waiting.dispatcher.advance(nano(-3590))
    assert outbox.next_job("phone", nano(-3586)) is None
    assert outbox.next_job("phone", nano(-3585)) is not None


@pytest.mark.parametrize("resolved", [True, False])
def test_whoever_wants_no_ends_gets_none(resolved: bool) -> None:  # noqa: FBT001  # the case
    """It is written down that there was one."""
    receivers = {"mail": {"webhook": {"url": "http://127.0.0.1:9/"}, "send_resolved": resolved}}
    routes = {"all": {"receivers": ["mail"], "group_wait": "0s"}}
    incident = Incident(receivers=receivers, routes=routes).fire("down").until(20).end("down").until(600)
    assert len(incident.told) == (2 if resolved else 1)
    assert incident.reasons("not told") == ([] if resolved else ["mail: send_resolved is off"])


def test_a_rise_begins_escalation_anew() -> None:
    """Whoever had been told of the lesser alert is told that it is worse; the next level again after its time."""
    levels = {name: {"after": "5min", "levels": [["boss"]]} for name in ("critical", "high")}
    incident = Incident(escalation=levels).fire("slow").until(400)
    assert [line for line in incident.take_told() if "boss" in line] == ["340 boss escalation high slow"]
    incident.fire("slow", "critical").until(800)
    assert [line for line in incident.take_told() if "boss" in line] == [
        "410 boss firing critical slow",
        "710 boss escalation critical slow",
    ]


def test_judging_that_lost_its_state_ends_no_alert() -> None:
    """It begins with pending again: the condition never ceased."""
    incident = Incident().fire("slow").until(100)
    incident.take_told()
    incident.pend("slow").until(200).fire("slow").until(600)
    assert incident.take_told() == []
    assert "resolved" not in incident.decisions("slow")
