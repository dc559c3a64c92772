"""A channel's thread: one thing at a time, so that who is slow keeps nobody waiting."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

from alerting.channels import Channel, ChannelError, ReceiptState, Ringing
from alerting.notification import Delivery
from alerting.outbox import Job

_log = logging.getLogger(__name__)

Outcome = Delivery | ReceiptState | ChannelError | None


class Result(NamedTuple):
    """What became of a job; None for a cancel that went well."""

    receiver: str
    job: Job
    outcome: Outcome


class ChannelWorker:
    """`give` and `busy` are the notifier's; `report` is called by the worker's thread."""

    def __init__(self, receiver: str, channel: Channel, report: Callable[[Result], None]) -> None:
        self._receiver = receiver
        self._channel = channel
        self._report = report
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.busy = False
        """Whether there is a job whose result has not been taken yet."""
        self._thread = threading.Thread(target=self._run, name=f"channel {receiver}", daemon=True)
        self._thread.start()

    def give(self, job: Job) -> None:
        self.busy = True
        self._jobs.put(job)

    def end(self) -> None:
        """After what it does now; nobody waits for a channel that hangs."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._report(Result(self._receiver, job, self._do(job)))

    def _do(self, job: Job) -> Outcome:
        try:
            if job.act == "send":
                return self._channel.send(job.queued.notification)
            if not isinstance(self._channel, Ringing):
                return ChannelError("this channel knows no receipts any more", permanent=True)
            if job.act == "poll":
                return self._channel.look(job.queued.receipt)
            self._channel.cancel(job.queued.receipt)
        except ChannelError as error:
            return error
        except Exception as error:  # noqa: BLE001  # a fault of ours or of a library; the others go on
            _log.exception("%s: a notification could not be sent", self._receiver)
            return ChannelError(f"failed: {type(error).__name__}", permanent=False)
        return None
