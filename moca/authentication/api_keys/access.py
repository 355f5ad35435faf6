"""Verifies API keys, and notes when they were used last.

A process keeps a key that it has verified for STATE_SECONDS, by the hash of the whole text: a wrong
text is looked up each time, whichever part of it is wrong.
"""

import logging
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import DatabaseError
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from moca.authentication.access import STATE_SECONDS, role_of_user
from moca.authentication.api_keys import secret
from moca.authentication.api_keys.grant import Grant
from moca.authentication.api_keys.model import APIKey
from moca.authentication.models import Role
from moca.authentication.tokens import TokenError
from moca.concurrency import ConflictError

logger = logging.getLogger(__name__)

PREFIX = "moca"
LAST_USE_SECONDS = 300
REFUSED = "The API key is unknown, was revoked, or has ended: use another one."
NO_OWNER = "The owner of this API key may not sign in any more."


class RefusedKeyError(Exception):
    """The key is refused. The message does not say which part of it was wrong."""


def verify(text: str) -> tuple[Grant, Role]:
    """The grant of a key, and the present role of its owner.

    Raises:
        RefusedKeyError: the key is malformed, unknown, revoked or has ended; or its owner is gone.
    """
    grant = _grant(text)
    if grant is None or (grant.expires_at is not None and grant.expires_at <= timezone.now()):
        raise RefusedKeyError(REFUSED)
    try:
        role = role_of_user(grant.user_id, is_of_operator=grant.is_of_operator)
    except TokenError as error:
        raise RefusedKeyError(NO_OWNER) from error
    _note_use(grant)
    return grant, role


def _grant(text: str) -> Grant | None:
    """The grant of a text. All texts that are refused take the same steps and one query."""
    digest = secret.hash_of(text)
    found: Grant | None = cache.get(_name(digest))
    if found is not None:
        return found
    row = APIKey.objects.filter(pk=secret.id_in(PREFIX, text) or "-").first()
    if not secret.is_same(digest, row.secret_hash if row else "") or row is None:
        return None
    found = Grant.of(row)
    cache.set(_name(digest), found, STATE_SECONDS)
    return found


def _note_use(grant: Grant) -> None:
    """Write that the key was used, unless that was written some minutes ago."""
    if not cache.add(f"moca.key.use.{grant.id}", 1, LAST_USE_SECONDS):
        return
    now = timezone.now()
    if grant.last_used_at and now - grant.last_used_at < timedelta(seconds=LAST_USE_SECONDS):
        return
    try:
        APIKey.objects.filter(pk=grant.id).update(last_used_at=now)
    except (ConflictError, DatabaseError):
        logger.warning("The last use of an API key could not be noted")


def _name(digest: str) -> str:
    return f"moca.key.{digest}"


@receiver([post_save, post_delete], sender=APIKey)
def forget_key(instance: APIKey, **_: Any) -> None:
    cache.delete(_name(instance.secret_hash))
