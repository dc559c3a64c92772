"""The text that people will read."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerting.chart import bars, sparkline
from alerting.evidence import Evidence, Sample
from alerting.message import Messages
from alerting.notification import AlertView
from alerting.plain_text import plain
from tests.support.notifications import START, TRACE, ended, evidence, notification, view

LINK = "http://monitor.example:9090"


def test_an_alert_says_all_that_helps() -> None:
    """What, against which bound, since when, how bad, who is affected, examples, what to do."""
    message = Messages(LINK, None, evidence).message(notification(view()))
    assert message.title == "[CRITICAL] 11.3 % of requests fail (backend)"
    assert message.link == f"{LINK}/alerts/bf3fbe8026"
    assert message.text == (
        "[CRITICAL] 11.3 % of requests fail (backend)\n"
        "Wants an answer at once. Told because: it is new.\n"
        "\n"
        "11.3 % of requests fail\n"
        "  http.server.error_rate {service.name=backend}\n"
        "  value    11.3 %, bound > 10%; 214 samples in 5min\n"
        "  since    2026-11-23 12:00:00 UTC (2 min)\n"
        "  how bad  28.2 times the usual; usual in the last 24 h: 0.4 %; the highest of 24 h\n"
        f"  1 hour   {'▁' * 50}  ▂▃▅▆▇▇██\n"
        "  routes   POST /api/jobs: 18 of 20 failed\n"
        "  errors   ValueError: no such pump on /api/jobs (18 times)\n"
        f"           trace {TRACE}\n"
        "  next     forecourt logs errors --last 1h\n"
        "           forecourt alerts ack bf3fbe8026 --by YOUR-NAME\n"
        f"  look at  {LINK}/alerts/bf3fbe8026\n"
        "\n"
        "Why you got this: forecourt alerts why bf3fbe8026\n"
    )
    assert message.short == (
        "11.3 %, bound > 10%; since 12:00 UTC\n"
        "28.2 times the usual; usual in the last 24 h: 0.4 %; the highest of 24 h\n"
        "ValueError: no such pump\n"
        "Next: forecourt logs errors --last 1h"
    )


def test_an_end_says_how_long_it_was_and_why_it_is_over() -> None:
    """No data is not "fine"."""
    messages = Messages(LINK)
    over = messages.message(notification(ended(), kind="resolved"))
    assert over.title == "[resolved] 11.3 % of requests fail (backend)"
    assert "from     2026-11-23 12:00:00 UTC to 2026-11-23 12:10:00 UTC (10 min)\n" in over.text
    assert "because  the condition holds no more\n" in over.text
    assert over.short == "Over: 11.3 % of requests fail (backend) after 10 min"
    unknown = messages.message(notification(ended(resolved_reason="no_data"), kind="resolved"))
    assert "because  no data for 30 minutes\n" in unknown.text


def test_a_target_that_is_down_has_no_number() -> None:
    """It is or it isn't."""
    down = view(
        rule="backend.down", bands=("> 0",), value=1.0, unit="1", summary="the backend does not answer", traces=()
    )
    message = Messages(LINK).message(notification(down))
    assert "value" not in message.text
    assert message.short.startswith("since 12:00 UTC\n")


def test_many_alerts_share_a_message() -> None:
    """The worst first, twenty in full, the rest by name, the rest of that as a number."""
    alerts = [view(id=f"{number:010}", summary=f"number {number}") for number in range(100)]
    message = Messages(LINK).message(notification(*alerts, more=9900))
    assert message.title == "[CRITICAL] 10000 alerts: number 0 …"
    assert message.text.count("  since    ") == 20
    assert message.text.count("http.server.error_rate {service.name=backend}") == 60
    assert "… and 9940 more: http://monitor.example:9090/alerts" in message.text


def test_a_digest_names_what_was_held_back() -> None:
    """And why."""
    reason = "more than 20 in 10min notices in all: further ones are held back for 10min and then summed up"
    message = Messages(LINK).message(notification(view(held=3), kind="digest", reason=reason))
    assert message.title == "[CRITICAL] 1 alert held back"
    assert "  held     3 notices\n" in message.text
    assert message.short == f"{reason}\n· 11.3 % of requests fail (backend)"


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("flapping", "[CRITICAL] flapping: 11.3 % of requests fail (backend)"),
        ("escalation", "[CRITICAL] escalated: 11.3 % of requests fail (backend)"),
    ],
)
def test_the_title_says_what_kind_it_is(kind: str, title: str) -> None:
    """Before somebody opens it."""
    assert Messages(LINK).message(notification(view(), kind=kind)).title == title  # type: ignore[arg-type]  # a test's


