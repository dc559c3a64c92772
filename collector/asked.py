"""Commands of other processes: a message or a test, and what each channel really answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from alerting.direct import Direct, direct_messages, route_tests
from alerting.dispatcher import Dispatcher
from alerting.records import Command
from alerting.rule_note import RuleNote
from alerting.settings import AlertingSettings

KINDS = ("send", "test")
"""Of commands that are about messages."""
_WAIT_NANO = 30 * 1_000_000_000
_OLD_NANO = 60 * 1_000_000_000
"""Whoever asked longer ago has given up."""


class _Open:
    """One command and its notifications."""

    def __init__(self, until: int) -> None:
        self.until = until
        self.lines: list[dict[str, Any]] = []
        self.waits: dict[int, dict[str, Any]] = {}


class Asked:
    def __init__(
        self,
        settings: AlertingSettings,
        notes: Mapping[str, RuleNote],
        problems: Mapping[str, str],
        dispatcher: Dispatcher,
    ) -> None:
        self._settings = settings
        self._notes = notes
        self._problems = problems
        self._dispatcher = dispatcher
        self._open: dict[int, _Open] = {}

    def not_before(self, now: int) -> int:
        return now - _OLD_NANO

    def take(self, commands: Iterable[Command], now: int) -> None:
        for command in commands:
            if command.id in self._open:
                continue
            asked = self._open[command.id] = _Open(now + _WAIT_NANO)
            try:
                wanted = self._wanted(command)
            except (KeyError, TypeError, ValueError) as error:
                asked.lines.append({"receiver": "", "route": "", "ok": False, "answer": f"not understood: {error!r}"})
                continue
            for direct in wanted:
                self._send(asked, direct, now)

    def _wanted(self, command: Command) -> list[Direct]:
        if command.kind == "send":
            return direct_messages(self._settings, **command.arguments)
        if command.kind == "test":
            return route_tests(self._settings, self._notes, **command.arguments)
        raise ValueError(command.kind)

    def _send(self, asked: _Open, direct: Direct, now: int) -> None:
        line = {"receiver": direct.receiver, "route": direct.route, "ok": False, "answer": ""}
        asked.lines.append(line)
        problem = self._problems.get(direct.receiver)
        outbox = self._dispatcher.outbox
        if problem is not None:
            line["answer"] = f"not configured: {problem}"
        elif outbox.add(direct.notification(outbox.next_id, now), ()):
            line["answer"] = "no answer within 30 s; it is tried on"
            asked.waits[outbox.next_id] = line
            outbox.next_id += 1
        else:
            line["answer"] = "its queue is full"

    def answered(self, notification: int, answer: str, *, ok: bool) -> None:
        for asked in self._open.values():
            line = asked.waits.pop(notification, None)
            if line is not None:
                line.update(answer=answer, ok=ok)

    def answers(self, now: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Those that are complete, or have waited long enough."""
        for number, asked in list(self._open.items()):
            if not asked.waits or now >= asked.until:
                del self._open[number]
                yield number, asked.lines
