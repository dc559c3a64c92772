"""The notifier with real channels: what it tells, what it keeps, and what cannot stop it."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from alerting import records
from alerting.silence import Silence
from collector import notifier as notifier_module
from tests.conftest import ROOT
from tests.support.notifications import Answer, Asked, answering
from tests.support.notifying import NANO, Notifying, evaluation, settings_of, wait
from tests.support.pushover import TOKEN, USER, PushoverCloud
from tests.support.smtp import Mailbox, smtp_server


def _mail(port: int, **given: Any) -> dict[str, Any]:
    smtp = {"host": "localhost", "port": port, "security": "none", "sender": "forecourt@example.com"}
    return {"smtp": {**smtp, **given}, "receivers": {"mail": {"email": {"to": "ops@example.com"}}}}


def _pushover(url: str) -> dict[str, Any]:
    return {"receivers": {"phone": {"pushover": {"token": TOKEN, "user": USER, "url": url}}}}


def test_a_firing_alert_is_mailed_and_its_end_too(tmp_path: Path) -> None:
    """By a real server, with each step written down."""
    mailbox = Mailbox()
    with smtp_server(mailbox) as port, Notifying(tmp_path, settings_of(**_mail(port))) as running:
        running.judge(evaluation())
        wait(lambda: mailbox.mails)
        running.judge(evaluation(severity=""))
        wait(lambda: len(mailbox.mails) == 2)
        wait(lambda: running.outcomes().count("sent") == 2)
    assert mailbox.subjects() == ["[CRITICAL] down is bad (app)", "[resolved] down is bad (app)"]
    assert sorted(running.outcomes()) == ["firing", "notified", "notified", "resolved", "sent", "sent"]


def test_what_was_told_is_known_after_a_restart(tmp_path: Path) -> None:
    """It is not told again; its end is."""
    mailbox = Mailbox()
    with smtp_server(mailbox) as port:
        settings = settings_of(**_mail(port))
        with Notifying(tmp_path, settings) as first:
            first.judge(evaluation())
            wait(lambda: first.outcomes().count("sent") == 1)
        with Notifying(tmp_path, settings) as second:
            for _ in range(5):
                second.judge(evaluation())
            second.judge(evaluation(severity=""))
            wait(lambda: len(mailbox.mails) == 2)
    assert mailbox.subjects() == ["[CRITICAL] down is bad (app)", "[resolved] down is bad (app)"]


def test_what_no_channel_took_is_sent_by_the_next_run(tmp_path: Path) -> None:
    """The queue is on disk."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = taken.getsockname()[1]
        with Notifying(tmp_path, settings_of(**_mail(closed))) as first:
            first.judge(evaluation())
            wait(lambda: "retrying" in first.outcomes())
    mailbox = Mailbox()
    with smtp_server(mailbox) as port, Notifying(tmp_path, settings_of(**_mail(port))) as second:
        second.slept_nano = 60 * NANO
        wait(lambda: mailbox.mails)
    assert mailbox.subjects() == ["[CRITICAL] down is bad (app)"]


def test_a_channel_that_hangs_delays_no_other(tmp_path: Path) -> None:
    """From evaluation to mail it takes less than a second, and the end waits no longer than a moment."""
    mailbox = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as silent, smtp_server(mailbox) as port:
        given = _mail(port)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        given["receivers"]["hook"] = {"webhook": {"url": url, "timeout": "30s"}}
        with Notifying(tmp_path, settings_of(**given)) as running:
            taken = []
            for number in range(9):
                began = time.monotonic()
                running.judge(*[evaluation(of=f"app{one}") for one in range(number + 1)])
                wait(lambda number=number: len(mailbox.mails) == number + 1)
                taken.append(time.monotonic() - began)
            assert statistics.median(taken) < 1.0
            ending = time.monotonic()
    assert time.monotonic() - ending < 10.0


