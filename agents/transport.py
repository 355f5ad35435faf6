"""One HTTP request within a time limit, and when to send it again."""

from __future__ import annotations

import functools
import ipaddress
import os
import random
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from agents import errors
from agents.errors import AgentError
from moca.sentences import Reason

CONNECT_TIMEOUT = 10.0

_PIECE_BYTES = 64 * 1024
# AWS Architecture Blog, "Exponential Backoff And Jitter": full jitter.
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 20.0

# The request was turned away before the agent could begin, and may be taken later.
_TRANSIENT = {402, 429, 503}
# AgentCore answers 409 with this error where it has not begun.
_RETRYABLE_CONFLICT = "RetryableConflict"
# The agent may have begun, although these are the client's errors: a request that was waited for,
# one that met another in its session, one that failed within AgentCore's runtime (424), and one
# that the client was taken to have left.
_BEGUN = {408, 409, 424, 499}

T = TypeVar("T")


def new_http(url: str) -> httpx.Client:
    """A client for `url`, safe to share between threads; close it after use.

    Redirects are not followed, because requests carry credentials. Proxies are those of the
    environment, but never for an address of this machine. A connection serves one request: an
    idle one that the other side has just closed cannot be told from a lost request, and a run may
    not be sent twice.
    """
    return httpx.Client(
        verify=_tls(),
        trust_env=not _is_local(httpx.URL(url).host),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        follow_redirects=False,
    )


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Deadline:
    """The moment at which a run must be over, kept even while a read is blocked.

    Used as a context manager around the run. HTTP time-outs begin anew with each byte, so an
    agent that drips would outlive them: at the deadline the connection is shut down instead,
    which ends the read. After leaving the block nothing happens any more.

    With `idle`, the connection is shut down too where between `listen()` and `hear()` so many
    seconds pass. Time in which nobody listens does not count.
    """

    def __init__(self, seconds: float, *, idle: float | None = None) -> None:
        self.seconds = seconds
        self.idle = idle
        self.is_silent = False
        self._listening_since: float | None = None
        self._end = time.monotonic() + seconds
        self._over = False
        self._socket: socket.socket | None = None
        self._changed = threading.Condition(threading.Lock())

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="agent-deadline", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        self._replace(None)

    @property
    def left(self) -> float:
        """Seconds until the deadline, never below 0."""
        return max(self._end - time.monotonic(), 0.0)

    def shorten(self, seconds: float) -> None:
        """Leave `seconds` at most from now on."""
        with self._changed:
            self._end = min(self._end, time.monotonic() + seconds)
            self._changed.notify()

    def check(self, *, reached: bool = False) -> None:
        """Raise AgentError when the deadline has passed."""
        if not self.left:
            raise self.error(reached=reached)

    def error(self, *, reached: bool) -> AgentError:
        """The error of a run that took too long."""
        seconds = round(self.seconds, 1)
        return AgentError(errors.TIMED_OUT(seconds=f"{seconds:g}"), kind="timeout", reached=reached)

    def listen(self) -> None:
        """Begin to wait for the next piece of an answer."""
        self._listening_since = time.monotonic()

    def hear(self) -> None:
        """Have the next piece."""
        self._listening_since = None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Learn of the connection; httpx calls this as its "trace" extension."""
        if event.endswith("connect_tcp.complete"):
            original = info["return_value"].get_extra_info("socket")
            # A descriptor of our own: shutting down one that httpx has closed meanwhile could hit
            # another connection which was given the same number.
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
        """Seconds until the other side has been silent for too long, if it stays so."""
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
    """POST once and return the response with its body unread; close it after use.

    Times are in seconds; `who` is the other side, `AGENT` or `TOKEN_ENDPOINT`.
    `read_timeout` is how long it may be silent, None for as long as the deadline lets it. Raises
    AgentError where no response came.
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
        raise AgentError(errors.HOST_INVALID(who=who), kind="configuration") from error


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
        return _unreachable(errors.CONNECT_TIMED_OUT(who=who, seconds=f"{connect:g}"))
    if isinstance(error, httpx.ConnectError):
        return _connect_error(error, who)
    if isinstance(error, httpx.TimeoutException):
        silent = errors.ANSWER_TIMED_OUT(who=who, seconds=f"{read:g}")
        return AgentError(silent, kind="timeout", reached=not unsent)
    if isinstance(error, httpx.LocalProtocolError):
        unsendable = errors.REQUEST_INVALID(who=who, error=type(error).__name__)
        return AgentError(unsendable, kind="configuration")
    return AgentError(errors.CONNECTION_CLOSED(who=who), kind="connection", reached=not unsent)


