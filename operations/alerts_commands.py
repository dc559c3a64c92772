"""`forecourt alerts`."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import click
import orjson

from alerting import history, records
from alerting.alert import Alert
from alerting.direct import direct_messages, route_tests
from alerting.journal import Entry
from alerting.receiver_problems import receiver_problems
from alerting.rule_note import RuleNote, note_of
from alerting.severity import SEVERITIES
from alerting.who_is_told import who_is_told
from operations.alert_state import folder_of, is_running, loaded, opened, wait_for
from operations.alert_tables import (
    show_alert,
    show_alerts,
    show_episodes,
    show_patterns,
    show_routes,
    show_storms,
    show_story,
)
from operations.channel_answers import tell
from operations.configuration import Configuration
from operations.options import config_options, json_instead_of
from operations.period import period_of, period_options
from processors.description import Description
from processors.judging_settings import JudgingSettings
from storage import State
from storage.names import OWN_FOLDER

_JSON = json_instead_of("text")
_SEVERITY = click.option(
    "--severity", type=click.Choice(list(SEVERITIES)), default="critical", show_default=True, help="How bad it is."
)


@click.command("list", short_help="What is pending or firing, the worst first.")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended.")
@_JSON
@config_options
def list_(everything: bool, as_json: bool, config: Path | None, logs: Path | None) -> None:  # noqa: FBT001  # click's
    """Alerts that are pending or firing, the worst first.

    Example: forecourt alerts list
    """
    with opened(folder_of(loaded(config), logs)) as state:
        found = history.alerts(state, ended=everything)
        waiting = history.waiting(state)
        running = is_running(state)
    if as_json:
        _echo({"running": running, "alerts": [_alert_json(alert) for alert in found], "waiting": waiting})
    else:
        show_alerts(found, waiting, running=running, now_unix_nano=time.time_ns())


@click.command(short_help="One alert in full.")
@click.argument("alert_id", metavar="ID")
@_JSON
@config_options
def show(alert_id: str, as_json: bool, config: Path | None, logs: Path | None) -> None:  # noqa: FBT001  # click's
    """One alert in full; ID may be its beginning, or a rule's name.

    Example: forecourt alerts show 3f2a
    """
    configuration = loaded(config)
    with opened(folder_of(configuration, logs)) as state:
        alert = _the_alert(state, alert_id)
    if as_json:
        _echo(_alert_json(alert))
    else:
        show_alert(alert, described(configuration, alert.rule), time.time_ns())


@click.command(short_help="The whole story of an alert.")
@click.argument("alert_id", metavar="ID")
@_JSON
@config_options
def why(alert_id: str, as_json: bool, config: Path | None, logs: Path | None) -> None:  # noqa: FBT001  # click's
    """The whole story: rule, values, states, routes, silences and caps, and what each channel answered.

    Example: forecourt alerts why 3f2a
    """
    configuration = loaded(config)
    with opened(folder_of(configuration, logs)) as state:
        alert = _the_alert(state, alert_id)
        entries = history.story(state, alert.id)
    if as_json:
        _echo({"alert": _alert_json(alert), "story": [entry._asdict() for entry in entries]})
    else:
        show_alert(alert, described(configuration, alert.rule), time.time_ns())
        show_story(entries)


@click.command(short_help="Say that somebody sees to an alert.")
@click.argument("alert_id", metavar="ID")
@click.option("--by", default=getpass.getuser, help="Who sees to it; you, if you don't say.")
@click.option("--note", default="", help="What you know or do.")
@config_options
def ack(alert_id: str, by: str, note: str, config: Path | None, logs: Path | None) -> None:
    """Say that somebody sees to an alert: it is neither repeated nor escalated, and no phone rings on.

    Example: forecourt alerts ack 3f2a --by anna --note "restarting the backend"
    """
    with opened(folder_of(loaded(config), logs)) as state:
        alert = _the_alert(state, alert_id)
        if alert.status != "firing":
            raise click.ClickException(f"{alert.name} does not fire; it is {alert.status}")
        number = records.save_acknowledgement(state, alert.id, by, note, time.time_ns())
        if not is_running(state):
            click.echo(f"{alert.name}: noted; it counts when the sidecar runs again")
            return
        taken = wait_for(lambda: _is_taken(state, number), 5.0)
    if not taken:
        raise click.ClickException("the sidecar has not taken it within 5 s; it will as soon as it can")
    click.echo(f"{alert.name}: acknowledged by {by}")


def _is_taken(state: State, number: int) -> bool | None:
    return None if any(one.id == number for one in records.acknowledgements(state)) else True


def _of_a_time(command: Callable[..., None]) -> Callable[..., None]:
    """Of the journal's entries of a time, as its options have it; and as JSON or not."""

    @wraps(command)
    def called(*, config: Path | None, logs: Path | None, as_json: bool, **times: Any) -> None:
        period = period_of(**times)
        with opened(folder_of(loaded(config), logs)) as state:
            entries = history.journal(state, period.start_unix_nano, period.end_unix_nano)
        command(entries, as_json=as_json)

    return period_options(_JSON(config_options(called)))


