"""Traces of requests and runs, for all code. `moca.otel` makes the spans, and alone knows how.

While tracing is off, each function returns at once, and `opentelemetry` is never imported.

The `context` of a span is a text from which another process continues the trace: the values of the
W3C headers `traceparent` and `tracestate`, with a space between (https://www.w3.org/TR/trace-context/).
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from moca.logs import bind

# The kinds of spans.
INTERNAL, SERVER, CLIENT, CONSUMER = "internal", "server", "client", "consumer"
# The most characters of a context: a traceparent, a space, and a tracestate.
MOST_CHARACTERS = 600
MOST_STATE = 512
_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_XRAY_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_XRAY_PARENT = re.compile(r"[0-9a-f]{16}")

Attributes = Mapping[str, Any]


class Span:
    """A span that is not recorded. `moca.otel` has those that are.

    Attributes:
        context: the text from which others continue the trace; empty if there is none.
        headers: the headers of a request that continues the trace.
        ids: the ids for log lines.
    """

    context: str = ""
    headers: Mapping[str, str] = {}
    ids: Mapping[str, str] = {}

    def child(
        self, name: str, *, kind: str = INTERNAL, at: int = 0, attributes: Attributes | None = None
    ) -> "Span":
        """Begin a span below this one; `at` is a time in nanoseconds, or 0 for the present."""
        return self

    def set(self, attributes: Attributes) -> None:
        """Set attributes. Never give it prompts, outputs, secrets or messages of errors."""

    def rename(self, name: str) -> None:
        """Give the span the name that is known only by now."""

    def end(self, at: int = 0, error: str = "") -> None:
        """End the span; `error` names what went wrong, in one word. A second end does nothing."""


class Tracer(Protocol):
    """Makes spans that are recorded."""

    def begin(
        self, name: str, context: str, kind: str, at: int, attributes: Attributes | None
    ) -> Span:
        """Begin a span that continues a trace, or begins one if the context is empty."""


NOTHING = Span()
_tracer: Tracer | None = None
_current: ContextVar[Span] = ContextVar("span", default=NOTHING)


def use(tracer: Tracer | None) -> None:
    """Have a tracer make the spans of this process; None switches tracing off."""
    global _tracer
    _tracer = tracer


def is_on() -> bool:
    """Whether spans are recorded in this process."""
    return _tracer is not None


def now() -> int:
    """The present, in nanoseconds."""
    return time.time_ns()


def begin(
    name: str,
    *,
    context: str = "",
    kind: str = INTERNAL,
    at: int = 0,
    attributes: Attributes | None = None,
) -> Span:
    """Begin a span that continues the trace of a context, or a new trace if that is empty."""
    if _tracer is None:
        return NOTHING
    return _tracer.begin(name, context, kind, at, attributes)


def current() -> Span:
    """The span of the request or event that this thread or task handles."""
    return _current.get()


@contextmanager
def inside(span: Span) -> Iterator[Span]:
    """Make a span the current one, add its ids to log lines, and end it after the block."""
    token = _current.set(span)
    try:
        with bind(**span.ids):
            yield span
    except BaseException as error:
        span.end(error=type(error).__name__)
        raise
    finally:
        _current.reset(token)
        span.end()


def context_of(traceparent: str, tracestate: str = "") -> str:
    """The context in the headers of a request; empty if they name no valid trace."""
    parent = traceparent.strip()
    # A later version of the header may have more parts.
    if not _PARENT.fullmatch(parent[:55]) or not (len(parent) == 55 or parent[55] == "-"):
        return ""
    if parent.startswith("00") and len(parent) != 55:
        return ""
    state = tracestate.strip()
    is_good = state.isascii() and state.isprintable() and len(state) <= MOST_STATE
    return f"{parent[:55]} {state}" if state and is_good else parent[:55]


def xray_of(context: str) -> str:
    """The X-Ray header of a context; empty if that is."""
    if not context:
        return ""
    _, trace, parent, flags = context.partition(" ")[0].split("-")
    return f"Root=1-{trace[:8]}-{trace[8:]};Parent={parent};Sampled={int(flags, 16) & 1}"


def context_of_xray(header: str) -> str:
    """The context of an X-Ray header, such as Lambda's; empty if X-Ray does not sample the trace.

    Lambda has such a header even if nobody traces the function. A trace that continued it would be
    dropped.
    """
    parts = dict(part.strip().partition("=")[::2] for part in header.split(";"))
    root = _XRAY_ROOT.fullmatch(parts.get("Root", ""))
    parent = parts.get("Parent", "")
    if root is None or not _XRAY_PARENT.fullmatch(parent) or parts.get("Sampled") != "1":
        return ""
    return context_of(f"00-{root[1]}{root[2]}-{parent}-01")
