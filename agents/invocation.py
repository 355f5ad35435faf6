"""What an agent is asked to do, before a protocol makes a request of it."""

from __future__ import annotations

import os
import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Answered:
    """What a person answered to a question; `value` is any value of JSON."""

    question_id: str
    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What an agent is asked to do; what is None is absent from the request.

    `target_user_id` is the trigger's owner, `session_id` has 33 to 256 characters (see
    `new_session_id`), `execution_id` lets the agent recognise a request that it has seen.
    `trace_id` is a whole X-Amzn-Trace-Id header; without it Lambda's own or a new one is sent.
    `options` are further keys of the request, such as `modelId`. `secrets` are what the request
    holds that nobody is to see: they are masked in all that the agent says. `answers` are those to
    the questions of a run that this one continues.
    """

    prompt: str = field(repr=False)
    target_user_id: str
    session_id: str
    execution_id: str
    agent_id: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    enabled_tools: list[str] | None = None
    system_prompt: str | None = field(default=None, repr=False)
    mcp_config: dict[str, Any] | None = field(default=None, repr=False)
    trace_id: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    answers: tuple[Answered, ...] = ()

    @property
    def model_id(self) -> str | None:
        """The model that the agent is to use."""
        return self.options.get("modelId")

    @property
    def trace(self) -> str:
        """The value of X-Amzn-Trace-Id."""
        return self.trace_id or os.environ.get("_X_AMZN_TRACE_ID") or new_trace_id()


def new_session_id() -> str:
    """A session id in the one form that every agent takes: 33 letters and digits."""
    return "".join(secrets.choice(_LETTERS_AND_DIGITS) for _ in range(33))


def new_trace_id() -> str:
    """A trace header of a trace that begins here (AWS X-Ray Developer Guide, "Trace header")."""
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=1"
