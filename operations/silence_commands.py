"""`forecourt silence`."""

from __future__ import annotations

import getpass
import secrets
import time
from pathlib import Path

import click
import orjson

from alerting import records
from alerting.plain_text import plain
from alerting.silence import Silence, SilenceKind, describe
from operations.alert_state import folder_of, is_running, loaded, opened
from operations.durations import DURATION
from operations.options import config_options, json_instead_of
from operations.period import MOMENT
from operations.tables import lasted, moment, show_table
from processors.matchers import parse_matcher, refuse_dear

_NANO = 1_000_000_000
_EMERGENCY_SECONDS = 3600.0
_MOST_EMERGENCY_SECONDS = 24 * 3600.0


@click.command()
@click.argument("matchers", nargs=-1)
@click.option("--for", "seconds", type=DURATION, help="How long, for example 2h.")
@click.option("--from", "start", type=MOMENT, help="When it begins; now, if you don't say.")
@click.option("--to", "end", type=MOMENT, help="When it ends, instead of --for.")
@click.option("--maintenance", is_flag=True, help="Everything but critical security alerts.")
@click.option("--emergency", is_flag=True, help="Everything, at most 24h; 1h, if you don't say.")
@click.option("--all", "everything", is_flag=True, help="With --maintenance: critical security alerts too.")
@click.option("--by", default=getpass.getuser, help="Who wants it; you, if you don't say.")
@click.option("--reason", default="", help="Why.")
@config_options
def add(
    matchers: tuple[str, ...],
    seconds: float | None,
    start: int | None,
    end: int | None,
    *,
    maintenance: bool,
    emergency: bool,
    everything: bool,
    by: str,
    reason: str,
    config: Path | None,
    logs: Path | None,
) -> None:
    """Keep alerts quiet that match all MATCHERS, as 'alertname = host.disk' or 'http.route =~ "/api/.*"'.

    What still fires when the silence ends is told then. It is quiet within a second.

    Example: forecourt silence add "alertname = host.disk" --for 2h --reason "moving the archive"

    Example: forecourt silence add --maintenance --for 2h --reason upgrade
    """
    kind = _kind(matchers, maintenance=maintenance, emergency=emergency, everything=everything)
    now = time.time_ns()
    begins = start if start is not None else now
    ends = _end(kind, begins, seconds, end)
    if ends <= max(begins, now):
        raise click.UsageError("it would end before it begins, or has ended already")
    chosen = ("alertname =~ .*",) if everything else tuple(map(_matcher, matchers))
    made = Silence(secrets.token_hex(4), kind, chosen, by, reason, begins, ends)
    configuration = loaded(config)
    if logs is not None and not logs.is_dir():
        raise click.ClickException(f"{logs}: no such folder")
    with opened(folder_of(configuration, logs), make=True) as state:
        records.save_silence(state, made)
        running = is_running(state)
    click.echo(f"{made.id}: {describe(made)}, until {moment(ends)} UTC")
    click.echo(f"End it earlier with: forecourt silence end {made.id}")
    if not running:
        click.echo("the sidecar is not running; it counts when it runs again", err=True)


def _kind(matchers: tuple[str, ...], *, maintenance: bool, emergency: bool, everything: bool) -> SilenceKind:
    if sum((bool(matchers), maintenance, emergency)) != 1:
        raise click.UsageError("say what to keep quiet: MATCHERS, or --maintenance, or --emergency")
    if everything and not maintenance:
        raise click.UsageError("--all belongs to --maintenance")
    if emergency:
        return "emergency"
    return "maintenance" if maintenance and not everything else "silence"


def _matcher(text: str) -> str:
    try:
        parse_matcher(text)
        refuse_dear(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return text


def _end(kind: SilenceKind, begins: int, seconds: float | None, end: int | None) -> int:
    if seconds is not None and end is not None:
        raise click.UsageError("--for excludes --to")
    if kind == "emergency":
        seconds = _EMERGENCY_SECONDS if seconds is None and end is None else seconds
        until = end if end is not None else begins + int((seconds or 0.0) * _NANO)
        if until - begins > _MOST_EMERGENCY_SECONDS * _NANO:
            raise click.UsageError("an emergency mute lasts at most 24h; for longer use --maintenance")
        return until
    if seconds is None and end is None:
        raise click.UsageError("say until when: --for 2h, or --to TIME; every silence has an end")
    return end if end is not None else begins + int((seconds or 0.0) * _NANO)


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended.")
@json_instead_of("text")
@config_options
def list_(everything: bool, as_json: bool, config: Path | None, logs: Path | None) -> None:  # noqa: FBT001  # click's
    """Silences that are in force or to come.

    Example: forecourt silence list
    """
    now = time.time_ns()
    with opened(folder_of(loaded(config), logs)) as state:
        found = [one for one in records.silences(state) if everything or one.ends_at > now]
    if as_json:
        click.echo(orjson.dumps([one.to_json() for one in found], option=orjson.OPT_INDENT_2))
        return
    if not found:
        click.echo("nothing is silenced")
        return
    rows = [
        (
            one.id,
            _state(one, now),
            plain(describe(one), 90),
            moment(one.ends_at),
            plain(one.created_by),
            plain(one.comment),
        )
        for one in found
    ]
    show_table(("id", "state", "what", "until (UTC)", "by", "why"), rows)


def _state(found: Silence, now: int) -> str:
    if found.ends_at <= now:
        return "over"
    if found.starts_at > now:
        return f"in {lasted((found.starts_at - now) / _NANO)}"
    return f"{lasted((found.ends_at - now) / _NANO)} left"


@click.command()
@click.argument("silence_id", metavar="[ID]", default="")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@config_options
def end(silence_id: str, everything: bool, config: Path | None, logs: Path | None) -> None:  # noqa: FBT001  # click's
    """End a silence early; ID may be its beginning. Alerts that still fire are told within a second.

    Example: forecourt silence end --all
    """
    if bool(silence_id) == everything:
        raise click.UsageError("say which: an ID, or --all")
    now = time.time_ns()
    with opened(folder_of(loaded(config), logs)) as state:
        live = [one for one in records.silences(state) if one.ends_at > now]
        chosen = live if everything else [one for one in live if one.id.startswith(silence_id)]
        if not everything and len(chosen) != 1:
            problem = "no silence in force" if not chosen else "more than one silence"
            raise click.ClickException(f"{problem} begins with {silence_id!r}. Look at: forecourt silence list")
        for one in chosen:
            records.save_silence(state, one.ended(now))
    for one in chosen:
        click.echo(f"{one.id}: ended ({plain(describe(one))})")
    if not chosen:
        click.echo("nothing was silenced")
