"""Pings the dead man's switch while the sidecar does its work."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from alerting.channels import ChannelError
from alerting.dead_mans_switch import DeadMansSwitch
from alerting.settings import DeadMansSwitchSettings
from collector.progress import Progress

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


class Heartbeat:
    """Started and stopped on the loop that receives; pings in a thread of its own, which hangs alone."""

    def __init__(
        self, settings: DeadMansSwitchSettings, progress: Progress, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._switch = DeadMansSwitch(settings)
        self._progress = progress
        self._clock = clock
        self._stopping = threading.Event()
        self._beating: asyncio.Task[None] | None = None
        self._told = ""

    def start(self) -> None:
        if self._switch.configured:
            self._beating = asyncio.get_running_loop().create_task(self._beat())
            threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        if self._beating is not None:
            self._beating.cancel()

    async def _beat(self) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                self._progress.beat()
                await asyncio.sleep(_LOOK_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            problem = self._progress.problem()
            if problem:
                self._tell(f"the dead man's switch is not pinged: {problem}")
            elif self._switch.due(self._clock()):
                self._ping()

    def _ping(self) -> None:
        try:
            self._switch.ping()
        except ChannelError as error:
            self._tell(f"the dead man's switch {error}")
            self._switch.pinged(self._clock(), well=False)
        else:
            self._told = ""
            self._switch.pinged(self._clock(), well=True)

    def _tell(self, problem: str) -> None:
        """Once as long as it stays the same."""
        if problem != self._told:
            _log.warning("%s", problem)
        self._told = problem
