"""Sends HTTP requests within a time limit, and decides which may be sent again.

The agent client and the fetching of tokens use it.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from agents import errors
from agents.cancellation import Cancellation
from agents.errors import AgentError
from moca.retry import backoff
from moca.sentences import Reason

CONNECT_TIMEOUT = 10.0

PIECE_BYTES = 64 * 1024
# The longest pauses between tries, in seconds: before the second try, and before any.
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 20.0

# Statuses of requests that were refused before the agent began, and may succeed later.
_RETRIED_STATUSES = {402, 429, 503}
_REDIRECTS = range(300, 400)
# AgentCore answers 409 with this error if it has not begun.
_RETRYABLE_CONFLICT = "RetryableConflict"
# Statuses after which the agent may have begun, although they are the client's errors: the request
# came too slowly (408), met another in its session (409), failed within AgentCore's runtime (424),
# or seemed to be given up by its client (499).
_BEGUN = {408, 409, 424, 499}

T = TypeVar("T")


def new_http(url: str) -> httpx.Client:
    """Make an HTTP client for `url`, safe to share between threads. Close it after use.

    It follows no redirects, because requests have credentials. It uses the proxies of the
    environment, but never for an address of this machine. Each connection serves one request: if
    the server closes an idle connection just then, that looks like a lost request, and a run must
    not be sent twice.
    """
    return httpx.Client(
        verify=tls(),
        trust_env=not is_local(httpx.URL(url).host),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        follow_redirects=False,
    )


@functools.cache
def tls() -> ssl.SSLContext:
    """Return the settings of TLS, which take 10 ms and 1 MB to make."""
    return httpx.create_ssl_context()


def is_local(host: str) -> bool:
    """Whether a host is this machine, which no proxy reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Deadline:
    """Ends a run at its deadline, even while a read is blocked.

    Use it as a context manager around the run. HTTP time-outs start again with each byte, and an
    agent that sends single bytes slowly would never reach them. The deadline therefore shuts the
    connection down, which ends the read. It does nothing after the block.

    With `idle`, it also shuts the connection down if that many seconds pass between `listen()` and
    `hear()`. Time in which nobody listens does not count.

    With `cancellation`, another thread can end the run in the same way before its deadline.
    """

    def __init__(
        self,
        seconds: float,
        *,
        idle: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> None:
        self.seconds = seconds
        self.idle = idle
        self.is_silent = False
        self.is_cancelled = False
        self._cancellation = cancellation or Cancellation()
        self._listening_since: float | None = None
        self._end = time.monotonic() + seconds
        self._over = False
        self._socket: socket.socket | None = None
        self._changed = threading.Condition(threading.Lock())

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="agent-deadline", daemon=True).start()
        self._cancellation.attach(self._cancel)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cancellation.detach()
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._replace(None)

    @property
    def left(self) -> float:
        """Seconds until the deadline, never below 0."""
        return max(self._end - time.monotonic(), 0.0)

    def shorten(self, seconds: float) -> None:
        """Move the deadline to `seconds` from now, if that is earlier."""
        with self._changed:
            self._end = min(self._end, time.monotonic() + seconds)
            self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until the run is cancelled."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_cancelled, seconds)

    def _cancel(self) -> None:
        with self._changed:
            self.is_cancelled = True
            self._end = time.monotonic()
            self._changed.notify_all()

    def check(self, *, reached: bool = False) -> None:
        """Raise AgentError if the deadline has passed, or the run was cancelled."""
        if not self.left:
            raise self.error(reached=reached)

    def error(self, *, reached: bool) -> AgentError:
        """Make the error of a run that took too long or was cancelled."""
        if self.is_cancelled:
            return AgentError(errors.CANCELLED(), kind="cancelled", reached=reached)
        seconds = round(self.seconds, 1)
        return AgentError(errors.TIMED_OUT(seconds=f"{seconds:g}"), kind="timeout", reached=reached)

    def listen(self) -> None:
        """Start to wait for the next chunk of an answer."""
        self._listening_since = time.monotonic()

    def hear(self) -> None:
        """Stop waiting, because a chunk has come."""
        self._listening_since = None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Remember the connection. httpx calls this as its "trace" extension."""
        if event.endswith("connect_tcp.complete"):
            original = info["return_value"].get_extra_info("socket")
            # Duplicate the descriptor: if httpx has closed its own meanwhile, another connection
            # may have the same number, and we would shut that one down.
            self._replace(socket.socket(fileno=os.dup(original.fileno())))

    def _replace(self, connection: socket.socket | None) -> None:
        with self._changed:
            if self._socket is not None:
                self._socket.close()
            self._socket = connection
            if not self.left:
                self._shut_down()

    def _watch(self) -> None:
        with self._changed:
            while self.left and not self._over and not self.is_silent:
                self._changed.wait(min(self.left, self._patience(), threading.TIMEOUT_MAX))
                self.is_silent = not self._patience()
            self._shut_down()

    def _patience(self) -> float:
        """Return the seconds until the other side has been silent for too long."""
        if self.idle is None:
            return threading.TIMEOUT_MAX
        since = self._listening_since
        return self.idle if since is None else max(since + self.idle - time.monotonic(), 0.0)

    def _shut_down(self) -> None:
        with suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)


def post(
    http: httpx.Client,
    url: httpx.URL,
    *,
    headers: list[tuple[bytes, bytes]],
    content: bytes,
    deadline: Deadline,
    connect_timeout: float,
    who: Reason,
    read_timeout: float | None = None,
) -> httpx.Response:
    """POST once and return the response with its body unread. Close it after use.

    Times are in seconds. `who` is the other side, `AGENT` or `TOKEN_ENDPOINT`. It may be silent for
    `read_timeout`, or until the deadline if that is None. Raises AgentError if no response came.
    """
    deadline.check()
    read = deadline.left if read_timeout is None else min(read_timeout, deadline.left)
    connect = min(connect_timeout, deadline.left)
    request = httpx.Request(
        "POST",
        url,
        headers=headers,
        content=content,
        extensions={
            "timeout": {"connect": connect, "read": read, "write": read, "pool": None},
            "trace": deadline.trace,
        },
    )
    try:
        return http.send(request, stream=True)
    except httpx.HTTPError as error:
        raise _unanswered(error, deadline, connect=connect, read=read, who=who) from error
    except UnicodeError as error:
        raise errors.misconfigured(errors.HOST_INVALID(who=who)) from error


def _unanswered(
    error: httpx.HTTPError, deadline: Deadline, *, connect: float, read: float, who: Reason
) -> AgentError:
    unsent = isinstance(
        error,
        httpx.ConnectError
        | httpx.ConnectTimeout
        | httpx.WriteTimeout
        | httpx.ProxyError
        | httpx.LocalProtocolError
        | httpx.UnsupportedProtocol,
    )
    if not deadline.left:
        return deadline.error(reached=not unsent)
    if isinstance(error, httpx.ConnectTimeout):
        return unreachable(errors.CONNECT_TIMED_OUT(who=who, seconds=f"{connect:g}"))
    if isinstance(error, httpx.ConnectError):
        return connect_error(error, who, str(error))
    if isinstance(error, httpx.TimeoutException):
        silent = errors.ANSWER_TIMED_OUT(who=who, seconds=f"{read:g}")
        return AgentError(silent, kind="timeout", reached=not unsent)
    if isinstance(error, httpx.LocalProtocolError):
        unsendable = errors.REQUEST_INVALID(who=who, error=type(error).__name__)
        return errors.misconfigured(unsendable)
    return AgentError(errors.CONNECTION_CLOSED(who=who), kind="connection", reached=not unsent)


def connect_error(error: Exception, who: Reason, words: str) -> AgentError:
    """Make the error of a connection that could not be made; `words` say why."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            invalid = errors.CERTIFICATE_INVALID(who=who, error=cause.verify_message)
            return AgentError(invalid, kind="connection")
        if isinstance(cause, socket.gaierror):
            return unreachable(errors.HOST_UNRESOLVED(who=who))
        cause = cause.__cause__ or cause.__context__
    return unreachable(errors.UNREACHABLE(who=who, error=words))


