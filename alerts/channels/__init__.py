"""Delivers messages by the kind of their channel."""

from dataclasses import dataclass
from datetime import datetime
from importlib import import_module

from alerts.channels.errors import ChannelError
from alerts.models import Channel, ChannelKind
from alerts.texts import Text

__all__ = ["ChannelError", "Message", "send"]

# Each has `send(channel, message)`. They are imported once they deliver: Apprise takes a second and
# 30 MB.
MODULES = {
    ChannelKind.EMAIL: "alerts.channels.email",
    ChannelKind.WEBHOOK: "alerts.channels.webhook",
    ChannelKind.APPRISE: "alerts.channels.apprise",
}


@dataclass(frozen=True, slots=True)
class Message:
    """A message as channels send it.

    Attributes:
        id: the same for all tries.
        text: what people read.
        body: what programs read: the JSON of a webhook.
        made_at: when the message was made.
    """

    id: str
    text: Text
    body: bytes
    made_at: datetime


def send(channel: Channel, message: Message) -> str:
    """Send a message by a channel.

    Returns:
        A `Reason` if a part of the receivers refused it; else an empty text.

    Raises:
        ChannelError: it was not taken.
    """
    module = import_module(MODULES[ChannelKind(channel.kind)])
    warning: str = module.send(channel, message)
    return warning
