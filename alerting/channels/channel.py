"""What every channel is: something that takes a notification, or says why not."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from alerting.notification import Delivery, Notification


class ChannelError(Exception):
    """The notification was not taken. `permanent`: it never will be; else `retry_after` is in seconds, if known."""

    def __init__(self, message: str, *, permanent: bool, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after


class Channel(Protocol):
    """Used by one thread at a time."""

    def problem(self) -> str:
        """What it lacks to be used; empty if nothing."""

    def send(self, notification: Notification) -> Delivery:
        """Hand it over; raise ChannelError."""


class ReceiptState(NamedTuple):
    """What became of a message that rings until somebody acknowledges it."""

    acknowledged_by: str
    """Empty as long as nobody has."""
    expired: bool


@runtime_checkable
class Ringing(Protocol):
    """A channel whose messages go on until somebody answers."""

    def look(self, receipt: str) -> ReceiptState:
        """Raise ChannelError; a permanent one means that nobody knows the receipt."""

    def cancel(self, receipt: str) -> None:
        """Have it ring no more; raise ChannelError."""
