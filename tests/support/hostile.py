"""An hour of telemetry that is an attack: texts that want to run in whoever's browser shows them, in every field.

What runs of them calls `__ran`; what is loaded comes from 203.0.113.9. Neither must ever happen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from alerting import records
from alerting.channels import channels
from alerting.silence import Silence
from collector.notifier import Notifier
from collector.value_history import ValueHistory
from processors.evaluation import Evaluation
from storage import State, audit
from storage.audit import AuditEntry
from storage.names import OWN_FOLDER
from storage.state import CollectorRow, Published
from tests.support.notifying import evaluation, settings_of
from tests.support.week import END as WEEK_END
from tests.support.week import NANO, Recorder, Week

END = WEEK_END
"""When it is over, in seconds since 1970."""
GATHERED = "feed" * 8
"""A trace with all of it."""
_SHORT = (
    "<script>__ran(0)</script>",
    '"><script>__ran(1)</script>',
    "'><img src=x onerror=__ran(2)>",
    "<svg onload=__ran(3)>",
    "<svg><script>__ran(4)</script></svg>",
    '" onmouseover="__ran(5)" autofocus onfocus="__ran(5)" x="',
    "' onmouseover='__ran(6)' x='",
    "javascript:__ran(7)",
    "</script><script>__ran(8)</script>",
    "<!--<script>__ran(9)//--><!--",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}{% include '/etc/passwd' %}",
    "{{constructor.constructor('__ran(11)')()}}${__ran(11)}",
    '<iframe srcdoc="<script>parent.__ran(12)</script>"></iframe>',
    '<a href="javascript:__ran(13)">here</a>',
    "<details open ontoggle=__ran(14)>",
    "<style>@import 'http://203.0.113.9/a.css';*{background:url(//203.0.113.9/b)}</style>",
    "<img src=http://203.0.113.9/c.png><link rel=stylesheet href=//203.0.113.9/d.css>",
    '<base href="http://203.0.113.9/"><meta http-equiv=refresh content="0;url=//203.0.113.9/">',
    "\u202e<script>__ran(18)</script>\u2066\x00\x1b[31m\x7f\u2028\ufeff",
    "\uff1cscript\uff1e__ran(19)\uff1c/script\uff1e%3Cscript%3E__ran(19)%3C/script%3E",
    '<div hx-get="//203.0.113.9/" hx-trigger="load" hx-on:load="__ran(20)" data-hx-on--load="__ran(20)">',
    "</textarea></title></style></noscript><script>__ran(21)</script>",
    "__proto__",
    "data:text/html,<script>__ran(23)</script>",
    "{a|x}{b}</b><b onclick=__ran(24)>{c}",
    "\n\nevent: content\ndata: <script>__ran(25)</script>\n\n",
    "//203.0.113.9/../..\\203.0.113.9",
    "&lt;script&gt;__ran(27)&lt;/script&gt;&#60;script>",
    "<form action=//203.0.113.9/><button formaction=javascript:__ran(28)>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=__ran(29)>",
)
PAYLOADS = (*_SHORT, "<img src=x onerror=__ran(30)>" * 3500)
"""The last has more than 100 kB."""


def record_hostile(folder: Path) -> Path:
    """Write it below `folder`; give the folder of the records, with a state database in which alerts fire."""
    week = Week(folder / "logs")
    _Hostile(week).write()
    _alert(week.logs)
    return week.logs


class _Hostile(Recorder):
    def _records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for number, text in enumerate(PAYLOADS):
            at = END - 3000.0 + 60 * number
            yield "traces", self._request(at, number, text)
            yield "traces", self._statement(at + 1, text)
            yield "logs", self._log(at + 2, number, text)
            yield "logs", self._start(at + 3, number, text)
            yield "metrics", self._point(at + 4, text)
            yield "health", {**self._probe(at + 5, healthy=False), "target": text, "kind": text, "detail": text}
            for of, name in enumerate(("auth.login", "rate_limit.exceeded", "data.export", f"job.{text}", text)):
                yield "logs", self._told(at + 6 + of, f"fossa.{name}", text)

    def _about(self, text: str, **more: Any) -> dict[str, Any]:
        attributes = {text: text, "user.id": text, "client.address": text, "user_agent.original": text, **more}
        resource = {"attributes": {"service.name": text, "service.instance.id": text, text: [text, {text: text}]}}
        return {**self._rest(attributes, resource), "scope": {"name": text, "version": text}, "service": text}

    def _request(self, at: float, number: int, text: str) -> dict[str, Any]:
        told = {
            "http.request.method": text,
            "http.route": text,
            "url.path": text,
            "http.response.status_code": text if number % 3 == 0 else 500,
            "session.id": text,
        }
        exception = {"exception.type": text, "exception.message": text, "exception.stacktrace": text}
        raised = {"name": "exception", "time_unix_nano": round(at * NANO), "attributes": exception}
        event = {**raised, "name": text, "attributes": {text: text}}
        other = {"trace_id": text, "span_id": text, "attributes": {text: text}}
        trace_id = f"{number + 1:032x}" if number % 5 else text
        return {
            **self._span(at, 1.0 + number, text, "SERVER", trace_id),
            **self._about(text, **told),
            "status": "ERROR",
            "status_message": text,
            "trace_state": text,
            "events": [raised, event],
            "links": [other],
        }

    def _statement(self, at: float, text: str) -> dict[str, Any]:
        told = {"db.system.name": text, "db.query.text": text, "db.query.summary": text, "db.namespace": text}
        span = {**self._span(at, 2.0, text, "CLIENT", GATHERED), **self._about(text, **told)}
        return {**span, "status": "ERROR", "status_message": text}

    def _line(self, at: float, text: str, trace_id: str = GATHERED) -> dict[str, Any]:
        base = self._base(at)
        told = {"severity": text, "severity_number": 17, "body": text, "trace_id": trace_id}
        return {**base, "observed_time_unix_nano": base["time_unix_nano"], **told}

    def _log(self, at: float, number: int, text: str) -> dict[str, Any]:
        told = {"exception.type": text, "exception.message": text, "exception.stacktrace": f"{text}\n{text}"}
        line = {**self._line(at, text, GATHERED if number % 2 else text), **self._about(text, **told)}
        return {**line, "event_name": text, "span_id": text}

    def _start(self, at: float, number: int, text: str) -> dict[str, Any]:
        """Of one service, each time with another version."""
        rest = self._rest({}, {"attributes": {"service.name": "app", "service.version": text[:300]}})
        rest["resource"]["attributes"]["service.instance.id"] = f"i-{number}"
        return {**self._line(at, text), **rest, "service": "app", "body": {text: [text]}}

    def _point(self, at: float, text: str) -> dict[str, Any]:
        told = {"name": text, "unit": text, "description": text, "type": "gauge", "start_time_unix_nano": 0, "value": 1}
        return {**self._base(at), **told, **self._about(text), "exemplars": [{"trace_id": text, "value": 1}]}

    def _told(self, at: float, name: str, text: str) -> dict[str, Any]:
        more = {"event.name": name, "event.outcome": "failure", "event.reason": text, "url.path": text}
        more |= {"feature": text, "feature.name": text, "job.id": text, "export.records": text}
        return {**self._line(at, text, text), **self._about(text, **more), "event_name": name}


def _alert(logs: Path) -> None:
    """As the sidecar leaves it that has judged it all, and could tell nobody."""
    now = END * NANO
    settings = settings_of(receivers={"hook": {"webhook": {"url": "http://127.0.0.1:9/"}}})
    found = [_evaluation(number, text, now) for number, text in enumerate(PAYLOADS)]
    notifier = Notifier(settings, {}, channels(settings), logs, history=ValueHistory(), clock=lambda: now)
    notifier.start()
    notifier.evaluated(now, found, []).result(30)
    notifier.finish()
    with closing(State.open(logs / OWN_FOLDER / "state.db")) as state:
        state.record_start(CollectorRow(os.getpid(), "1", {}, now - NANO, None))
        state.save_checkpoint(now, b"", (), Published(now, [one.to_json() for one in found]))
        for number, text in enumerate(PAYLOADS):
            short = text[:500]
            matchers = (f"http.route = {' '.join(short.split())}",)
            silence = Silence(f"{number:08x}", "silence", matchers, short, short, now - 1, now + NANO)
            records.save_silence(state, silence)
            audit.record(state, AuditEntry(now, short, short, short, short, {short: short}, short))


def _evaluation(number: int, text: str, now: int) -> Evaluation:
    rule = text if number % 3 == 0 else "http.server.p95"
    key = (("http.route", text), (text, str(number)))
    return evaluation(rule, key=key, unit=text, summary=text, detail=text, traces=(text,), time_unix_nano=now)
