"""A receiver that a request is sent to, and what may come of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol


class Failure(Enum):
    """Why a request was not taken, by what to do next."""

    AGAIN = auto()
    """The same later: overloaded, away, or nobody knows whether it arrived."""
    TOO_LARGE = auto()
    """The halves of it at once."""
    MALFORMED = auto()
    """One of its records is refused for good: the others may pass."""
    REFUSED = auto()
    """Nothing would pass: an unknown token, a wrong address."""


class SendError(Exception):
    """The request was not acknowledged; the message is a line for the operator and holds no secret."""

    def __init__(
        self,
        message: str,
        failure: Failure,
        retry_after_seconds: float | None = None,
        *,
        unknown_signal: bool = False,
        own_fault: bool = False,
        late: bool = False,
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.unknown_signal = unknown_signal
        """Nothing takes this signal there (404, UNIMPLEMENTED); others may be taken."""
        self.own_fault = own_fault
        """The receiver calls it its own (500; INTERNAL, UNKNOWN): a record may be the reason, or its disk."""
        self.late = late
        """There was no answer in time; a smaller request may have one."""
        self.retry_after_seconds = retry_after_seconds
        """What the receiver asked for; None when it did not say."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An acknowledged request; `rejected` records of it are refused for good, for the reason in `message`."""

    rejected: int = 0
    message: str = ""


class Target(Protocol):
    """Used by one thread at a time."""

    def send(self, signal: str, body: bytes) -> Taken:
        """Send a serialised Export*ServiceRequest of traces, metrics or logs; raise SendError.

        Returns or raises within the configured timeout, whatever the other side does.
        """

    def close(self) -> None: ...
