"""The ways in which somebody hears of an alert."""

from alerting.channels.building import channels
from alerting.channels.channel import Channel, ChannelError, ReceiptState, Ringing

__all__ = ["Channel", "ChannelError", "ReceiptState", "Ringing", "channels"]
