"""Every change of a trigger, for the API, the admin, the pages, imports and commands.

A change is written with its audit entry, its count and its schedule, or not at all. Manual runs are
in `executions.runner.manual.run_now`, since this package does not know runs.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from moca import audit, reconcile
from moca.concurrency import ConflictError, retry_conflicts, rewrite
from moca.reconcile import ProjectionError
from triggers import agent_keys, limited_keys, pauses
from triggers.models import IdempotencyKey, Trigger

# Errors that refuse a change, each with a message for the operator.
REFUSALS: tuple[type[Exception], ...] = (
    ConflictError,
    ProjectionError,
    ValidationError,
    Trigger.DoesNotExist,
)
KEY_LIFETIME = timedelta(hours=24)
BUSY = "Requests like this are under way: try again in a moment."


class IdempotencyError(Exception):
    """The idempotency key belongs to another request, or to a deleted trigger."""


def create(
    make: Callable[[], Trigger], *, by: str, why: str = "", key: str = "", request: Any = None
) -> Trigger:
    """Create a trigger, or return the one that the same request created before.

    Args:
        make: returns the new, valid trigger; it is called for each try.
        by: the operator's name, the user id of an API caller, or `audit.system()`.
        why: a sentence for the audit entry, if no person made the change.
        key: the caller's idempotency key; empty for none.
        request: the JSON value of the request, which a repeated key is compared by.

    Raises:
        ValidationError: the user has reached the quota, or an error that `make` raises.
        ProjectionError: the scheduler refuses.
        IdempotencyError: the key belongs to another request, or to a deleted trigger.
        ConflictError: other writes came first at each try.
    """
    claim = _claim(by, key, request) if key else None

    is_retry = False

    def write() -> Trigger:
        nonlocal is_retry
        earlier = IdempotencyKey.objects.filter(pk=claim.pk).first() if claim else None
        if claim and earlier and earlier.ttl > timezone.now().timestamp():
            return _created_before(by, earlier, claim.request_hash)
        trigger = make()
        if is_retry:
            # The last try may have failed because of the quota.
            trigger.check_quota()
        is_retry = True
        agent_keys.mark_new(trigger, by=by)
        try:
            with reconcile.atomic():
                agent_keys.count_new(trigger, by=by)
                if claim:
                    claim.trigger_id = trigger.pk
                    _store_claim(claim, earlier)
                audit.save(trigger, by=by, why=why, covered=True)
        except BaseException as error:
            # A save that was rolled back leaves the trigger marked as stored.
            trigger._state.adding = True
            if claim and isinstance(error, IntegrityError):
                raise ConflictError(str(error)) from error
            raise
        return trigger

    return retry_conflicts(write, BUSY)


def save(trigger: Trigger, *, by: str, why: str = "") -> None:
    """Save a new or changed trigger that the caller has validated, as forms and imports do.

    A lost race over a changed trigger is an error, since the caller has to validate it again.

    Raises:
        ValidationError: the user has reached the quota, or the caller's API key does not allow it.
        ProjectionError: the scheduler refuses.
        ConflictError: another write changed the trigger since it was read.
    """
    if trigger._state.adding:
        create(lambda: trigger, by=by, why=why)
    else:
        limited_keys.check_change(trigger, by=by)
        agent_keys.mark_change(trigger, by=by)
        audit.save(trigger, by=by, why=why)


def change(trigger: Trigger, apply: Callable[[Trigger], None], *, by: str) -> bool:
    """Read a trigger, apply a change and save it; retry if another write comes first.

    Args:
        trigger: has the user and the id of the trigger, and afterwards all that is stored.
        apply: sets the new values on the trigger as it was read, and validates them.
        by: who changes it, as in `create()`.

    Returns:
        False if there was nothing to change.

    Raises:
        ValidationError: the API key of the caller does not allow the change.
        ProjectionError: the scheduler refuses.
        Trigger.DoesNotExist: the user has no trigger of this id.
        ConflictError: other writes came first at each try.
    """

    def write() -> bool:
        try:
            apply(trigger)
        finally:
            # Before any other error: that of a loop names triggers that the key may not be for.
            limited_keys.check_change(trigger, by=by)
        agent_keys.mark_change(trigger, by=by)
        return audit.save(trigger, by=by, covered=True)

    return rewrite(trigger, write)


def enable(trigger: Trigger, *, by: str) -> bool:
    """Enable a trigger and end its pause; False if it fires already.

    Raises:
        ValidationError: the trigger could never fire; also the errors of `change()`.
    """

    def apply(trigger: Trigger) -> None:
        if not trigger.fires(timezone.now()):
            trigger.enable()
            trigger.clean()

    return change(trigger, apply, by=by)


def disable(trigger: Trigger, *, by: str) -> bool:
    """Disable a trigger and end its pause; False if it is disabled.

    Raises the errors of `change()`.
    """

    def apply(trigger: Trigger) -> None:
        if trigger.enabled:
            trigger.disable()

    return change(trigger, apply, by=by)


def set_prompt(trigger: Trigger, prompt: str, *, by: str) -> bool:
    """Give a trigger another prompt; False if it has it. Raises the errors of `change()`."""

    def apply(trigger: Trigger) -> None:
        trigger.prompt = prompt
        trigger.clean()

    return change(trigger, apply, by=by)


def pause(
    trigger: Trigger, *, until: str | datetime | None, note: str = "", by: str, zone: Any = None
) -> bool:
    """Pause a trigger with a note until a moment; False if it is paused just so.

    Args:
        trigger: the trigger, enabled or not.
        until: a moment, or a text that `pauses.parse_end()` reads, such as `monday 09:00`; None for
            "until somebody resumes it".
        note: why, for those who find it paused.
        by: who pauses it, as in `create()`.
        zone: the time zone of `until`; None for that of the schedule.

    Raises:
        ValidationError: `until` is no moment ahead, or the note is too long.
    """

    def apply(trigger: Trigger) -> None:
        now = timezone.now()
        end = until
        if isinstance(end, str):
            end = pauses.parse_end(end, now, zone or pauses.zone_of(trigger))
        trigger.pause(now, end, by=by, note=note)
        trigger.clean_fields(exclude={f.name for f in trigger._meta.fields} - {"pause_note"})

    return change(trigger, apply, by=by)


def resume(trigger: Trigger, *, by: str) -> bool:
    """End the pause of a trigger; False if it is not paused. Raises the errors of `change()`."""
    return change(trigger, Trigger.end_pause, by=by)


def delete(trigger: Trigger, *, by: str) -> bool:
    """Delete a trigger. Raises the errors of `change()`.

    The records of its runs stay until they expire.
    """
    rewrite(trigger, lambda: audit.delete(trigger, by=by))
    return True


# Idempotency keys


def _claim(user_id: str, key: str, request: Any) -> IdempotencyKey:
    """The row for a user's key, not yet stored."""
    text = json.dumps(request, sort_keys=True)
    return IdempotencyKey(
        id=hashlib.sha256(json.dumps([user_id, key]).encode()).hexdigest(),
        request_hash=hashlib.sha256(text.encode()).hexdigest(),
        ttl=int((timezone.now() + KEY_LIFETIME).timestamp()),
    )


def _created_before(user_id: str, earlier: IdempotencyKey, request_hash: str) -> Trigger:
    """The trigger that the request created; IdempotencyError if there is none."""
    if earlier.request_hash != request_hash:
        raise IdempotencyError("This Idempotency-Key was used for another request: use a new one.")
    trigger: Trigger | None = Trigger.objects.find(user_id, earlier.trigger_id)
    if trigger is None:
        raise IdempotencyError(
            "The trigger that this Idempotency-Key made was deleted: use a new one."
        )
    return trigger


def _store_claim(claim: IdempotencyKey, expired: IdempotencyKey | None) -> None:
    """Store a claim, and replace an expired one.

    Raises:
        IntegrityError, ConflictError: another request with the key came first.
    """
    if expired is None:
        claim.save(force_insert=True)
        return
    IdempotencyKey.objects.filter(pk=expired.pk, ttl=expired.ttl).update_expected(
        trigger_id=claim.trigger_id, request_hash=claim.request_hash, ttl=claim.ttl
    )
