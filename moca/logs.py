"""Log formatters and the ids on log lines, for all processes.

`bind(requestId=...)` adds ids to all lines logged inside its block. Ids of a single line go in
`extra={"triggerId": ...}`. Never log secrets, tokens, prompts or whole events.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from moca.times import iso

FIELDS = (
    *("requestId", "triggerId", "executionId", "userId", "outcome", "errorCode"),
    *("traceId", "spanId"),
)
# Characters that end a line or control a terminal: the control characters C0 and C1, Unicode's
# line separators, and the marks that change the direction of text.
_STEERING = (*range(32), *range(127, 160), 0x061C, 0x200E, 0x200F)
_STEERING += (*range(0x2028, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _STEERING}
_IN_TRACEBACKS = {code: text for code, text in _CONTROLS.items() if chr(code) not in "\n\t"}
_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in _STEERING if code > 126}
_context: ContextVar[dict[str, str] | None] = ContextVar("log_context", default=None)


@contextmanager
def bind(**ids: str) -> Iterator[None]:
    """Add ids to every line logged inside the block, in this thread or task."""
    token = _context.set({**(_context.get() or {}), **ids})
    try:
        yield
    finally:
        _context.reset(token)


class LineLimit:
    """Limits log lines that anybody can cause, so they cannot fill the log. It is thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = float("-inf")
        self._lines = self._left_out = 0

    def next(self, lines: int, seconds: float) -> int | None:
        """Ask whether to log one more line.

        Args:
            lines: the most lines in a period.
            seconds: the length of a period.

        Returns:
            The number of lines left out since the last one; None if this line should be left out.
        """
        now = time.monotonic()
        with self._lock:
            if now - self._began >= seconds:
                self._began, self._lines = now, 0
            self._lines += 1
            if self._lines > lines:
                self._left_out += 1
                return None
            left_out, self._left_out = self._left_out, 0
            return left_out


class ContextFilter(logging.Filter):
    """Adds the bound ids to each record, unless it has its own."""

    def filter(self, record: logging.LogRecord) -> bool:
        # Django logs some answers after the middleware that bound the request's id has returned.
        request_id = getattr(getattr(record, "request", None), "request_id", None)
        ids = {**(_context.get() or {}), **({"requestId": request_id} if request_id else {})}
        for name, value in ids.items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


def _ids(record: logging.LogRecord) -> dict[str, str]:
    return {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, ids, and the traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_ids(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # Some log readers split lines at these characters, so escape them.
        return json.dumps(line, ensure_ascii=False).translate(_JSON_ESCAPES)


class TextFormatter(logging.Formatter):
    """A plain line for a terminal: time, level, message, then the ids.

    Control characters are escaped, since messages may contain text from outside.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        record.message = record.message.translate(_CONTROLS)
        ids = " ".join(f"{name}={value}" for name, value in _ids(record).items())
        return f"{super().formatMessage(record)}  {ids.translate(_CONTROLS)}".rstrip()

    def formatException(self, ei: Any) -> str:  # noqa: N802  (logging's name)
        return super().formatException(ei).translate(_IN_TRACEBACKS)