def _connect_error(error: httpx.ConnectError, who: Reason) -> AgentError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            invalid = errors.CERTIFICATE_INVALID(who=who, error=cause.verify_message)
            return AgentError(invalid, kind="connection")
        if isinstance(cause, socket.gaierror):
            return _unreachable(errors.HOST_UNRESOLVED(who=who))
        cause = cause.__cause__ or cause.__context__
    return _unreachable(errors.UNREACHABLE(who=who, error=str(error)))


def _unreachable(reason: Reason) -> AgentError:
    return AgentError(reason, kind="connection", transient=True)


def refusal(response: httpx.Response, who: Reason, body: bytes) -> AgentError:
    """The error for an HTTP status that is no success; `body` is quoted after it."""
    status = response.status_code
    code = errors.HTTP_REDIRECT if response.is_redirect else errors.HTTP_STATUS
    answer = f"{status} {response.reason_phrase}".rstrip()
    quoted = "" if response.is_redirect else body.decode("utf-8", "replace").strip()
    kind = response.headers.get("x-amzn-errortype", "")
    is_retryable = status == 409 and _RETRYABLE_CONFLICT in kind + quoted
    transient = status in _TRANSIENT or is_retryable
    return AgentError(
        code(who=who, answer=answer),
        kind="refused",
        quoted=quoted,
        reached=not transient and _may_have_begun(status),
        transient=transient,
        retry_after=_retry_after(response.headers.get("retry-after", "")),
        status=status,
        request_id=response.headers.get("x-amzn-requestid"),
    )


def _may_have_begun(status: int) -> bool:
    """Whether the agent may be at work after an answer that is no 200.

    A gateway that answers 502 or 504 had passed the request on (RFC 9110, 15.6.3 and 15.6.5), and
    a success of another kind may be work begun.
    """
    return 200 <= status < 300 or status >= 500 or status in _BEGUN


def plain_bytes(response: httpx.Response) -> Iterator[bytes]:
    """The body in small pieces, a compressed one as it is read and never whole in memory.

    Raises AgentError for an encoding other than gzip; none was asked for.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        yield from response.iter_raw()
        return
    if encoding != "gzip":
        unasked = errors.ANSWER_ENCODED(encoding=encoding[:50])
        raise AgentError(unasked, kind="protocol", reached=True)
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for chunk in response.iter_raw():
            while chunk:
                yield decoder.decompress(chunk, _PIECE_BYTES)
                chunk = decoder.unconsumed_tail
    except zlib.error as error:
        raise AgentError(errors.ANSWER_DAMAGED(), kind="protocol", reached=True) from error


def read_body(response: httpx.Response, limit: int) -> bytes:
    """The first `limit` bytes of a body, or those that came before it broke off."""
    body = bytearray()
    with suppress(httpx.HTTPError, AgentError):
        for chunk in plain_bytes(response):
            body += chunk
            if len(body) >= limit:
                break
    return bytes(body[:limit])


def _retry_after(value: str) -> float | None:
    """Seconds to wait, from seconds or an HTTP date (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    with suppress(ValueError, OverflowError):
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
    return None


def with_retries(call: Callable[[], T], *, deadline: Deadline, max_retries: int) -> T:
    """Call again after a transient AgentError, at most `max_retries` times, with full jitter.

    Raises the last error, or at once where the other side asks to wait longer than is left.
    """
    retries = 0
    while True:
        try:
            return call()
        except AgentError as error:
            if not error.transient or retries >= max_retries:
                if retries:
                    error.add(errors.TRIED, number=retries + 1)
                raise
            _pause(error, retries, deadline)
            retries += 1


def _pause(error: AgentError, retries: int, deadline: Deadline) -> None:
    ceiling = min(_FIRST_DELAY * 2**retries, _LONGEST_DELAY)
    delay = random.uniform(0, ceiling)  # noqa: S311  (spreads load, guards nothing)
    wait = error.retry_after
    if wait is not None and wait >= deadline.left:
        error.add(errors.ASKS_TO_WAIT, seconds=f"{wait:.0f}")
        raise error
    delay = max(delay, wait or 0.0)
    if delay >= deadline.left:
        raise error
    time.sleep(delay)
