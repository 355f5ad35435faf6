"""Sends messages by Apprise, which speaks to Slack, Teams and a hundred other services.

The library is imported here only, and this module only once such a channel delivers.
"""

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

from alerts import channel_secrets
from alerts.channels import addresses
from alerts.channels.errors import ChannelError
from alerts.failures import (
    APPRISE_FILE,
    APPRISE_INVALID,
    APPRISE_MISSING,
    NOT_TAKEN,
    UNREACHABLE,
)
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
    *("dbus", "glib", "gnome", "kde", "qt", "macosx", "windows", "syslog", "rsyslog", "blink1"),
    *("json", "jsons", "xml", "xmls", "form", "forms", "apprise", "apprises"),
    *("mailto", "mailtos", "smtp", "smpp", "deltachat", "deltachats"),
    # It reads its keys and subscriptions from files.
    "vapid",
}
LONGEST = 200
# How long a service may pause within its answer.
SECONDS = 10.0
# What makes chats notify everybody, or show a link under other words. A sign without width after
# it takes its meaning away.
MARKUP = re.compile(r"(?<!\w)@(?=\S)|<(?=\S)|\](?=\()")
NO_WIDTH = "\u200b"


def send(channel: Channel, message: "Message") -> str:
    """Notify the service; see `alerts.channels.send()`."""
    url = channel_secrets.read(channel.secrets)
    service = service_of(url)
    _check_host(service)
    name = str(service.service_name)
    client = apprise.Apprise(asset=service.asset)
    client.add(service)
    title, body = (plain(text) for text in (message.text.subject, message.text.body))
    try:
        result = client.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
    except Exception as error:
        # A plugin may raise anything, and its message may quote the URL.
        raise ChannelError(NOT_TAKEN(service=name, error=type(error).__name__)) from error
    with closing(result):
        if not result:
            said = masked(_last_warning(result), url)[:LONGEST]
            raise ChannelError(NOT_TAKEN(service=name, error=said))
    return ""


def plain(text: str) -> str:
    """A text in which triggers and agents can mention nobody and hide no address."""
    return MARKUP.sub(rf"\g<0>{NO_WIDTH}", text)


def service_of(url: str) -> Any:
    """The plugin of an Apprise URL.

    Raises:
        ChannelError: the URL is not understood, or its service is one that may not be used.
    """
    if apprise is None:
        raise ChannelError(APPRISE_MISSING())
    schema = url.partition("://")[0].strip().lower()
    asset = apprise.AppriseAsset(http_redirects=False, storage_mode="memory")
    try:
        refused = schema in REFUSED_SCHEMAS
        service = None if refused else apprise.Apprise.instantiate(url, asset=asset)
    except Exception as error:
        raise ChannelError(APPRISE_INVALID()) from error
    if service is None:
        raise ChannelError(APPRISE_INVALID())
    if any(isinstance(each, apprise.AppriseAttachment) and each for each in vars(service).values()):
        raise ChannelError(APPRISE_FILE())
    # The URL may ask for the contrary.
    service.redirects = False
    service.socket_read_timeout = min(service.socket_read_timeout, SECONDS)
    service.socket_connect_timeout = min(service.socket_connect_timeout, SECONDS)
    return service


def _check_host(service: Any) -> None:
    """Refuse a service whose URL names a host with an address that no channel may call."""
    if "host" not in service.template_tokens or not service.host:
        # A part of a token stands there, which no name server shall see.
        return
    try:
        addresses.check(str(service.host).strip("[]"), service.port or 0)
    except OSError as error:
        raise ChannelError(UNREACHABLE(error=type(error).__name__)) from error


def _last_warning(result: Any) -> str:
    """The last warning of Apprise, which says why the service refused."""
    said = [entry.message for each in result.results for entry in each.logs()]
    return str(said[-1]) if said else ""


def masked(text: str, url: str) -> str:
    """A text without the parts of an Apprise URL, which are secrets."""
    rest = url.partition("://")[2]
    for sign in "/@:?&=#,":
        rest = rest.replace(sign, " ")
    for part in sorted(rest.split(), key=len, reverse=True):
        if len(part) >= 4:
            text = text.replace(part, "***")
    return text
