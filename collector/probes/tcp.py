"""Whether somebody listens at HOST:PORT."""

from __future__ import annotations

import socket

from collector.probes.finding import Finding
from collector.settings import TcpProbeSettings


class TcpProbe:
    """A connection is opened and closed; nothing is sent."""

    kind = "tcp"

    def __init__(self, settings: TcpProbeSettings) -> None:
        self.name = settings.name
        self.unhealthy_after = settings.unhealthy_after
        host, _, port = settings.endpoint.rpartition(":")
        self._address = (host.strip("[]"), int(port))
        self._timeout = settings.timeout

    def look(self) -> Finding:
        try:
            with socket.create_connection(self._address, self._timeout):
                return Finding("up", "accepts connections")
        except OSError as error:
            return Finding("down", error.strerror or str(error))
