"""Makes, rotates, ends and verifies fire tokens: the one write path of the API and the pages."""

import hashlib
import logging
from datetime import timedelta

from django.core.cache import cache
from django.db import DatabaseError
from django.utils import timezone

from moca import audit
from moca.authentication.api_keys import secret
from moca.concurrency import ConflictError
from triggers.models import FireToken, Trigger

logger = logging.getLogger(__name__)

PREFIX = "mocafire"
LAST_USE_SECONDS = 300


def token_of(trigger: Trigger) -> FireToken | None:
    """The fire token of a trigger; None if it has none."""
    found: FireToken | None = FireToken.objects.filter(pk=_id_of(trigger.pk)).first()
    return found if found is not None and found.user_id == trigger.user_id else None


def make(trigger: Trigger, *, by: str) -> str:
    """Give a trigger a new fire token, which ends an earlier one at once; returns its text.

    Nobody can see the text again.

    Raises:
        ConflictError: somebody else made one at the same moment.
    """
    made = secret.new_secret(PREFIX, _id_of(trigger.pk))
    token = FireToken.objects.filter(pk=made.id).first() or FireToken(id=made.id)
    token.trigger_id, token.user_id, token.secret_hash = trigger.pk, trigger.user_id, made.hash
    token.created_at, token.created_by, token.last_used_at = timezone.now(), str(by)[:150], None
    audit.save(token, by=by)
    return made.text


def end(trigger: Trigger, *, by: str) -> bool:
    """End the fire token of a trigger; False if it has none.

    Raises:
        ConflictError: somebody else changed it at the same moment.
    """
    token = FireToken.objects.filter(pk=_id_of(trigger.pk)).first()
    if token is None:
        return False
    audit.delete(token, by=by)
    return True


def forget(trigger: Trigger) -> None:
    """Delete the token of a deleted trigger: a later trigger with its id must not have it."""
    FireToken.objects.filter(pk=_id_of(trigger.pk)).discard()


def verify(text: str) -> FireToken | None:
    """The stored token of a text; None if it is none. All wrong texts take the same steps."""
    digest = secret.hash_of(text)
    row: FireToken | None
    row = FireToken.objects.filter(pk=secret.id_in(PREFIX, text) or "-").first()
    return row if secret.is_same(digest, row.secret_hash if row else "") else None


def note_use(token: FireToken) -> None:
    """Write that a token was used, unless that was written some minutes ago."""
    now = timezone.now()
    age = now - token.last_used_at if token.last_used_at else None
    if age is not None and age < timedelta(seconds=LAST_USE_SECONDS):
        return
    if not cache.add(f"moca.fire.use.{token.secret_hash}", 1, LAST_USE_SECONDS):
        return
    try:
        FireToken.objects.filter(pk=token.pk).update(last_used_at=now)
    except (ConflictError, DatabaseError):
        logger.warning("The last use of a fire token could not be noted")


def _id_of(trigger_id: str) -> str:
    """The public id of a trigger's token, which a rotation keeps."""
    digest = hashlib.sha256(f"fire {trigger_id}".encode("utf-8", "replace")).digest()
    return secret.id_from(digest[:16])
