"""Runs a trigger because another program has used its fire token."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from executions import envelope
from executions.dispatchers import get_dispatcher
from executions.models import Source
from executions.runner.manual import TriggerBusyError, accept
from moca.concurrency import ConflictError, retry_conflicts
from triggers.models import IdempotencyKey, Trigger
from triggers.services import BUSY, KEY_LIFETIME, IdempotencyError


class NotFiringError(Exception):
    """The trigger is disabled or paused, or waits for a person."""

    def __init__(self) -> None:
        super().__init__(_("The trigger is disabled or paused: enable or resume it first."))


def fire(trigger: Trigger, detail: Mapping[str, Any], *, key: str = "") -> str:
    """Have a trigger run now; returns the id of the execution.

    Args:
        trigger: the trigger, which has to be enabled and not paused.
        detail: the JSON object that was sent, which prompts read as `event.detail`.
        key: the caller's idempotency key; empty for none.

    Raises:
        NotFiringError: the trigger does not fire now.
        TriggerBusyError: a run is under way that may not be overlapped.
        IdempotencyError: the key came with another body before.
        DispatchError: no process can be given the run, which is therefore not on record.
        ConflictError: other requests with this key came first at each try.
    """
    claim = _claim(trigger, key, detail) if key else None

    def write() -> str:
        if claim:
            found = IdempotencyKey.objects.filter(pk=claim.pk).first()
            if found and found.ttl > timezone.now().timestamp():
                if found.request_hash != claim.request_hash:
                    raise IdempotencyError(
                        "This Idempotency-Key was used with another body: use a new one."
                    )
                return str(found.execution_id)
            if found:
                found.delete()
        if not trigger.fires(timezone.now()) or trigger.waits_for_person:
            raise NotFiringError
        return _begin(trigger, detail, claim)

    return retry_conflicts(write, BUSY)


def _begin(trigger: Trigger, detail: Mapping[str, Any], claim: IdempotencyKey | None) -> str:
    try:
        with transaction.atomic():
            execution = accept(trigger, Source.FIRE, event=_event(trigger, detail))
            if claim:
                claim.execution_id = execution.pk
                claim.save(force_insert=True)
            get_dispatcher().dispatch(execution)
    except IntegrityError as error:
        # Another request with the key came first.
        raise ConflictError(str(error)) from error
    except ConflictError as error:
        # Other runs may enter and leave the line of the trigger's key at the same moment.
        if trigger.has_line or (claim and IdempotencyKey.objects.filter(pk=claim.pk).exists()):
            raise
        # Another run of the trigger has just begun.
        raise TriggerBusyError from error
    return str(execution.pk)


def _event(trigger: Trigger, detail: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope of what was sent; its id and time are those of the run."""
    return {
        "version": "0",
        "id": "",
        "detail-type": envelope.TYPES[Source.FIRE],
        "source": "moca.fire",
        "account": "",
        "time": "",
        "region": settings.AWS_REGION,
        "resources": [f"trigger-{trigger.pk}"],
        "detail": dict(detail),
    }


def _claim(trigger: Trigger, key: str, detail: Mapping[str, Any]) -> IdempotencyKey:
    """The row for a key, not yet stored."""
    named = json.dumps(["fire", trigger.pk, key])
    text = json.dumps(detail, sort_keys=True)
    return IdempotencyKey(
        id=hashlib.sha256(named.encode()).hexdigest(),
        trigger_id=trigger.pk,
        request_hash=hashlib.sha256(text.encode()).hexdigest(),
        ttl=int((timezone.now() + KEY_LIFETIME).timestamp()),
    )
