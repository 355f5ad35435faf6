"""Creating and changing triggers: each with its audit entry and its schedule, or not at all."""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.http import parse_etags

from moca import audit
from moca.api.errors import APIError, InvalidParameterError, NotFoundError
from moca.conflicts import ConflictError
from moca.versioning import StaleVersionError
from triggers.models import IdempotencyKey, Trigger
from triggers.schedulers import SchedulerError
from triggers.serializers import fill
from triggers.synchronization import in_step

# How often a write is tried that somebody else's comes before.
TRIES = 8
KEY_LASTS = timedelta(hours=24)
MAX_KEY = 255


def find(user_id: str, trigger_id: str) -> Trigger:
    """The user's trigger of this id; NotFoundError where the user has none."""
    trigger: Trigger | None = Trigger.objects.find(user_id, trigger_id)
    if trigger is None:
        raise NotFoundError("trigger")
    return trigger


def create(user_id: str, body: dict[str, Any], key: str = "") -> Trigger:
    """Create a trigger, or return the one that the same request has made before.

    Args:
        user_id: whose it will be.
        body: the JSON object of the request.
        key: the request's Idempotency-Key; empty for none.
    """
    if len(key) > MAX_KEY:
        raise InvalidParameterError("Idempotency-Key", f"Give at most {MAX_KEY} characters.")
    for _ in range(TRIES):
        try:
            return _create_once(user_id, body, key)
        except IntegrityError:
            # Another request with the same key was faster: look at what it made.
            continue
        except ConflictError:
            Trigger(user_id=user_id).check_quota()
            _pause()
    raise APIError(409, "Requests like this are under way: try again in a moment.")


def _create_once(user_id: str, body: dict[str, Any], key: str) -> Trigger:
    if not key:
        return _create(user_id, body)
    now = timezone.now()
    claim = _claim(user_id, body, key, now)
    earlier = IdempotencyKey.objects.filter(pk=claim.pk).first()
    if earlier is not None and earlier.ttl > now.timestamp():
        return _made_before(user_id, earlier, claim.request_hash)
    return _create(user_id, body, claim, expired=earlier)


def _claim(user_id: str, body: dict[str, Any], key: str, now: datetime) -> IdempotencyKey:
    request = json.dumps(body, sort_keys=True)
    return IdempotencyKey(
        id=hashlib.sha256(json.dumps([user_id, key]).encode()).hexdigest(),
        request_hash=hashlib.sha256(request.encode()).hexdigest(),
        ttl=int((now + KEY_LASTS).timestamp()),
    )


def _made_before(user_id: str, earlier: IdempotencyKey, request_hash: str) -> Trigger:
    if earlier.request_hash != request_hash:
        raise APIError(409, "This Idempotency-Key was used for another request: use a new one.")
    trigger = Trigger.objects.filter(user_id=user_id, pk=earlier.trigger_id).first()
    if trigger is None:
        raise APIError(
            409, "The trigger that this Idempotency-Key made was deleted: use a new one."
        )
    return trigger


def _create(
    user_id: str,
    body: dict[str, Any],
    claim: IdempotencyKey | None = None,
    *,
    expired: IdempotencyKey | None = None,
) -> Trigger:
    trigger = Trigger(user_id=user_id)
    fill(trigger, body)
    with _scheduler_errors(), in_step(), transaction.atomic():
        if claim is not None:
            claim.trigger_id = trigger.pk
            _keep(claim, expired)
        audit.save(trigger, by=user_id)
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


def change(
    user_id: str, trigger_id: str, apply: Callable[[Trigger], None], *, if_match: str = ""
) -> Trigger:
    """Apply a change to a trigger and save it, again where another write came before.

    Args:
        user_id: whose trigger it is, and who changes it.
        trigger_id: the trigger's id.
        apply: sets the new values, on the trigger as it is then.
        if_match: the If-Match header; where it is given, another's write is an error.
    """
    for _ in range(TRIES):
        try:
            with _scheduler_errors(), in_step(), transaction.atomic():
                trigger = find(user_id, trigger_id)
                _check_version(trigger, if_match)
                apply(trigger)
                audit.save(trigger, by=user_id)
        except ConflictError:
            _pause()
        else:
            return trigger
    raise APIError(409, "Others keep changing this trigger: try again in a moment.")


def delete(user_id: str, trigger_id: str) -> None:
    """Delete a trigger and its schedule; its executions stay."""
    for _ in range(TRIES):
        try:
            with _scheduler_errors(), in_step(), transaction.atomic():
                audit.delete(find(user_id, trigger_id), by=user_id)
        except ConflictError:
            _pause()
        else:
            return
    raise APIError(409, "Others keep changing this trigger: try again in a moment.")


def _pause() -> None:
    time.sleep(random.uniform(0, 0.02))  # noqa: S311  (jitter)


def _check_version(trigger: Trigger, if_match: str) -> None:
    if not if_match:
        return
    versions = parse_etags(if_match)
    if not versions:
        raise InvalidParameterError("If-Match", 'Give the version in quotes, such as "3".')
    if "*" not in versions and f'"{trigger.version}"' not in versions:
        raise APIError(412, str(StaleVersionError(trigger)))


@contextmanager
def _scheduler_errors() -> Iterator[None]:
    try:
        yield
    except SchedulerError as error:
        raise APIError(502, str(error)) from error
