"""Limits wrong passwords per name and address; all processes share the counts in the database."""

import hashlib
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.db.models import F
from django.http import HttpRequest

from moca.authentication.models import FailedSignIns
from moca.concurrency import ConflictError
from moca.retry import retry

FORGIVEN_AFTER_SECONDS = 300
# A person who mistypes; an address that tries many names; many addresses that try one name.
MOST_FOR_NAME_AND_ADDRESS = 10
MOST_FOR_ADDRESS = 50
MOST_FOR_NAME = 100


class TooManyFailuresError(Exception):
    """Too many wrong passwords came for this name or from this address."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A password check in progress. It counts as wrong until `forgive()`."""

    pair: str
    name: str
    address: str

    def forgive(self) -> None:
        """Uncount the attempt, since the password was right."""
        FailedSignIns.objects.filter(pk=self.pair).discard()
        for key in (self.name, self.address):
            FailedSignIns.objects.filter(pk=key, failures__gt=0).update(failures=F("failures") - 1)


def start_attempt(request: HttpRequest | None, username: str) -> Attempt:
    """Count an attempt before its password is checked, so that parallel guesses count too.

    Args:
        request: the request; None for a call outside of a request.
        username: the name as typed; unknown names count too.

    Raises:
        TooManyFailuresError: a limit is reached, so the password must not be checked.
    """
    address = client_address(request) if request else ""
    attempt = Attempt(
        pair=_digest("pair", address, username),
        name=_digest("name", username),
        address=_digest("address", address),
    )
    limits = {
        attempt.pair: MOST_FOR_NAME_AND_ADDRESS,
        attempt.name: MOST_FOR_NAME,
        attempt.address: MOST_FOR_ADDRESS,
    }
    now = int(time.time())
    counted = {row.pk: row for row in FailedSignIns.objects.filter(pk__in=list(limits))}
    for key, most in limits.items():
        row = counted.get(key)
        if row and row.ttl > now and row.failures >= most:
            raise TooManyFailuresError
    for key, most in limits.items():
        _count(key, most, counted.get(key), now)
    return attempt


def client_address(request: HttpRequest) -> str:
    """The client's IP address; for IPv6 its /64 network, since a client has many addresses."""
    address = request.META.get("REMOTE_ADDR", "")
    forwarded = request.headers.get("X-Forwarded-For", "")
    if settings.TRUST_PROXY_HEADERS and forwarded:
        # The proxy appends the address that it saw; the client may have forged the others.
        address = forwarded.rpartition(",")[2].strip()
    address = _without_port(address)
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))


def _without_port(address: str) -> str:
    """Remove the port that some proxies append, which differs for each connection."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _count(key: str, most: int, row: FailedSignIns | None, now: int) -> None:
    """Count one failure; TooManyFailuresError if others reached the limit since `row` was read."""
    if row and row.ttl <= now:
        FailedSignIns.objects.filter(pk=key, ttl=row.ttl).delete()
    first = FailedSignIns(pk=key, failures=1, ttl=now + FORGIVEN_AFTER_SECONDS)

    def count() -> None:
        try:
            FailedSignIns.objects.filter(pk=key, failures__lt=most).update_expected(
                failures=F("failures") + 1, missing=first
            )
        except ConflictError:
            found = FailedSignIns.objects.filter(pk=key).first()
            if found and found.failures >= most:
                raise TooManyFailuresError from None
            # Another process counted the same key at the same moment: retry.
            raise

    retry(count, on=ConflictError)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
