"""Sends signed webhooks by Standard Webhooks; receivers verify them by the channel's secret."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
from django.utils import timezone
from standardwebhooks import Webhook

from alerts import channel_secrets
from alerts.channels.errors import ChannelError
from alerts.failures import (
    ADDRESS_REFUSED,
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
# Where EC2 tells a machine its credentials by IPv6. It is not link-local.
METADATA = ipaddress.ip_network("fd00:ec2::/32")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


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
    for address in _addresses(host, parts.port or (443 if parts.scheme == "https" else 80)):
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


def _addresses(host: str, port: int) -> Iterator[Address]:
    """The addresses of a host that may be called.

    Raises:
        ChannelError: one of them is the machine's own.
        OSError: the name cannot be resolved.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for text in dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found):
        address: Address = ipaddress.ip_address(text)
        if is_refused(address):
            raise ChannelError(ADDRESS_REFUSED(address=str(address)))
        yield address


def is_refused(address: Address) -> bool:
    """Whether an address gives away secrets of the machine, or is no single host's.

    Link-local ones tell a machine its credentials. On Lambda, loopback ones are its runtime. All
    other private addresses are allowed, because admins enter them, as they do those of agents.
    """
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_link_local or address in METADATA:
        return True
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        return not address.is_loopback
    return address.is_loopback and "AWS_LAMBDA_FUNCTION_NAME" in os.environ
