"""Describes what an agent is asked to do. A protocol makes a request from it."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moca.tracing import NOTHING, Span


@dataclass(frozen=True, slots=True)
class Answered:
    """A person's answer to a question. `value` is any value of JSON."""

    question_id: str
    value: Any = field(repr=False)


# A token of a callback. A process that does not know the token finds it by its form, to mask it.
CALLBACK_TOKEN = re.compile(rb"mrt_[0-9a-f]{8,16}_[A-Za-z0-9_-]{43}")


def new_callback_token(expires_at: int) -> str:
    """Make a token that names when it expires, in epoch seconds. Nobody can guess it."""
    return f"mrt_{expires_at:08x}_{secrets.token_urlsafe(32)}"


@dataclass(frozen=True, slots=True)
class Callback:
    """The address to which an agent may send the result of a run, and the token for that run."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What an agent is asked to do. Fields that are None are absent from the request.

    `target_user_id` is the trigger's owner. `session_id` has 33 to 256 characters (see
    `new_session_id`). `execution_id` lets the agent recognize a request that it has seen.
    `trace_id` is a whole X-Amzn-Trace-Id header; if it is None, Lambda's own or a new one is sent.
    `options` are further keys of the request, such as `modelId`. `secrets` are texts in the request
    that are masked in everything that the agent says. `answers` are a person's answers to the
    questions of the run that this one continues, and `task_id` is the agent's own id of that run.
    `owner_token` goes into a header of its own. `callback` goes into headers and, if the protocol
    has a place for it, into the body. `span` is what the agent's own trace continues; its headers
    are sent along.
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
    task_id: str | None = None
    owner_token: str | None = field(default=None, repr=False)
    callback: Callback | None = None
    span: Span = field(default=NOTHING, repr=False, compare=False)

    @property
    def answer_text(self) -> str:
        """The answers as one text, for agents that take nothing else. Empty if there are none."""
        texts = (
            each.value if isinstance(each.value, str) else json.dumps(each.value)
            for each in self.answers
        )
        return "\n".join(texts)

    @property
    def confidential(self) -> set[str]:
        """All texts of the request that are masked in what the agent says."""
        callback_token = self.callback.token if self.callback else None
        return {*self.secrets, *filter(None, [self.owner_token, callback_token])}

    @property
    def callback_body(self) -> dict[str, str] | None:
        """The callback as a part of a request's body."""
        return {"url": self.callback.url, "token": self.callback.token} if self.callback else None

    @property
    def model_id(self) -> str | None:
        """The model that the agent is to use."""
        return self.options.get("modelId")

    @property
    def trace(self) -> str:
        """The value of X-Amzn-Trace-Id: the given one, Lambda's own, or a new one."""
        return self.trace_id or os.environ.get("_X_AMZN_TRACE_ID") or new_trace_id()


def new_session_id() -> str:
    """Make a session id in the only form that every agent accepts: 33 letters and digits."""
    return secrets.token_hex(17)[:33]


def new_trace_id() -> str:
    """Make a header that begins a trace (AWS X-Ray Developer Guide, "Trace header")."""
    digits = secrets.token_hex(20)
    root = f"1-{int(time.time()):08x}-{digits[:24]}"
    return f"Root={root};Parent={digits[24:]};Sampled=1"
