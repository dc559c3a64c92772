"""The process that sends on what exporters are configured for: beside the collector, and ended with it."""

from __future__ import annotations

import threading
from pathlib import Path

from collector.exporting.forwarding import Forwarding
from operations.event_loop import on_stop_signals
from operations.watched import begun, on_input_end

_STOP_SECONDS = 3.0
"""For the requests that are under way; one that is cut off is sent again."""


def forward_watched(config: Path | None) -> None:
    """Until standard input ends or somebody asks it to; raise click.ClickException."""
    source = begun(config)
    ending = threading.Event()
    on_stop_signals(ending.set)
    on_input_end(ending.set)
    forwarding = Forwarding(source.configuration, source.configuration.exporters.jsonl.path)
    forwarding.start()
    ending.wait()
    forwarding.stop(_STOP_SECONDS)
