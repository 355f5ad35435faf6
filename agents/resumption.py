"""Follows a run that another process has begun, by asking the agent what became of it.

The `runworker` process uses this for protocols whose `Protocol.can_resume` is true.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from agents import errors
from agents.cancellation import Cancellation
from agents.client import AgentClient
from agents.errors import AgentError
from agents.invocation import CALLBACK_TOKEN, Invocation
from agents.masking import STARS, Mask
from agents.protocols import ENDED
from agents.protocols.base import reported_failure
from agents.replies import Reply, Transcript
from moca.retry import jittered

# The pauses between two questions, in seconds. They double from the first to the longest, and each
# is shortened by up to a half at random, so that many runs do not ask at once.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 20.0
# How long the agent may take to answer one question, in seconds.
ANSWER_SECONDS = 30.0
# The largest answer. A task that tells more cannot be read.
MOST_BYTES = 16 * 1024 * 1024


def follow(
    client: AgentClient,
    invocation: Invocation,
    *,
    time_limit: float,
    allowed: float,
    on_transcript: Callable[[Transcript], None] | None = None,
    cancellation: Cancellation | None = None,
) -> Reply:
    """Ask for the task that `invocation.task_id` names until it has ended, and return its reply.

    An agent that is away for a while is asked again. `on_transcript` is called with all that the
    agent has said after each answer; its exceptions are passed on.

    Args:
        client: calls the agent.
        invocation: what was sent, for its session and secrets.
        time_limit: the seconds that are left.
        allowed: the seconds that the whole run may take, for the error.
        on_transcript: see above.
        cancellation: lets another thread end this.

    Raises:
        AgentError: the task has failed, the time is over, the run was cancelled, or the agent no
            longer tells of the task (`TASK_UNREADABLE`).
    """
    cancellation = cancellation or Cancellation()
    end = time.monotonic() + time_limit
    pause, said = FIRST_PAUSE, None
    while True:
        _check(cancellation, end, allowed, said)
        try:
            transcript = _read(client, invocation, end - time.monotonic(), cancellation)
        except AgentError as error:
            if error.reply is not None:
                raise
            if error.kind != "cancelled" and not _is_away(error):
                reason = error if error.reason.says(errors.TASK_UNREADABLE) else None
                raise reason or _unreadable(error.message) from error
        else:
            said = transcript.so_far()
            if transcript.complete:
                return _ended(transcript)
            if on_transcript is not None:
                on_transcript(transcript)
        _sleep(cancellation, min(jittered(pause), max(0.0, end - time.monotonic())))
        pause = min(2 * pause, LONGEST_PAUSE)


def _check(cancellation: Cancellation, end: float, allowed: float, said: Reply | None) -> None:
    """Raise AgentError if the run was cancelled, or its time is over."""
    if cancellation.is_requested:
        raise AgentError(errors.CANCELLED(), kind="cancelled", reached=True, reply=said)
    if time.monotonic() >= end:
        late = errors.TIMED_OUT(seconds=f"{allowed:g}")
        raise AgentError(late, kind="timeout", reached=True, reply=said)


def _read(
    client: AgentClient, invocation: Invocation, left: float, cancellation: Cancellation
) -> Transcript:
    """Ask once. An error of the task itself has a reply; any other is of the question."""
    request = client.protocol.status(invocation.task_id or "")
    if request is None:
        raise _unreadable(f"{client.protocol.name} has no such request")
    own = {"Accept": "application/json", "Idempotency-Key": f"{invocation.execution_id}-status"}
    request = replace(request, headers={**request.headers, **own})
    limit = min(ANSWER_SECONDS, max(left, 0.001))
    body, mask = client.fetch(
        invocation, request, time_limit=limit, most_bytes=MOST_BYTES, cancellation=cancellation
    )
    # The process that sent the run knew the token of its callback, and this one does not.
    body = CALLBACK_TOKEN.sub(STARS.encode(), body)
    if failure := reported_failure(body):
        failure.hide(mask)
        raise _unreadable(failure.message)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _unreadable("its answer is no JSON, or too long") from error
    return _transcript_of(client, invocation, value, mask)


def _transcript_of(
    client: AgentClient, invocation: Invocation, value: object, mask: Mask
) -> Transcript:
    transcript = Transcript(mask)
    reader = client.protocol.reader(transcript, "application/json")
    try:
        reader.take([value])
        transcript.flush()
        reader.check_understood()
    except AgentError as error:
        error.hide(mask)
        if error.kind == "protocol":
            raise _unreadable(error.message) from error
        transcript.task_id = transcript.task_id or invocation.task_id
        error.reply = transcript.reply()
        raise
    transcript.task_id = transcript.task_id or invocation.task_id
    return transcript


def _ended(transcript: Transcript) -> Reply:
    reply = transcript.reply()
    if reply.outcome in ENDED:
        code = ENDED[reply.outcome]()
        error = AgentError(code, kind="agent", reached=True, reply=reply)
        error.outcome = reply.outcome
        raise error
    return reply


def _is_away(error: AgentError) -> bool:
    """Whether the agent may answer the same question later."""
    if error.kind in ("connection", "timeout", "token"):
        return True
    return error.transient or (error.status or 0) >= 500


def _unreadable(reason: str) -> AgentError:
    unreadable = errors.TASK_UNREADABLE(error=errors.cut(reason, 300))
    return AgentError(unreadable, kind="protocol", reached=True)


def _sleep(cancellation: Cancellation, seconds: float) -> None:
    """Sleep, but no longer than until the run is cancelled."""
    woken = threading.Event()
    cancellation.attach(woken.set)
    woken.wait(seconds)
    cancellation.detach()
