"""The process that sends on what exporters are configured for: beside the collector, and ended with it."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from collector.exporting.forwarding import Forwarding
from operations.configuration import load
from operations.event_loop import on_stop_signals
from operations.own_log import log_to_stderr
from operations.settings_file import ConfigurationError
from operations.watched import on_input_end, step_back

_STOP_SECONDS = 3.0
"""For the requests that are under way; one that is cut off is sent again."""


def forward_watched(config: Path | None) -> None:
    """Until standard input ends or somebody asks it to; raise click.ClickException."""
    step_back()
    try:
        source = load(config)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    log_to_stderr(source.configuration)
    ending = threading.Event()
    on_stop_signals(ending.set)
    on_input_end(ending.set)
    forwarding = Forwarding(source.configuration, source.configuration.exporters.jsonl.path)
    forwarding.start()
    ending.wait()
    forwarding.stop(_STOP_SECONDS)
