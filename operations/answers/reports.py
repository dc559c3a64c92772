"""`report weekly` and `report monthly`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from alerting.channels import ChannelError
from alerting.channels.email import Email
from alerting.evidence import nothing
from alerting.message import Messages
from operations.reading import Answer, Reading
from operations.reports.content import report
from operations.reports.rendering import rendered
from operations.tables import moment

_ENDINGS = {"html": "html", "markdown": "md", "json": "json"}


def weekly(reading: Reading, form: str, output: Path | None, email: bool) -> Answer:  # noqa: FBT001  # from click
    """Of the reading's period, which is a week unless it says otherwise."""
    return _report(reading, "Weekly report", form, output, email=email)


def monthly(reading: Reading, form: str, output: Path | None, email: bool) -> Answer:  # noqa: FBT001  # from click
    """As `weekly`, of a month."""
    return _report(reading, "Monthly report", form, output, email=email)


def _report(reading: Reading, title: str, form: str, output: Path | None, *, email: bool) -> Answer:
    content = report(reading, title)
    if email:
        click.echo(_send(reading, content), err=True)

    def show() -> None:
        text = _written(content, form)
        if output == Path("-"):
            click.echo(text, nl=False)
            return
        path = output or _usual_name(reading, title, form)
        path.write_text(text, encoding="utf-8")
        click.echo(f"written to {path}")

    return Answer(content, (lambda: None) if email and output is None else show)


def _written(content: dict[str, Any], form: str) -> str:
    if form == "json":
        return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n"
    return rendered(content, form)


def _usual_name(reading: Reading, title: str, form: str) -> Path:
    day = moment(reading.period.end_unix_nano)[:10]
    return Path(f"forecourt-{title.split(maxsplit=1)[0].lower()}-{day}.{_ENDINGS[form]}")


def _send(reading: Reading, content: dict[str, Any]) -> str:
    """What the server answered; raise click.ClickException."""
    settings = reading.configuration.alerting
    addressed = next((one.email for one in settings.receivers.values() if one.email and one.email.to), None)
    receiver = settings.receivers.get("email")
    wanted = (receiver.email if receiver and receiver.email else None) or addressed
    if wanted is None:
        raise click.ClickException("no receiver has an e-mail address (alerting.receivers.email.email.to)")
    channel = Email(wanted, settings.smtp, Messages("", None, nothing))
    if problem := channel.problem():
        raise click.ClickException(f"it can't be sent: {problem}")
    title = f"{content['title']} {content['from'][:10]} to {content['to'][:10]}"
    try:
        sent = channel.send_document(
            title, rendered(content, "markdown"), rendered(content, "html"), reading.now_unix_nano
        )
    except ChannelError as error:
        raise click.ClickException(f"it could not be sent: {error}") from error
    return sent.answer
