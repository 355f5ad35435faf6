"""The only write path of event sources. The admin, the pages and imports call it.

It writes each change with its audit entry and the source's rule on the bus, or not at all.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from events import secret_rules, signing_keys
from events.models import EventSource
from moca import audit
from moca.concurrency import ConflictError, rewrite
from moca.reconcile import ProjectionError

# Exceptions that refuse a change. Their message is for the operator.
REFUSALS: tuple[type[Exception], ...] = (
    ConflictError,
    ProjectionError,
    EventSource.DoesNotExist,
)


def save(source: EventSource, *, by: str, why: str = "") -> None:
    """Create or change a source that the caller has validated.

    Args:
        source: the source, with its new values.
        by: the operator's name, or `audit.system()`.
        why: a sentence for the audit entry, if no person makes the change.

    Raises:
        BusError: the bus refuses the rule.
        ConflictError: somebody else changed the source since it was read.
        IntegrityError: somebody else has created a source of this id.
    """
    audit.save(source, by=by, why=why)


def rotate_secret(source: EventSource, secret: str, *, by: str, at_once: bool = False) -> None:
    """Give a source a new secret. The secret before it expires some time later.

    Args:
        source: the source.
        secret: the new secret, which the caller has validated.
        by: the operator's name.
        at_once: whether all earlier secrets expire now.

    Raises:
        BusError: the bus refuses the rule.
        EventSource.DoesNotExist: somebody else has deleted the source.
        ConflictError: others changed the source at each attempt.
    """

    def write() -> None:
        kept = [] if at_once else source.secrets
        source.secrets = signing_keys.seal(secret, timezone.now(), kept)
        audit.save(source, by=by, covered=True)

    rewrite(source, write)


def listen(source: EventSource, until: datetime | None, *, by: str) -> None:
    """Have a source listen until a moment; None ends it. Raises the same as `rotate_secret()`."""

    def write() -> None:
        source.listening_until = until
        audit.save(source, by=by)

    rewrite(source, write)


def take_settings(
    source: EventSource, kind: str, options: Mapping[str, Any], secret: str, *, by: str
) -> None:
    """Give a source the kind of its sender, and end its listening.

    Args:
        source: the source.
        kind: the kind, which has an address.
        options: the options of a general kind.
        secret: the sender's secret, the only valid one from now on; "" leaves the secrets.
        by: the operator's name.

    Raises:
        ValidationError: the kind, its options and the secret do not fit.
    """

    def write() -> None:
        source.kind, source.options, source.listening_until = kind, dict(options), None
        if secret:
            secret_rules.check_secret(kind, secret, options)
            source.secrets = signing_keys.seal(secret, timezone.now())
        source.full_clean(validate_unique=False)
        audit.save(source, by=by)

    rewrite(source, write)


def delete(source: EventSource, *, by: str) -> None:
    """Delete a source and its rule, but no trigger. Raises the same as `rotate_secret()`."""
    rewrite(source, lambda: audit.delete(source, by=by))
