"""All exporters of a configuration, run by a process of their own."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from collector.exporting.grpc_target import GrpcTarget
from collector.exporting.http_target import HttpTarget
from collector.exporting.sender import Forwarded, Sender
from collector.exporting.settings import OtlpGrpcSettings, OtlpHttpSettings
from collector.exporting.target import Target
from collector.settings import CollectorSettings

_log = logging.getLogger(__name__)


class Forwarding:
    """A thread for each exporter and stream: a viewer that hangs holds up no other."""

    def __init__(self, settings: CollectorSettings, folder: Path) -> None:
        self._stopping = threading.Event()
        exporters = settings.exporters.otlp
        self._told = ", ".join(
            f"{name} ({', '.join(streams)}) to {', '.join(dict.fromkeys(exporters[name].endpoints()))}"
            for name, streams in settings.forwarded().items()
        )
        self._senders = [
            Sender(Forwarded(name, stream, folder), exporters[name], target_of(exporters[name]), self._stopping)
            for name, streams in settings.forwarded().items()
            for stream in streams
        ]

    def start(self) -> None:
        _log.info("sending on: %s", self._told)
        for sender in self._senders:
            sender.start()

    def stop(self, seconds: float) -> None:
        """Wait so long for requests that are under way; what is not acknowledged then is sent again later."""
        self._stopping.set()
        until = time.monotonic() + seconds
        for sender in self._senders:
            sender.join(max(0.0, until - time.monotonic()))


def target_of(settings: OtlpGrpcSettings | OtlpHttpSettings) -> Target:
    return GrpcTarget(settings) if isinstance(settings, OtlpGrpcSettings) else HttpTarget(settings)
