"""What an agent said and used, as a run gets it."""

from __future__ import annotations

from dataclasses import dataclass

from agents.output import Output


@dataclass(frozen=True, slots=True)
class Reply:
    """What the agent said and used.

    Token counts are sums over its model calls; `duration_ms` is its own figure, in milliseconds.
    `request_id`, `session_id` and `duration_ms` are None where it named none.
    """

    output: Output
    input_tokens: int
    output_tokens: int
    request_id: str | None
    session_id: str | None
    duration_ms: int | None
