"""Validates the fields of an agent's record, for the model and its forms."""

import ipaddress
import socket
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from agents import AgentError, agent_url
from agents.specification import SECRET_ARN, VARIABLE

# Where EC2 tells a machine its credentials by IPv6. It is not link-local.
_METADATA = ipaddress.ip_network("fd00:ec2::/32")


def check_id(value: str) -> None:
    """Refuse ids that are no part of a path: with empty parts, `.` or `..`, or spaces at an end."""
    parts = value.split("/")
    if value != value.strip() or any(part in ("", ".", "..") for part in parts):
        raise ValidationError(
            _(
                "Give a name such as reporter or team/reporter: without spaces at its ends, and "
                "without empty parts, “.” and “..” between slashes."
            ),
            code="id",
        )


def check_address(value: str) -> None:
    """Accept what an agent can be called at: a URL or the ARN of an AgentCore runtime."""
    try:
        url = agent_url(value)
    except AgentError as error:
        raise ValidationError(
            _(
                "Give an http or https URL without a user name and password, or the ARN of an "
                "AgentCore runtime, which may end with ?qualifier=NAME."
            ),
            code="address",
        ) from error
    _check_host(url)


def check_token_domain(value: str) -> None:
    """Accept the URL or the host name of a token endpoint's domain."""
    url = value if "://" in value else f"https://{value}"
    try:
        agent_url(url)
    except AgentError as error:
        raise ValidationError(
            _("Give the URL of the user pool's domain, such as https://login.example.com."),
            code="address",
        ) from error
    _check_host(url)


def check_secret_ref(value: str) -> None:
    """Accept only names of secrets that are meant for agents, and never a secret itself."""
    if VARIABLE.fullmatch(value) or SECRET_ARN.fullmatch(value):
        return
    # The message does not quote the value, because people enter the secret itself.
    raise ValidationError(
        _(
            "Give no secret, but where it is: the name of an environment variable that begins with "
            "AGENT_, such as AGENT_REPORTER_TOKEN, or the ARN of a secret of Secrets Manager whose "
            "name begins with agents/."
        ),
        code="secret_ref",
    )


def _check_host(url: str) -> None:
    """Refuse link-local addresses, where clouds tell a machine its credentials."""
    found = _ip_address(urlsplit(url).hostname or "")
    if found is not None and (found.is_link_local or found in _METADATA):
        raise ValidationError(
            _("Give another address: link-local ones are the machine's own services, no agents."),
            code="address",
        )


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a host stands for in any notation; None for a name."""
    host = host.rstrip(".")
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        try:
            # Systems read 2852039166 and 0xa9fea9fe as addresses, too.
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return None
    return getattr(found, "ipv4_mapped", None) or found
