"""The one write path of event sources: the admin, the pages and imports call it.

Each change is made with its audit entry and the source's rule on the bus, or not at all.
"""

from django.utils import timezone

from events import signing_keys
from events.models import EventSource
from moca import audit
from moca.concurrency import ConflictError, rewrite
from moca.reconcile import ProjectionError

# What may keep a change from being made, with a message for the operator.
REFUSALS: tuple[type[Exception], ...] = (
    ConflictError,
    ProjectionError,
    EventSource.DoesNotExist,
)


def save(source: EventSource, *, by: str, why: str = "") -> None:
    """Create or change a source that the caller has checked.

    Args:
        source: the source, with its new values.
        by: the operator's name, or `audit.system()`.
        why: a sentence, if it is not a person's doing.

    Raises:
        BusError: the bus refuses the rule.
        ConflictError: somebody else changed the source since it was read.
        IntegrityError: somebody else has made one of this id.
    """
    audit.save(source, by=by, why=why)


def rotate_secret(source: EventSource, secret: str, *, by: str, at_once: bool = False) -> None:
    """Give a source a new secret; the one before holds for a while longer.

    Args:
        source: the source.
        secret: the new secret, which the caller has checked.
        by: who does so.
        at_once: whether all secrets before end now.

    Raises:
        BusError: the bus refuses the rule.
        EventSource.DoesNotExist: somebody else has deleted the source.
        ConflictError: others kept changing it.
    """

    def write() -> None:
        kept = [] if at_once else source.secrets
        source.secrets = signing_keys.seal(secret, timezone.now(), kept)
        audit.save(source, by=by, covered=True)

    rewrite(source, write)


def delete(source: EventSource, *, by: str) -> None:
    """Delete a source and its rule, and no trigger. Raises as `rotate_secret()` does."""
    rewrite(source, lambda: audit.delete(source, by=by))
