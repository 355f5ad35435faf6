"""The error of a channel that did not take a message."""

from moca.sentences import Reason


class ChannelError(Exception):
    """A channel did not take a message.

    Attributes:
        reason: why, without secrets.
        gone: whether the receiver wants no more messages.
    """

    def __init__(self, reason: Reason, *, gone: bool = False) -> None:
        super().__init__(str(reason))
        self.reason, self.gone = reason, gone
