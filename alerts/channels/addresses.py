"""The addresses of hosts that channels may call."""

import ipaddress
import os
import socket

from alerts.channels.errors import ChannelError
from alerts.failures import ADDRESS_REFUSED

# Where EC2 tells a machine its credentials by IPv6. It is not link-local.
METADATA = ipaddress.ip_network("fd00:ec2::/32")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check(host: str, port: int) -> list[Address]:
    """The addresses of a host that may be called.

    Raises:
        ChannelError: one of them is the machine's own.
        OSError: the name cannot be resolved.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    texts = dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found)
    addresses: list[Address] = [ipaddress.ip_address(text) for text in texts]
    for address in addresses:
        if is_refused(address):
            raise ChannelError(ADDRESS_REFUSED(address=str(address)))
    return addresses


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
