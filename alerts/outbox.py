"""Writes what happened to the outbox, in the transaction in which it happens.

Producers call `tell()` and know neither rules nor channels. Who runs schedules delivers later; see
`alerts.courier`.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from django.db.models import F
from django.utils import timezone

from alerts import rules
from alerts.happenings import Happening
from alerts.models import KEPT, Happened
from alerts.rules import Trigger
from moca.ids import new_id
from moca.sentences import Part, Reason

__all__ = ["Happening", "tell"]

# Characters that are kept of a text among the parameters, and of the agent's output.
LONGEST_TEXT = 300
LONGEST_OUTPUT = 500
# The most happenings of one run that are told in one transaction.
MOST_OF_A_RUN = 3


class Execution(Protocol):
    """What this app knows of a run."""

    pk: Any
    output: str


def tell(
    happening: Happening,
    *,
    user_id: str = "",
    trigger: Trigger | None = None,
    execution: Execution | None = None,
    params: Mapping[str, Part] | None = None,
    key: str = "",
    at: datetime | None = None,
) -> bool:
    """Note what happened, for the rules that want it.

    It costs no query and no row if no rule wants it. Call it in the transaction in which it
    happens: both are committed, or neither. It adds one write to the transaction.

    Args:
        happening: what happened; its class lists the parameters of each.
        user_id: the owner of the trigger; empty if `trigger` says it, or for the installation.
        trigger: the trigger that it happened to; None for the installation.
        execution: the run that it happened to.
        params: what the message says; a `Reason` is translated for the reader.
        key: identifies the happening. If it is told again with the same key, it is one happening.
            Empty if the transaction itself happens once.
        at: when it happened; None for now.

    Returns:
        Whether a rule wants it.
    """
    params = params or {}
    wanting = rules.wanting(happening, trigger, params)
    if not wanting:
        return False
    now = timezone.now()
    row = Happened(
        id=_id(happening, key),
        kind=happening,
        user_id=user_id or (trigger.user_id if trigger else ""),
        trigger_id=str(trigger.pk) if trigger else "",
        trigger_name=trigger.name if trigger else "",
        execution_id=str(execution.pk) if execution else "",
        params={name: _stored(value) for name, value in params.items()},
        at=at or now,
        rules=[rule.pk for rule in wanting],
        times=1,
        ttl=int((now + KEPT).timestamp()),
    )
    if execution is not None and any(rule.includes_output for rule in wanting):
        row.output = _plain(execution.output)[:LONGEST_OUTPUT]
    if key:
        same = Happened.objects.filter(pk=row.pk)
        same.update_expected(missing=row, times=F("times") + 1)
    else:
        row.save(force_insert=True)
    return True


def writes_of_a_run() -> int:
    """How many writes the happenings of one run may add to a transaction."""
    return MOST_OF_A_RUN if rules.current() else 0


def _id(happening: Happening, key: str) -> str:
    if not key:
        return new_id()
    return hashlib.sha256(json.dumps([happening, key]).encode()).hexdigest()


def _stored(value: Part) -> Any:
    """A parameter as a row keeps it."""
    if isinstance(value, Reason):
        bounded = value.with_texts(lambda text: _plain(text)[:LONGEST_TEXT])
        return {"code": bounded.code.name, "params": bounded.params}
    return _plain(value)[:LONGEST_TEXT] if isinstance(value, str) else value


def _plain(text: str) -> str:
    # An agent's text may contain NUL, which some databases refuse, and halves of characters, which
    # no message can have.
    return str(text or "").replace("\0", "").encode("utf-8", "replace").decode()
