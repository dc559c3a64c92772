"""What the processes that serve say of themselves, on stderr."""

from __future__ import annotations

import logging

from operations.configuration import Configuration


def log_to_stderr(configuration: Configuration) -> None:
    logging.basicConfig(
        level=configuration.service.telemetry.logs.level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
