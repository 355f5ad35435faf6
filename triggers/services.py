"""The one write path of triggers: the API, the admin, the pages, imports and commands call it.

Each change is made with its audit entry, its count and its schedule, or not at all. To run a
trigger by hand is `executions.requests.run_now`, since runs are not known here.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from moca import audit, reconcile
from moca.concurrency import ConflictError, retry_conflicts, rewrite
from moca.reconcile import ProjectionError
from triggers.models import IdempotencyKey, Trigger

# What may keep a change from being made, with a message for the operator.
REFUSALS: tuple[type[Exception], ...] = (
    ConflictError,
    ProjectionError,
    ValidationError,
    Trigger.DoesNotExist,
)
KEY_LASTS = timedelta(hours=24)
BUSY = "Requests like this are under way: try again in a moment."


class IdempotencyError(Exception):
    """An idempotency key was used before, and not for a trigger that can be returned."""


def create(
    make: Callable[[], Trigger], *, by: str, why: str = "", key: str = "", request: Any = None
) -> Trigger:
    """Create a trigger, or return the one that the same request has made before.

    Args:
        make: returns the new trigger, valid; called for each try.
        by: the operator's name, the user id of an API caller, or `audit.system()`.
        why: a sentence, if it is not a person's doing.
        key: the caller's idempotency key; empty for none.
        request: the JSON value that the key was sent with.

    Raises:
        ValidationError: the user may have no more triggers, or what `make` raises.
        ProjectionError: the scheduler refuses.
        IdempotencyError: the key was used for something else.
        ConflictError: others kept coming first.
    """
    claim = _claim(by, key, request) if key else None

    is_retry = False

    def write() -> Trigger:
        nonlocal is_retry
        earlier = IdempotencyKey.objects.filter(pk=claim.pk).first() if claim else None
        if claim and earlier and earlier.ttl > timezone.now().timestamp():
            return _made_before(by, earlier, claim.request_hash)
        trigger = make()
        if is_retry:
            # The count may be what the try before has met.
            trigger.check_quota()
        is_retry = True
        try:
            with reconcile.atomic():
                if claim:
                    claim.trigger_id = trigger.pk
                    _keep(claim, earlier)
                audit.save(trigger, by=by, why=why, covered=True)
        except BaseException as error:
            # It may have been saved in a transaction that was rolled back.
            trigger._state.adding = True
            if claim and isinstance(error, IntegrityError):
                raise ConflictError(str(error)) from error
            raise
        return trigger

    return retry_conflicts(write, BUSY)


def save(trigger: Trigger, *, by: str, why: str = "") -> None:
    """Save a new or changed trigger that the caller has checked, as forms and imports do.

    A lost race over a changed trigger is an error, since the caller has to check it again.

    Raises:
        ValidationError: the user may have no more triggers.
        ProjectionError: the scheduler refuses.
        ConflictError: somebody else changed the trigger since it was read.
    """
    if trigger._state.adding:
        create(lambda: trigger, by=by, why=why)
    else:
        audit.save(trigger, by=by, why=why)


def change(trigger: Trigger, apply: Callable[[Trigger], None], *, by: str) -> bool:
    """Read a trigger, apply a change and save it, again if another write comes first.

    Args:
        trigger: names the trigger by its user and id, and has what is stored afterwards.
        apply: sets the new values on the trigger as it was read, and checks them.
        by: who changes it.

    Returns:
        False if there was nothing to change.

    Raises:
        ProjectionError: the scheduler refuses.
        Trigger.DoesNotExist: the user has none of this id.
        ConflictError: others kept coming first.
    """

    def write() -> bool:
        apply(trigger)
        return audit.save(trigger, by=by, covered=True)

    return rewrite(trigger, write)


def enable(trigger: Trigger, *, by: str) -> bool:
    """Let a trigger fire; False if it may already. Raises as `change()` does.

    Raises:
        ValidationError: what is wrong with it, so that it could not fire.
    """

    def apply(trigger: Trigger) -> None:
        if not trigger.enabled:
            trigger.enable()
            trigger.clean()

    return change(trigger, apply, by=by)


def disable(trigger: Trigger, *, by: str) -> bool:
    """Keep a trigger from firing; False if it is kept already. Raises as `change()` does."""

    def apply(trigger: Trigger) -> None:
        if trigger.enabled:
            trigger.disable()

    return change(trigger, apply, by=by)


def delete(trigger: Trigger, *, by: str) -> bool:
    """Delete a trigger; the records of its runs stay until they expire. Raises as `change()`."""
    rewrite(trigger, lambda: audit.delete(trigger, by=by))
    return True


# Idempotency keys


def _claim(user_id: str, key: str, request: Any) -> IdempotencyKey:
    text = json.dumps(request, sort_keys=True)
    return IdempotencyKey(
        id=hashlib.sha256(json.dumps([user_id, key]).encode()).hexdigest(),
        request_hash=hashlib.sha256(text.encode()).hexdigest(),
        ttl=int((timezone.now() + KEY_LASTS).timestamp()),
    )


def _made_before(user_id: str, earlier: IdempotencyKey, request_hash: str) -> Trigger:
    if earlier.request_hash != request_hash:
        raise IdempotencyError("This Idempotency-Key was used for another request: use a new one.")
    trigger: Trigger | None = Trigger.objects.filter(user_id=user_id, pk=earlier.trigger_id).first()
    if trigger is None:
        raise IdempotencyError(
            "The trigger that this Idempotency-Key made was deleted: use a new one."
        )
    return trigger


def _keep(claim: IdempotencyKey, expired: IdempotencyKey | None) -> None:
    """Write the claim, in the place of an expired one.

    Raises:
        IntegrityError, ConflictError: another request with the key was faster.
    """
    if expired is None:
        claim.save(force_insert=True)
        return
    IdempotencyKey.objects.filter(pk=expired.pk, ttl=expired.ttl).update_expected(
        trigger_id=claim.trigger_id, request_hash=claim.request_hash, ttl=claim.ttl
    )
