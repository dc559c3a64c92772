"""What people change from a page or through the API: each checked, carried out, and written down with who did it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from alerting import history, records
from alerting.alert import Alert
from alerting.silence import Silence, SilenceKind, describe
from dashboard.access import Identity, audit
from dashboard.page import NotThereError
from dashboard.records import Records
from dashboard.site import Site
from processors.matchers import parse_matcher, refuse_dear
from storage.state import State, StateError

T = TypeVar("T")
_NANO = 1_000_000_000
_MOST_TEXT = 500
_MOST_MATCHERS = 20
_LONGEST_SECONDS = {"silence": 366 * 86_400.0, "maintenance": 366 * 86_400.0, "emergency": 86_400.0}
_ANSWER_SECONDS = 40.0
_LOOK_SECONDS = 0.2
_SEVERITIES = ("critical", "high", "medium", "low")


class RefusedError(ValueError):
    """What was asked can't be done as it stands; the message says why and what can."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, from where."""

    identity: Identity
    address: str


class Operating:
    """The actions of one site."""

    def __init__(self, site: Site, records_of: Records) -> None:
        self._site = site
        self._records = records_of

    async def acknowledge(self, who: Operator, alert: str, note: str) -> str:
        """Raise NotThereError for no alert, RefusedError for one that does not fire."""
        found = await self._alert(alert)
        if found.status != "firing":
            raise RefusedError(f"{found.name} is {found.status}: only what fires can be acknowledged")
        note, now = note[:_MOST_TEXT], self._site.clock()
        await self._carry_out(
            who,
            "acknowledge",
            {"alert": found.id, "name": found.name[:_MOST_TEXT], "note": note},
            lambda state: records.save_acknowledgement(state, found.id, who.identity.name, note, now),
        )
        return f"{found.name}: acknowledged"

    async def silence(self, who: Operator, kind: str, matchers: Sequence[str], seconds: float, comment: str) -> Silence:
        """Raise RefusedError for what Alertmanager would not take either."""
        now = self._site.clock()
        made = Silence(
            secrets.token_hex(4),
            _kind(kind),
            _matchers(kind, matchers),
            who.identity.name,
            comment[:_MOST_TEXT],
            now,
            now + int(_length(kind, seconds) * _NANO),
        )
        detail = {
            "silence": made.id,
            "what": describe(made)[:_MOST_TEXT],
            "seconds": int(seconds),
            "comment": made.comment,
        }
        await self._carry_out(who, "silence", detail, lambda state: records.save_silence(state, made))
        return made

    async def end_silence(self, who: Operator, silence: str) -> str:
        """Raise NotThereError when none of this id is in force or to come."""
        now = self._site.clock()
        known = await self._records.state(records.silences)
        found = next((one for one in known if one.id == silence and one.ends_at > now), None)
        if found is None:
            raise NotThereError(f"no silence {silence[:40]} is in force")
        await self._carry_out(
            who,
            "end silence",
            {"silence": found.id, "what": describe(found)[:_MOST_TEXT]},
            lambda state: records.save_silence(state, found.ended(now)),
        )
        return f"ended: {describe(found)}"

    async def test_channel(self, who: Operator, receiver: str, severity: str = "low") -> list[Mapping[str, Any]]:
        """What each channel really answered; raise NotThereError, or RefusedError when no sidecar runs."""
        if receiver not in self._site.alerting.receivers:
            raise NotThereError(f"no receiver {receiver[:80]} is configured")
        if severity not in _SEVERITIES:
            raise RefusedError(f"{severity[:20]}: expected one of {', '.join(_SEVERITIES)}")
        if not await self._records.known(False, State.collector_lives):  # noqa: FBT003  # nobody lives there
            raise RefusedError("the sidecar is not running, and only it has the channels' secrets: forecourt collector")
        arguments = {
            "channel": receiver,
            "severity": severity,
            "message": f"A test from the dashboard, by {who.identity.name}",
        }
        now = self._site.clock()
        number = await self._carry_out(
            who,
            "test channel",
            {"receiver": receiver, "severity": severity},
            lambda state: records.ask(state, "send", arguments, now),
        )
        return await self._answer(number)

    async def _answer(self, number: int) -> list[Mapping[str, Any]]:
        until = monotonic() + _ANSWER_SECONDS
        while monotonic() < until:
            found = await self._records.state(records.answered, number)
            if found is not None:
                return list(found) if isinstance(found, list) else [found]
            await asyncio.sleep(_LOOK_SECONDS)
        raise RefusedError(f"the sidecar has not answered within {_ANSWER_SECONDS:.0f} s; see its log")

    async def _alert(self, alert: str) -> Alert:
        found = [one for one in await self._records.state(history.find, alert[:_MOST_TEXT]) if one.id == alert]
        if not found:
            raise NotThereError(f"no alert {alert[:40]}; the page Alerts has those that are known")
        return found[0]

    async def _carry_out(
        self, who: Operator, action: str, detail: Mapping[str, Any], change: Callable[[State], T]
    ) -> T:
        """Done and written down in one thread: who goes away in between ends nothing."""

        def write_down(outcome: str) -> None:
            audit.record(self._site, who.identity, who.address, action, detail, outcome)

        def carry_out(state: State) -> T:
            done = change(state)
            write_down("ok")
            return done

        try:
            return await self._records.change(carry_out)
        except StateError as error:
            await asyncio.to_thread(write_down, str(error))
            raise RefusedError(str(error)) from error


def _kind(kind: str) -> SilenceKind:
    if kind not in _LONGEST_SECONDS:
        raise RefusedError(f"{kind[:20]}: expected one of {', '.join(_LONGEST_SECONDS)}")
    return kind  # type: ignore[return-value]  # one of them


def _matchers(kind: str, matchers: Sequence[str]) -> tuple[str, ...]:
    wanted = tuple(text.strip() for text in matchers if text.strip())
    if (kind == "silence") != bool(wanted):
        raise RefusedError(
            "say what to keep quiet: at least one matcher, for example alertname = host.disk"
            if kind == "silence"
            else f"{kind} quietens everything: it has no matchers"
        )
    if len(wanted) > _MOST_MATCHERS:
        raise RefusedError(f"{len(wanted)} matchers, expected at most {_MOST_MATCHERS}")
    for text in wanted:
        if len(text) > _MOST_TEXT:  # cut, it would quieten something else
            raise RefusedError(f"{text[:40]} …: {len(text)} characters, expected at most {_MOST_TEXT}")
        try:
            parse_matcher(text)
            refuse_dear(text)
        except ValueError as error:
            raise RefusedError(str(error)) from error
    return wanted


def _length(kind: str, seconds: float) -> float:
    longest = _LONGEST_SECONDS[kind]
    if not 1 <= seconds <= longest:
        raise RefusedError(f"for how long: {kind} lasts 1 s to {longest / 86_400:.0f} d")
    return seconds