def unreachable(reason: Reason) -> AgentError:
    """Make the error of a request that did not get to the other side, and may be sent again."""
    return AgentError(reason, kind="connection", transient=True)


def refusal(
    status: int, phrase: str, headers: Mapping[str, str], who: Reason, body: bytes
) -> AgentError:
    """Make the error of an HTTP status that is no success. It quotes `body`.

    `phrase` is the reason phrase of the status line. The names of `headers` have no case.
    """
    is_redirect = status in _REDIRECTS
    code = errors.HTTP_REDIRECT if is_redirect else errors.HTTP_STATUS
    answer = f"{status} {phrase}".rstrip()
    quoted = "" if is_redirect else body.decode("utf-8", "replace").strip()
    kind = headers.get("x-amzn-errortype", "")
    is_retryable = status == 409 and _RETRYABLE_CONFLICT in kind + quoted
    transient = status in _RETRIED_STATUSES or is_retryable
    return AgentError(
        code(who=who, answer=answer),
        kind="refused",
        quoted=quoted,
        reached=not transient and _may_have_begun(status),
        transient=transient,
        retry_after=_retry_after(headers.get("retry-after", "")),
        status=status,
        request_id=headers.get("x-amzn-requestid"),
    )


def _may_have_begun(status: int) -> bool:
    """Whether the agent may be at work after an answer that is no 200.

    A gateway that answers 502 or 504 has passed the request on (RFC 9110, 15.6.3 and 15.6.5). After
    another success, such as 202, the agent may have begun too.
    """
    return 200 <= status < 300 or status >= 500 or status in _BEGUN