def test_a_test_says_that_it_is_one() -> None:
    """So that nobody gets up for it."""
    message = Messages(LINK).message(notification(kind="test", text="This is a test; nothing is wrong"))
    assert message.title == "[TEST] This is a test; nothing is wrong"
    assert "This is a test; nothing is wrong\n2026-11-23 12:02:05 UTC\n" in message.text


HOSTILE = (
    "a\r\nBcc: everyone@example.com\r\n\r\n<script>alert(1)</script><img src=x onerror=alert(1)>"
    "\x1b[31m\x00\u202egnp.exe\u2028{{ 7 * 7 }}{% for x in y %}&amp;\"'"
)


def test_what_comes_from_telemetry_is_harmless() -> None:
    """No line of its own, no markup, no template, no control character, no reversed writing, nothing endless."""
    hostile = view(
        key=((HOSTILE, HOSTILE),),
        summary=HOSTILE + "x" * 10_000,
        traces=(HOSTILE,),
        next_steps=(HOSTILE,),
        rule=HOSTILE,
    )
    shown = Evidence(routes=(HOSTILE,), samples=(Sample(HOSTILE, HOSTILE, HOSTILE, 3),))
    message = Messages(LINK, None, lambda *_: shown).message(notification(hostile, reason=HOSTILE))
    for text in (message.title, message.short, message.text, message.html):
        assert not any(character in text for character in "\x1b\x00\u202e\u2028\r")
        assert "49" not in text
        assert "{{ 7 * 7 }}" in text or text is message.html
        assert len(text) < 30_000
    assert "\n" not in message.title
    assert not any(line.startswith("Bcc") for line in message.text.splitlines())
    assert "<script" not in message.html
    assert "<img" not in message.html
    assert "&lt;script&gt;" in message.html
    assert "javascript:" not in message.html


def test_templates_of_the_operator_take_the_place_of_ours(tmp_path: Path) -> None:
    """By name; those that are not there stay, those that fail are told and replaced."""
    (tmp_path / "title.txt.j2").write_text("{{ severity }} at {{ at }}: {{ firing[0].summary }}")
    (tmp_path / "email.html.j2").write_text("<p>{{ firing[0].summary }}</p>")
    message = Messages(LINK, tmp_path).message(notification(view(summary="a < b")))
    assert message.title == "critical at 2026-11-23 12:02:05 UTC: a < b"
    assert message.html == "<p>a &lt; b</p>"
    assert "Wants an answer at once" in message.text


def test_a_template_that_fails_costs_its_looks_and_not_the_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says which one and why."""
    (tmp_path / "title.txt.j2").write_text("{{ severity.nothing.here }}")
    (tmp_path / "text.txt.j2").write_text("{% if %}")
    message = Messages(LINK, tmp_path).message(notification(view()))
    assert message.title == "[CRITICAL] 11.3 % of requests fail (backend)"
    assert "Wants an answer at once" in message.text
    assert "alerting.templates: title.txt.j2: 'str object' has no attribute 'nothing'" in caplog.text
    assert "alerting.templates: text.txt.j2:" in caplog.text


def test_evidence_that_cannot_be_had_costs_the_chart_and_not_the_message() -> None:
    """Whatever the history's fault."""

    def broken(_alert: AlertView, _now: int) -> Evidence:
        raise RuntimeError("a fault of ours")

    message = Messages(LINK, None, broken).message(notification(view()))
    assert "1 hour" not in message.text
    assert "11.3 %, bound > 10%" in message.text


def test_plain_text_is_one_bounded_line() -> None:
    """Whatever it was."""
    assert plain("a\tb\n\nc  d") == "a b c d"
    assert plain("x" * 500, 10) == "xxxxxxxxx…"
    assert plain(b"\xff") == "b'\\xff'"
    assert plain("zürich 東京") == "zürich 東京"


def test_a_sparkline_begins_at_zero() -> None:
    """So that a small change looks small; gaps are gaps."""
    assert sparkline([0.0, 1.0, 2.0, None, 7.0]) == "▁▂▃ █"
    assert sparkline([5.0, 5.0]) == "██"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([None, None]) == ""
    assert [bar.pixels for bar in bars([0.0, 1.0, None, 2.0], [False, False, False, True])] == [1, 24, 0, 48]
    assert START > 0
