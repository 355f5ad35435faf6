"""Sends messages by Apprise, which speaks to Slack, Teams and a hundred other services.

The library is imported here only, and this module only once such a channel delivers.
"""

import logging
from typing import TYPE_CHECKING, Any

from alerts import channel_secrets
from alerts.channels.errors import ChannelError
from alerts.failures import APPRISE_INVALID, APPRISE_MISSING, NOT_TAKEN
from alerts.models import Channel

try:
    import apprise
except ImportError:
    # A package for Lambda may do without it.
    apprise = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from alerts.channels import Message

# What Apprise could do besides, on this machine or for another kind of channel.
REFUSED_SCHEMAS = {
    *("dbus", "glib", "gnome", "kde", "qt", "macosx", "windows", "syslog", "rsyslog"),
    *("json", "jsons", "xml", "xmls", "form", "forms", "apprise", "apprises"),
    *("mailto", "mailtos", "smtp", "smpp"),
}
LONGEST = 200


def send(channel: Channel, message: "Message") -> str:
    """Notify the service; see `alerts.channels.send()`."""
    url = channel_secrets.read(channel.secrets)
    service = service_of(url)
    name = str(service.service_name)
    heard = _Listener()
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    try:
        taken = service.notify(title=message.text.subject, body=message.text.body)
    except Exception as error:
        # A plugin may raise anything, and its message may quote the URL.
        raise ChannelError(NOT_TAKEN(service=name, error=type(error).__name__)) from error
    finally:
        logger.removeHandler(heard)
    if not taken:
        raise ChannelError(NOT_TAKEN(service=name, error=masked(heard.last, url)[:LONGEST]))
    return ""


def service_of(url: str) -> Any:
    """The plugin of an Apprise URL.

    Raises:
        ChannelError: the URL is not understood, or its service is one that may not be used.
    """
    if apprise is None:
        raise ChannelError(APPRISE_MISSING())
    schema = url.partition("://")[0].lower()
    try:
        service = None if schema in REFUSED_SCHEMAS else apprise.Apprise.instantiate(url)
    except Exception as error:
        raise ChannelError(APPRISE_INVALID()) from error
    if service is None:
        raise ChannelError(APPRISE_INVALID())
    return service


def masked(text: str, url: str) -> str:
    """A text without the parts of an Apprise URL, which are secrets."""
    rest = url.partition("://")[2]
    for sign in "/@:?&=#,":
        rest = rest.replace(sign, " ")
    for part in sorted(rest.split(), key=len, reverse=True):
        if len(part) >= 4:
            text = text.replace(part, "***")
    return text


class _Listener(logging.Handler):
    """Keeps the last warning of Apprise, which says why a service refused."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()