@pytest.mark.parametrize("before_the_answer", [True, False])
def test_a_kill_between_acceptance_and_log_costs_one_duplicate(tmp_path: Path, *, before_the_answer: bool) -> None:
    """At least once, at most twice; the journal says sent once it is sure."""
    taken: list[int] = []
    processes: list[subprocess.Popen[bytes]] = []

    def answer(asked: Asked) -> Answer:
        taken.append(asked.json["notification"])
        if len(taken) == 1:
            if before_the_answer:
                os.kill(processes[0].pid, signal.SIGKILL)
            else:
                threading.Timer(0.001, os.kill, (processes[0].pid, signal.SIGKILL)).start()
        return 200, {}, b"ok"

    with answering(answer) as url:
        given = json.dumps({"receivers": {"hook": {"webhook": {"url": url}}}})
        command = [sys.executable, "-m", "tests.support.notifying", str(tmp_path), given]
        processes.append(subprocess.Popen(command, cwd=ROOT))
        processes[0].wait(30)
        processes.append(subprocess.Popen(command, cwd=ROOT))
        running = Notifying(tmp_path, settings_of(receivers={"hook": {"webhook": {"url": url}}}))
        wait(lambda: "sent" in running.outcomes())
        time.sleep(0.5)  # for a third that must not come
        processes[1].kill()
        processes[1].wait(30)
    assert taken[0] == 1
    assert taken in ([1, 1], [1])
    assert running.outcomes().count("sent") == 1


