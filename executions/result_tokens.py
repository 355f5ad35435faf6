"""Tokens with which an agent sends the result of one run: they are issued here, and checked.

A token is random, and belongs to one run. The run's record keeps its SHA-256 alone, in the write
that claims the run, so that the function on AWS needs no key for it. A token names when it expires.
Tokens are issued only if PUBLIC_URL says where agents reach the API.
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from urllib.parse import quote

from django.conf import settings

from agents.invocation import CALLBACK_TOKEN, Callback, new_callback_token
from executions.models import TriggerExecution
from triggers.models import Trigger

# How long a token is valid after the time-out of its trigger.
LIFE = timedelta(days=7)


def issue(execution: TriggerExecution, trigger: Trigger, now: datetime) -> str:
    """Set a new token and its digest on a record, which the caller writes; returns the digest.

    Empty, and nothing is set, if agents cannot call back.
    """
    if not settings.PUBLIC_URL:
        return ""
    end = now + timedelta(seconds=trigger.timeout_seconds) + LIFE
    execution.result_token = new_callback_token(min(int(end.timestamp()), execution.ttl))
    execution.result_hash = _digest(execution.result_token)
    return execution.result_hash


def callback_of(execution: TriggerExecution) -> Callback | None:
    """What the agent of a run is sent; None if it gets no token."""
    if not execution.result_token:
        return None
    path = f"triggers/{quote(execution.trigger_id)}/executions/{quote(execution.pk)}/result"
    return Callback(f"{settings.PUBLIC_URL}/{path}", execution.result_token)


def is_valid(token: str, execution: TriggerExecution | None, now: datetime) -> bool:
    """Whether a token is that of a run, and has not expired.

    It takes the same steps if there is no such run.
    """
    kept = execution.result_hash if execution is not None else ""
    is_same = hmac.compare_digest(_digest(token), kept or "-" * 64)
    if not is_same or not CALLBACK_TOKEN.fullmatch(token.encode("utf-8", "replace")):
        return False
    return int(token.split("_")[1], 16) > now.timestamp()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
