"""`forecourt run`: an app under uvicorn, instrumented without an edit in it."""

from __future__ import annotations

import os
import sys

import click
import uvicorn.__main__

_FACTORY = "--factory"


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
    options_metavar="",
)
@click.argument("app")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[UVICORN OPTIONS]")
def run(app: str, options: tuple[str, ...]) -> None:
    """Start APP, written module:attribute, under uvicorn and send its telemetry to the sidecar.

    Everything after APP goes to uvicorn: --port, --workers, --reload, --app-dir … Where to send, under which name and
    what to leave out comes from the environment: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, FORECOURT_DISABLED …

    Example: OTEL_SERVICE_NAME=backend forecourt run app.main:app --port 8000
    """
    if ":" not in app:
        raise click.UsageError(f"{app!r} names no app. Write it first, as module:attribute: app.main:app --port 8000")
    os.environ["FORECOURT_APP"] = app
    if _FACTORY in options:
        os.environ["FORECOURT_APP_FACTORY"] = "true"
    sys.modules["__main__"] = uvicorn.__main__  # what each of its processes begins with, in place of our commands
    uvicorn.main.main(
        [*(option for option in options if option != _FACTORY), "instrumentation.asgi:app"], "forecourt run"
    )
