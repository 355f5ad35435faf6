"""Delivers messages by the kind of their channel."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from alerts.channels.errors import ChannelError
from alerts.failures import TOO_SLOW
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
# How long one message may take, all its addresses and receivers together.
SECONDS = {ChannelKind.EMAIL: 120.0, ChannelKind.WEBHOOK: 25.0, ChannelKind.APPRISE: 40.0}
# The most threads of a channel that a process leaves alone, which wait for receivers.
LEFT_ALONE = 2

_hanging: dict[str, list[threading.Thread]] = {}
_lock = threading.Lock()


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

    A receiver that answers bit by bit pauses no longer than any time-out allows. A thread of its
    own sends, therefore, and is left alone after the channel's limit. While threads of a channel
    are left alone, it gets no more than LEFT_ALONE.

    Returns:
        A `Reason` if a part of the receivers refused it; else an empty text.

    Raises:
        ChannelError: it was not taken.
    """
    kind = ChannelKind(channel.kind)
    module, seconds = import_module(MODULES[kind]), SECONDS[kind]
    with _lock:
        hanging = [thread for thread in _hanging.pop(channel.pk, []) if thread.is_alive()]
        if hanging:
            _hanging[channel.pk] = hanging
    if len(hanging) >= LEFT_ALONE:
        raise ChannelError(TOO_SLOW(seconds=round(seconds)))
    sent: Future[str] = Future()
    thread = threading.Thread(
        target=_send, args=[sent, module, channel, message], name="alert-send", daemon=True
    )
    thread.start()
    try:
        return sent.result(seconds)
    except TimeoutError as error:
        with _lock:
            _hanging.setdefault(channel.pk, []).append(thread)
        raise ChannelError(TOO_SLOW(seconds=round(seconds))) from error


def _send(sent: "Future[str]", module: Any, channel: Channel, message: Message) -> None:
    try:
        sent.set_result(module.send(channel, message))
    except Exception as error:  # noqa: BLE001  (the caller raises it)
        sent.set_exception(error)