@click.command("history", short_help="Every alert that fired in a time.")
@_of_a_time
def history_(entries: Sequence[Entry], *, as_json: bool) -> None:
    """Every alert that fired in a time: from when to when, how bad, who was told.

    Example: forecourt alerts history --last 24h
    """
    found = history.episodes(entries)
    if as_json:
        _echo([asdict(episode) for episode in found])
    else:
        show_episodes(found, time.time_ns())


@click.command(short_help="How often and how long each alert fires.")
@_of_a_time
def patterns(entries: Sequence[Entry], *, as_json: bool) -> None:
    """How often and how long each alert fires, at which hours, and which ones are only noise.

    Example: forecourt alerts patterns --last 30days
    """
    found = history.patterns(history.episodes(entries), time.time_ns())
    if as_json:
        _echo([asdict(pattern) for pattern in found])
    else:
        show_patterns(found)


@click.command(short_help="What the storm caps held back.")
@_of_a_time
def storms(entries: Sequence[Entry], *, as_json: bool) -> None:
    """When more happened than anybody wants to hear: what the storm caps held back.

    Example: forecourt alerts storms --last 7days
    """
    found = history.storms(entries)
    if as_json:
        _echo([{**asdict(storm), "caps": sorted(storm.caps)} for storm in found])
    else:
        show_storms(found)


@click.command(short_help="Who would be told; nobody is.")
@_SEVERITY
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label of the alert; as often as you like."
)
@_JSON
@config_options
def route(
    severity: str,
    labels: tuple[str, ...],
    as_json: bool,  # noqa: FBT001  # click's
    config: Path | None,
    logs: Path | None,
) -> None:
    """Who would be told of an alert with these labels, how soon and how often; nobody is told.

    Example: forecourt alerts route --severity high --label alertname=host.disk
    """
    configuration = loaded(config)
    folder = folder_of(configuration, logs)
    given = {**dict(map(_label, labels)), "severity": severity}
    silences, problems = [], receiver_problems(None, configuration.alerting)
    if (folder / OWN_FOLDER / "state.db").is_file():
        with opened(folder) as state:
            silences, problems = records.silences(state), receiver_problems(state, configuration.alerting)
    found = who_is_told(configuration.alerting, problems, given, silences, time.time_ns())
    if as_json:
        _echo(found)
    else:
        show_routes(found)


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"{text!r} is not a label, expected for example --label service.name=backend")
    return name.strip(), value.strip()


@click.command(short_help="Send a message to a channel.")
@click.option("--channel", required=True, help="email, pushover, desktop …, or the name of a receiver.")
@_SEVERITY
@click.option("--message", required=True, help="What to say.")
@_JSON
@config_options
def send(
    channel: str,
    severity: str,
    message: str,
    *,
    as_json: bool,
    config: Path | None,
    logs: Path | None,
) -> None:
    """Send a message to a channel, past routes, silences and caps.

    Example: forecourt alerts send --channel desktop --severity critical --message "System down"
    """
    configuration = loaded(config)
    try:
        wanted = direct_messages(configuration.alerting, channel, severity, message)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    arguments = {"channel": channel, "severity": severity, "message": message}
    tell(configuration, logs, "send", arguments, wanted, as_json=as_json)


@click.command(short_help="Send a test through every route.")
@click.option("--rules", default="", metavar="GROUP", help="Only routes that alerts of these rules take, as security.")
@_JSON
@config_options
def test(rules: str, as_json: bool, config: Path | None, logs: Path | None) -> None:  # noqa: FBT001  # click's
    """Send a message marked as a test through every route, and show what each channel really answered.

    Example: forecourt alerts test --rules security
    """
    configuration = loaded(config)
    notes = _notes(configuration.processors)
    try:
        wanted = route_tests(configuration.alerting, notes, rules)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    tell(configuration, logs, "test", {"rules": rules}, wanted, as_json=as_json)


def described(configuration: Configuration, rule: str) -> Description | None:
    """None for a rule that is no more."""
    known = configuration.processors.known_rules().get(rule)
    return known.description if known else None


def _notes(settings: JudgingSettings) -> dict[str, RuleNote]:
    return {name: note_of(rule.description) for name, rule in settings.known_rules().items() if rule.enabled}


def _the_alert(state: State, text: str) -> Alert:
    found = history.find(state, text)
    if len(found) == 1:
        return found[0]
    if not found:
        raise click.ClickException(f"no alert's id begins with {text!r}. Look at: forecourt alerts list --all")
    firing = [alert for alert in found if alert.status == "firing"]
    if len(firing) == 1:
        return firing[0]
    several = "".join(f"\n  {alert.id}  {alert.status:<8}  {alert.name}" for alert in found[:10])
    raise click.ClickException(f"{text!r} is more than one alert:{several}")


def _alert_json(alert: Alert) -> dict[str, Any]:
    return {**alert.to_json(), "key": dict(alert.key), "name": alert.name}


def _echo(content: Any) -> None:
    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))