class Decoder:
    """Takes a body out of its content encoding, in small pieces: it is never whole in memory.

    Args:
        encoding: the response's header `Content-Encoding`.

    Raises AgentError for an encoding other than gzip, because we asked for none.
    """

    def __init__(self, encoding: str) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip"):
            unasked = errors.ANSWER_ENCODED(encoding=encoding[:50])
            raise AgentError(unasked, kind="protocol", reached=True)
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding == "gzip" else None

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the plain pieces of a chunk."""
        if self._gzip is None:
            yield chunk
            return
        try:
            while chunk:
                yield self._gzip.decompress(chunk, PIECE_BYTES)
                chunk = self._gzip.unconsumed_tail
        except zlib.error as error:
            raise AgentError(errors.ANSWER_DAMAGED(), kind="protocol", reached=True) from error


def plain_bytes(response: httpx.Response) -> Iterator[bytes]:
    """Yield the body in small pieces. A compressed one is never whole in memory.

    Raises AgentError for an encoding other than gzip, because we asked for none.
    """
    decoder = Decoder(response.headers.get("content-encoding", ""))
    for chunk in response.iter_raw():
        yield from decoder.pieces(chunk)


def read_body(response: httpx.Response, limit: int) -> bytes:
    """Read the first `limit` bytes of a body, or fewer if it breaks off."""
    body = bytearray()
    with suppress(httpx.HTTPError, AgentError):
        for chunk in plain_bytes(response):
            body += chunk
            if len(body) >= limit:
                break
    return bytes(body[:limit])


def _retry_after(value: str) -> float | None:
    """Read the seconds to wait from a number or an HTTP date (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    with suppress(ValueError, OverflowError):
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
    return None


def with_retries(call: Callable[[], T], *, deadline: Deadline, max_retries: int) -> T:
    """Retry after a transient AgentError, at most `max_retries` times, with full jitter.

    Raises the last error. Raises it at once if the other side asks to wait longer than is left.
    """
    for tried in count(1):
        try:
            return call()
        except AgentError as error:
            pause = pause_after(error, tried, left=deadline.left, max_retries=max_retries)
        deadline.sleep(pause)
    raise AssertionError("unreachable")


def pause_after(error: AgentError, tried: int, *, left: float, max_retries: int) -> float:
    """Return the seconds until a call that failed is tried again; raises the error if it is not.

    Args:
        error: the failure of the last try.
        tried: the tries so far.
        left: the seconds until the deadline.
        max_retries: how many tries may follow the first one.
    """
    is_last = not error.transient or tried > max_retries
    if is_last:
        if tried > 1:
            error.add(errors.TRIED, number=tried)
        raise error
    if error.retry_after is not None and error.retry_after >= left:
        error.add(errors.ASKS_TO_WAIT, seconds=f"{error.retry_after:.0f}")
    pause = max(backoff(tried, _FIRST_DELAY, _LONGEST_DELAY), error.retry_after or 0.0)
    if pause >= left:
        raise error
    return pause
