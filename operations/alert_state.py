"""The state database, for the commands about alerts: they work with and without a running sidecar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from operations.configuration import Configuration, load
from operations.settings_file import ConfigurationError
from storage import State, StateError
from storage.names import OWN_FOLDER

_ANSWER_SECONDS = 40.0
_LOOK_SECONDS = 0.1


def loaded(config: Path | None) -> Configuration:
    try:
        return load(config).configuration
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


def folder_of(configuration: Configuration, logs: Path | None) -> Path:
    return logs or configuration.exporters.jsonl.path


@contextmanager
def opened(folder: Path, *, make: bool = False) -> Iterator[State]:
    """The state database of a folder of records; `make` it where nobody has run yet."""
    path = folder / OWN_FOLDER / "state.db"
    if not path.is_file() and not make:
        raise click.ClickException(f"no sidecar has run on {folder}. Start one with: forecourt collector")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        state = State.open(path)
    except (StateError, OSError) as error:
        raise click.ClickException(str(error)) from error
    try:
        yield state
    except StateError as error:
        raise click.ClickException(str(error)) from error
    finally:
        state.close()


def is_running(state: State) -> bool:
    """Whether a sidecar owns this folder now."""
    return state.collector_lives()


def wait_for(look: Callable[[], Any], seconds: float = _ANSWER_SECONDS) -> Any:
    """What `look` finds, looked for again and again; None when it never does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found is not None:
            return found
        time.sleep(_LOOK_SECONDS)
    return None
