"""Sends signed webhooks by Standard Webhooks; receivers verify them by the channel's secret."""

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
from django.utils import timezone
from standardwebhooks import Webhook

from alerts import channel_secrets
from alerts.channels import addresses
from alerts.channels.errors import ChannelError
from alerts.failures import (
    ANSWERED,
    GONE,
    SECRET_UNREADABLE,
    TOO_SLOW,
    UNREACHABLE,
)
from alerts.models import Channel

if TYPE_CHECKING:
    import ssl

    from alerts.channels import Message

SECONDS = 10


def send(channel: Channel, message: "Message") -> str:
    """Post a message; see `alerts.channels.send()`. A redirect counts as a refusal."""
    headers = _signed(channel, message)
    try:
        status = _post(channel.url, message.body, headers)
    except httpx.TimeoutException as error:
        raise ChannelError(TOO_SLOW(seconds=SECONDS)) from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        raise ChannelError(UNREACHABLE(error=type(error).__name__)) from error
    if status == httpx.codes.GONE:
        raise ChannelError(GONE(), gone=True)
    if not 200 <= status < 300:
        raise ChannelError(ANSWERED(status=status))
    return ""


def _signed(channel: Channel, message: "Message") -> dict[str, str]:
    signer = signer_of(channel_secrets.read(channel.secrets))
    now = timezone.now()
    return {
        "Content-Type": "application/json",
        "User-Agent": "Moca-Triggers",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signer.sign(message.id, now, message.body.decode()),
    }


def signer_of(secret: str) -> Webhook:
    """What signs by a secret; ChannelError if it is no secret of Standard Webhooks."""
    try:
        return Webhook(secret)
    except Exception as error:
        said = "it is no base64 text, with or without whsec_ before it."
        raise ChannelError(SECRET_UNREADABLE(error=said)) from error


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Post to the first address of the host that can be reached; returns the status.

    The address that was checked is the one that is connected to, so that a name cannot stand for
    another one a moment later. Through a proxy, the proxy looks the name up.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = None if proxy_bypass(host) else getproxies().get(parts.scheme)
    if proxy:
        return _post_to(httpx.URL(url), body, headers, proxy=proxy)
    failure: httpx.ConnectError | None = None
    for address in addresses.check(host, parts.port or (443 if parts.scheme == "https" else 80)):
        try:
            return _post_to(httpx.URL(url), body, headers, address=str(address))
        except httpx.ConnectError as error:
            failure = error
    raise failure or httpx.ConnectError("the host has no address")


def _post_to(
    url: httpx.URL, body: bytes, headers: dict[str, str], *, address: str = "", proxy: str = ""
) -> int:
    extensions = {"sni_hostname": url.host} if address else {}
    if address:
        headers = {**headers, "Host": url.netloc.decode()}
        url = url.copy_with(host=address)
    client = httpx.Client(
        verify=_tls(), trust_env=False, proxy=proxy or None, timeout=SECONDS, follow_redirects=False
    )
    with (
        client,
        client.stream("POST", url, content=body, headers=headers, extensions=extensions) as answer,
    ):
        return answer.status_code


@cache
def _tls() -> "ssl.SSLContext":
    return httpx.create_ssl_context()