def test_a_full_disk_keeps_nobody_from_hearing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be saved is saved when there is room again."""
    mailbox = Mailbox()
    real = records.save
    full = threading.Event()

    def save(dispatcher: Any, state: Any) -> None:
        state.rows(f"PRAGMA max_page_count = {1 if full.is_set() else 2**30}")  # never less than there are
        real(dispatcher, state)

    monkeypatch.setattr(notifier_module.records, "save", save)
    with smtp_server(mailbox) as port, Notifying(tmp_path, settings_of(**_mail(port))) as running:
        full.set()
        with pytest.raises(notifier_module.StateError, match="database or disk is full"):
            running.judge(evaluation("disk", summary="x" * 100_000))
        wait(lambda: mailbox.mails)
        assert running.outcomes() == []
        full.clear()
        wait(lambda: running.outcomes()[:3] == ["firing", "notified", "sent"])
    assert len(mailbox.mails) == 1


def test_a_clock_that_steps_back_delays_nothing(tmp_path: Path) -> None:
    """An hour, in the middle of waiting for the group."""
    mailbox = Mailbox()
    with smtp_server(mailbox) as port:
        given = _mail(port)
        given["routes"] = {"all": {"receivers": ["mail"], "group_wait": "2s"}}
        with Notifying(tmp_path, settings_of(**given)) as running:
            running.judge(evaluation())
            running.slept_nano = -3600 * NANO
            began = time.monotonic()
            wait(lambda: mailbox.mails)
    assert time.monotonic() - began < 15.0
    assert "clock stepped back" in running.outcomes()


def test_an_emergency_rings_until_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then its receipt is cancelled."""
    monkeypatch.setattr("alerting.outbox._POLL_NANO", NANO // 10)
    cloud = PushoverCloud()
    with answering(cloud) as url, Notifying(tmp_path, settings_of(**_pushover(url))) as running:
        running.judge(evaluation())
        wait(lambda: cloud.looks > 2)
        assert cloud.cancelled == []
        running.judge(evaluation(severity=""))
        wait(lambda: cloud.cancelled)
        wait(lambda: "cancelled" in running.outcomes())
        looks = cloud.looks
        wait(lambda: len(cloud.messages) == 2)
        assert cloud.looks <= looks + 1
    assert [one["priority"] for one in cloud.messages] == ["2", "0"]


def test_acknowledging_on_the_phone_acknowledges_the_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It escalates and repeats no more; also over a restart."""
    monkeypatch.setattr("alerting.outbox._POLL_NANO", NANO // 10)
    cloud = PushoverCloud()
    with answering(cloud) as url:
        settings = settings_of(**_pushover(url))
        with Notifying(tmp_path, settings) as first:
            first.judge(evaluation())
            wait(lambda: "sent" in first.outcomes())
        cloud.acknowledged_by = "annas-phone"
        with Notifying(tmp_path, settings) as second:
            wait(lambda: "acknowledged" in second.outcomes())
            second.slept_nano = 2 * 3600 * NANO
            second.judge(evaluation())
            wait(lambda: second.rows("SELECT count(*) FROM alert_journal WHERE outcome = 'acknowledged'")[0][0] == 2)
    assert len(cloud.messages) == 1
    reasons = second.rows("SELECT reason FROM alert_journal WHERE outcome = 'acknowledged' ORDER BY id")
    assert [reason for (reason,) in reasons] == ["by Pushover (annas-phone)", "by Pushover (annas-phone)"]


def test_acknowledging_at_the_command_line_stops_the_phone(tmp_path: Path) -> None:
    """At the next look, a second later; far from its next ring."""
    cloud = PushoverCloud()
    with answering(cloud) as url, Notifying(tmp_path, settings_of(**_pushover(url))) as running:
        running.judge(evaluation())
        wait(lambda: "sent" in running.outcomes())
        (alert,) = running.notifier.dispatcher.lifecycle.alerts.values()
        state = running.state()
        records.save_acknowledgement(state, alert.id, "anna", "looking", time.time_ns())
        began = time.monotonic()
        wait(lambda: cloud.cancelled)
        assert time.monotonic() - began < 10.0
        wait(lambda: records.acknowledgements(state) == [])
        state.close()


def test_a_silence_of_another_process_is_heard(tmp_path: Path) -> None:
    """And its early end tells what still fires."""
    mailbox = Mailbox()
    with smtp_server(mailbox) as port, Notifying(tmp_path, settings_of(**_mail(port))) as running:
        now = time.time_ns()
        silence = Silence("s1", "silence", ("alertname = down",), "anna", "works", now, now + 3600 * NANO)
        state = running.state()
        records.save_silence(state, silence)
        wait(lambda: running.notifier.dispatcher.silences.active == ["s1"])
        running.judge(evaluation(), evaluation("slow"))
        wait(lambda: "sent" in running.outcomes())
        assert mailbox.subjects() == ["[CRITICAL] slow is bad (app)"]
        records.save_silence(state, silence.ended(time.time_ns()))
        wait(lambda: len(mailbox.mails) == 2)
        state.close()
    assert mailbox.subjects()[1] == "[CRITICAL] down is bad (app)"


def test_a_test_gets_each_channels_real_answer(tmp_path: Path) -> None:
    """Also of one that fails, at once, and of one that is not configured."""
    mailbox = Mailbox()
    mailbox.refused = {"ops@example.com": "450 greylisted"}
    with smtp_server(mailbox) as port, answering(PushoverCloud()) as url:
        given = _mail(port)
        given["receivers"] |= _pushover(url)["receivers"] | {"hook": {"webhook": {"url": ""}}}
        with Notifying(tmp_path, settings_of(**given)) as running:
            state = running.state()
            number = records.ask(state, "test", {"rules": ""}, time.time_ns())
            answer = wait(lambda: records.answered(state, number))
            sent = records.ask(state, "send", {"channel": "phone", "severity": "low", "message": "hi"}, time.time_ns())
            wait(lambda: records.answered(state, sent))
            state.close()
    assert answer == [
        {
            "receiver": "mail",
            "route": "all",
            "ok": False,
            "answer": "failed: refused: ops@example.com (450 greylisted)",
        },
        {"receiver": "phone", "route": "all", "ok": True, "answer": "sent: accepted, 7495 messages left this month"},
        {"receiver": "hook", "route": "all", "ok": False, "answer": "not configured: its url is empty"},
    ]
    assert running.rows("SELECT count(*) FROM notifications WHERE status = 'queued'") == [(0,)]


@pytest.mark.untraced
def test_ten_thousand_alerts_in_a_minute_are_one_message_and_a_digest_each(tmp_path: Path) -> None:
    """Whoever reads the mail is not drowned, nothing is lost, and judging is not held up."""
    mailbox = Mailbox()
    with smtp_server(mailbox) as port:
        given = _mail(port)
        given["storm"] = {"total_alerts": {"max_count": 20, "time_window": "600s"}}
        with Notifying(tmp_path, settings_of(**given)) as running:
            alerts = [evaluation(of=f"app{number}") for number in range(10_000)]
            for tick in range(1, 7):
                running.judge(*alerts[: tick * 1667])
            wait(lambda: len(mailbox.mails) == 21, 60)
            wait(lambda: running.outcomes().count("sent") == 21)
    kinds = [subject.split("]")[1][:20] for subject in mailbox.subjects()]
    assert sum("held back" in subject for subject in mailbox.subjects()) == 1
    assert len(kinds) == 21
    assert running.rows("SELECT count(*) FROM alerts WHERE known = 1") == [(10_000,)]


def test_a_receiver_that_is_gone_leaves_nothing_waiting(tmp_path: Path) -> None:
    """And it is written down."""
    with Notifying(tmp_path, settings_of(**_mail(9))) as first:
        first.judge(evaluation())
        wait(lambda: "retrying" in first.outcomes())
    with answering(PushoverCloud()) as url, Notifying(tmp_path, settings_of(**_pushover(url))) as second:
        wait(lambda: "failed permanently" in second.outcomes())
    assert second.rows("SELECT answer, status FROM notifications WHERE receiver = 'mail'")[0][1] == "failed"


def test_an_end_by_a_fault_is_said_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Judging goes on."""
    with Notifying(tmp_path, settings_of(**_mail(9))) as running:
        monkeypatch.setattr(running.notifier.dispatcher, "advance", lambda _now: 1 / 0)
        wait(lambda: running.notifier.failed)
        running.judge(evaluation())
    assert "alerting has stopped: nobody is told of anything until a restart" in caplog.text


def test_alerting_that_does_not_keep_up_stops_no_judging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tick says how things stand: old ones are let go, told as not safe, and nobody waits for ever."""
    monkeypatch.setattr(notifier_module, "_WAITING_TICKS", 3)
    monkeypatch.setattr(notifier_module, "_MOST_TICKS", 6)
    monkeypatch.setattr(notifier_module, "_LOOK_SECONDS", 0.05)
    held = threading.Event()
    with Notifying(tmp_path, settings_of(**_mail(9))) as running:
        save = records.save
        monkeypatch.setattr(notifier_module.records, "save", lambda *given: (held.wait(20), save(*given)))
        ticks = [running.notifier.evaluated(time.time_ns(), [evaluation()], []) for _ in range(12)]
        held.set()
        ticks[-1].result(20)
    assert any(tick.exception() for tick in ticks)


def test_what_waits_for_a_receiver_that_lost_its_address_is_kept(tmp_path: Path) -> None:
    """Somebody forgot a variable at this start; at the next it goes out."""
    with Notifying(tmp_path, settings_of(**_mail(9))) as first:
        first.judge(evaluation())
        wait(lambda: "retrying" in first.outcomes())
    forgotten = {**_mail(9), "smtp": {}}
    with Notifying(tmp_path, settings_of(**forgotten)) as second:
        second.judge(evaluation())
    mailbox = Mailbox()
    with smtp_server(mailbox) as port, Notifying(tmp_path, settings_of(**_mail(port))) as third:
        third.slept_nano = 60 * NANO
        wait(lambda: mailbox.mails)
    assert mailbox.subjects() == ["[CRITICAL] down is bad (app)"]
