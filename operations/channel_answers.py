"""What channels answer to a message: told by the sidecar, which has the secrets; without one by ourselves."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
import orjson

from alerting import records
from alerting.channels import ChannelError, channels
from alerting.direct import Direct
from operations.alert_state import folder_of, is_running, opened, wait_for
from operations.alert_tables import show_answers
from operations.configuration import Configuration
from storage import State
from storage.names import OWN_FOLDER


def tell(
    configuration: Configuration,
    logs: Path | None,
    kind: str,
    arguments: dict[str, Any],
    wanted: list[Direct],
    *,
    as_json: bool,
) -> None:
    """Send, and show the answers; exit code 1 where a channel failed, or none is configured."""
    answers = _by_the_sidecar(folder_of(configuration, logs), kind, arguments)
    if answers is None:
        answers = _by_ourselves(configuration, wanted)
    if as_json:
        click.echo(orjson.dumps(answers, option=orjson.OPT_INDENT_2))
    else:
        show_answers(answers)
    failed = any(not one["ok"] and not one["answer"].startswith("not configured") for one in answers)
    if failed or not any(one["ok"] for one in answers):
        sys.exit(1)


def _by_the_sidecar(folder: Path, kind: str, arguments: dict[str, Any]) -> list[dict[str, Any]] | None:
    """None where none runs; raise click.ClickException for one that is silent."""
    if not (folder / OWN_FOLDER / "state.db").is_file():
        return None
    with opened(folder) as state:
        if not is_running(state):
            return None
        number = records.ask(state, kind, arguments, time.time_ns())
        answers: list[dict[str, Any]] | None = wait_for(lambda: _answered(state, number))
    if answers is None:
        raise click.ClickException("the sidecar has not answered within 40 s; see its log")
    return answers


def _answered(state: State, number: int) -> Any:
    """None as long as it may come."""
    answers = records.answered(state, number)
    if answers is None and not is_running(state):
        raise click.ClickException("the sidecar ended before it answered; see its log, then ask again")
    return answers


def _by_ourselves(configuration: Configuration, wanted: list[Direct]) -> list[dict[str, Any]]:
    made = channels(configuration.alerting)
    answers = []
    for number, direct in enumerate(wanted, 1):
        channel = made[direct.receiver]
        problem = channel.problem()
        line = {"receiver": direct.receiver, "route": direct.route, "ok": False, "answer": f"not configured: {problem}"}
        if not problem:
            try:
                delivery = channel.send(direct.notification(number, time.time_ns()))
                line.update(ok=True, answer=f"sent: {delivery.answer}")
            except ChannelError as error:
                line["answer"] = f"failed: {error}"
        answers.append(line)
    return answers
