"""`forecourt demo`: the whole way from an app to its files, in a folder of its own."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import click

from operations.demo import Demo, DemoError, fresh_folder, look_for_the_extra, scenarios
from operations.durations import DURATION

_REQUESTS_A_SECOND = 1.0
_TRICKLE_SECONDS = 600.0


@click.command()
@click.argument("scenario", type=click.Choice(scenarios()), default="normal")
@click.option("--folder", type=click.Path(path_type=Path), help="A folder that does not exist yet.")
@click.option("--exit-after", type=DURATION, metavar="DURATION", help="End by itself, for example after 20s.")
def demo(scenario: str, folder: Path | None, exit_after: float | None) -> None:
    """Start a collector and a FastAPI backend, send some traffic, and show what was written.

    SCENARIO is what goes wrong in the backend. Everything lies in a fresh folder and listens on loopback only; it stays
    up until Ctrl-C.

    Example: forecourt demo failed-logins --exit-after 20s
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ends = time.monotonic() + exit_after if exit_after is not None else float("inf")
    look_for_the_extra()
    try:
        running = Demo(fresh_folder(folder), scenario)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}. Name a folder to be made.") from error
    try:
        running.start()
        click.echo(running.introduction())
        running.send_first_requests()
        click.echo(running.summary())
        click.echo(running.commands())
        _stay_up(running, ends)
    except KeyboardInterrupt:
        click.echo()
    except DemoError as error:
        raise click.ClickException(str(error)) from error
    finally:
        running.stop()
    click.echo(f"Stopped. What was written stays in {running.folder}")


def _stay_up(running: Demo, ends: float) -> None:
    """A request a second, so that `tail -f` has something to show, and none after ten minutes."""
    quiet_from = time.monotonic() + _TRICKLE_SECONDS
    while time.monotonic() < ends:
        running.check()
        if time.monotonic() < quiet_from:
            running.send_request()
        time.sleep(min(1 / _REQUESTS_A_SECOND, max(0.0, ends - time.monotonic())))
