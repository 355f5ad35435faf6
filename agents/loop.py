"""Calls agents on an event loop, for a process that has thousands of runs under way.

`agents.client` makes the requests and reads the answers; this module has the connections. It uses
aiohttp, which needs 0.5 ms of CPU and 12 KB for a call. Functions on AWS do not import it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from agents import errors
from agents.authorization import asks_nobody
from agents.cancellation import Cancellation
from agents.client import ERROR_BYTES, FAREWELL, AgentClient, Sending, silent
from agents.errors import AgentError
from agents.invocation import Invocation
from agents.masking import Mask
from agents.protocols import Answer
from agents.replies import Reply, Transcript
from agents.transport import (
    PIECE_BYTES,
    Decoder,
    connect_error,
    is_local,
    pause_after,
    refusal,
    tls,
    unreachable,
)

try:
    # An eighth less CPU for a call than with asyncio's own loop.
    from uvloop import run
except ImportError:
    # It has no build for Windows.
    from asyncio import run  # type: ignore[assignment]

__all__ = ["AgentLoop", "Gate", "run"]


class Gate(Protocol):
    """Limits how many requests one agent has at the same time."""

    async def enter(self) -> None:
        """Wait for a place."""

    def leave(self) -> None:
        """Give the place back."""

    def refused(self, error: AgentError) -> None:
        """Note that the agent refused a request, perhaps because it has too many."""


@dataclass(slots=True)
class _Try:
    """One try to send a request: whether the agent may have it."""

    is_connected: bool = False
    on_connected: Callable[[], None] | None = None


_try: ContextVar[_Try] = ContextVar("try")


class _Connector(aiohttp.TCPConnector):
    """Notes when a connection is there, because a request that was not sent may be sent again."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        connection = await super().connect(req, traces, timeout)
        this = _try.get()
        this.is_connected = True
        if this.on_connected is not None:
            this.on_connected()
        return connection


class AgentLoop:
    """The connections of one event loop. Make it and use it in that loop, as a context manager.

    It follows no redirects, keeps no cookies, and verifies certificates, as the client for threads
    does. Each connection serves one request: if the server closes an idle connection just then,
    that looks like a lost request, and a run must not be sent twice.

    Args:
        threads: fetch tokens and sign requests, which may block.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        # The proxy of each address, read once: the environment does not change.
        self._proxies: dict[str, str | None] = {}
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, force_close=True, ssl=tls()),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def invoke(
        self,
        client: AgentClient,
        invocation: Invocation,
        *,
        time_limit: float,
        max_retries: int,
        on_transcript: Callable[[Transcript], None] | None = None,
        cancellation: Cancellation | None = None,
        gate: Gate | None = None,
        on_sent: Callable[[], None] | None = None,
    ) -> Reply:
        """Send the prompt and read the answer to its end, as `AgentClient.invoke()` does.

        Args:
            gate: holds a place for the call while the agent has the request.
            on_sent: called when the request goes out, at each try.
        """
        sending = client.sending(invocation)
        call = _Call(self, client, sending, gate, cancellation or Cancellation(), time_limit)
        call.on_sent = on_sent
        with sending.masked():
            return await call.run(max_retries, on_transcript)

    async def token(self, client: AgentClient, left: float) -> str | None:
        """Return the token of an agent, from a thread if it has to be fetched."""
        if client.tokens.is_kept:
            return client.tokens.token(timeout=left)
        return await self._in_thread(lambda: client.tokens.token(timeout=left))

    async def headers(self, sending: Sending, token: str | None) -> dict[str, str]:
        """Return all headers of a request, from a thread if the signature needs credentials."""
        if asks_nobody(sending.client.authorize):
            found = sending.headers_with(token)
        else:
            found = await self._in_thread(lambda: sending.headers_with(token))
        return {name.decode(): value.decode() for name, value in found}

    async def open(self, sending: Sending, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """POST once, and return the response with its body unread."""
        url = sending.url
        if url not in self._proxies:
            self._proxies[url] = _proxy(url)
        connect = aiohttp.ClientTimeout(total=None, connect=sending.client.connect_timeout)
        return await self._session.post(
            URL(url, encoded=True),
            data=aiohttp.BytesPayload(sending.content),
            headers=headers,
            allow_redirects=False,
            proxy=self._proxies[url],
            timeout=connect,
        )

    async def _in_thread(self, ask: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)


class _Call:
    """One call of an agent, with its limits."""

    def __init__(
        self,
        loop: AgentLoop,
        client: AgentClient,
        sending: Sending,
        gate: Gate | None,
        cancellation: Cancellation,
        seconds: float,
    ) -> None:
        self._loop, self._client, self._sending = loop, client, sending
        self._gate, self._cancellation = gate, cancellation
        self._seconds = seconds
        self._has_place = False
        self.on_sent: Callable[[], None] | None = None
        self._response: aiohttp.ClientResponse | None = None
        self._answer: Answer | None = None
        # Whether the agent may have begun, in any of the tries.
        self._reached = False

    async def run(
        self, max_retries: int, on_transcript: Callable[[Transcript], None] | None
    ) -> Reply:
        loop = asyncio.get_running_loop()
        self._end = loop.time() + self._seconds
        if self._cancellation.is_requested or self._seconds <= 0:
            raise self._ended()
        scope = asyncio.timeout_at(self._end)

        def end_now() -> None:
            # It raises an error if the call is over.
            with suppress(RuntimeError):
                scope.reschedule(loop.time())

        def cancel() -> None:
            loop.call_soon_threadsafe(end_now)

        try:
            async with scope:
                self._cancellation.attach(cancel)
                self._response = response = await self._send(max_retries)
                # It is not sent again, and thousands of calls may wait for their answers.
                self._sending.content, self._sending.headers = b"", []
                reply = await self._read(response, on_transcript)
            await self._drain(response)
            return reply
        except TimeoutError as error:
            ended = self._ended()
            raise (self._answer.complete(ended) if self._answer else ended) from error
        finally:
            self._cancellation.detach()
            if self._response is not None:
                self._response.close()
            self._leave()

    def _ended(self) -> AgentError:
        """Make the error of a call that took too long or was cancelled."""
        if self._cancellation.is_requested:
            return AgentError(errors.CANCELLED(), kind="cancelled", reached=self._reached)
        seconds = f"{round(self._seconds, 1):g}"
        timed_out = errors.TIMED_OUT(seconds=seconds)
        return AgentError(timed_out, kind="timeout", reached=self._reached)

    @property
    def _left(self) -> float:
        return max(self._end - asyncio.get_running_loop().time(), 0.0)

    async def _send(self, max_retries: int) -> aiohttp.ClientResponse:
        """Send until there is a response of status 200, once more if the token is refused."""
        for tried in count(1):
            try:
                return await self._try()
            except AgentError as error:
                pause = pause_after(error, tried, left=self._left, max_retries=max_retries)
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def _try(self) -> aiohttp.ClientResponse:
        token = await self._token()
        try:
            return await self._open(token)
        except AgentError as error:
            if not self._sending.may_renew(error, token):
                raise
            self._client.tokens.discard(token or "")
            if await self._token() == token:
                raise
        return await self._try()

    async def _token(self) -> str | None:
        try:
            with self._client.token_span(self._sending.span):
                return await self._loop.token(self._client, self._left)
        except AgentError as error:
            if error.kind == "timeout":
                raise self._ended() from error
            # The token endpoint has already been asked again.
            error.transient = False
            raise

    async def _open(self, token: str | None) -> aiohttp.ClientResponse:
        headers = await self._loop.headers(self._sending, token)
        await self._enter()
        this = _Try(on_connected=self.on_sent)
        _try.set(this)
        try:
            response = await self._loop.open(self._sending, headers)
        except (aiohttp.ClientError, OSError, UnicodeError, ValueError) as error:
            self._leave()
            raise self._unanswered(error, is_sent=this.is_connected) from error
        except asyncio.CancelledError:
            self._reached = this.is_connected
            raise
        if response.status == 200:
            self._reached = True
            return response
        try:
            body = await _beginning(response)
        finally:
            response.close()
            self._leave()
        refused = refusal(
            response.status, response.reason or "", response.headers, errors.AGENT, body
        )
        if self._gate is not None:
            self._gate.refused(refused)
        raise refused

    async def _enter(self) -> None:
        if self._gate is not None:
            await self._gate.enter()
            self._has_place = True

    def _leave(self) -> None:
        if self._gate is not None and self._has_place:
            self._has_place = False
            self._gate.leave()

    def _unanswered(self, error: Exception, *, is_sent: bool) -> AgentError:
        who = errors.AGENT
        match error:
            case aiohttp.InvalidURL() | UnicodeError():
                return errors.misconfigured(errors.HOST_INVALID(who=who))
            case aiohttp.ConnectionTimeoutError():
                seconds = f"{self._client.connect_timeout:g}"
                return unreachable(errors.CONNECT_TIMED_OUT(who=who, seconds=seconds))
            case aiohttp.ClientHttpProxyError():
                return AgentError(errors.CONNECTION_CLOSED(who=who), kind="connection")
            case aiohttp.ClientConnectorError():
                number = error.os_error.errno
                reason = f"[Errno {number}] {os.strerror(number)}" if number else str(error)
                return connect_error(error, who, reason)
            case ValueError() if not is_sent and not isinstance(error, aiohttp.ClientError):
                invalid = errors.REQUEST_INVALID(who=who, error=type(error).__name__)
                return errors.misconfigured(invalid)
        closed = errors.CONNECTION_CLOSED(who=who)
        return AgentError(closed, kind="connection", reached=is_sent)

    async def _read(
        self,
        response: aiohttp.ClientResponse,
        on_transcript: Callable[[Transcript], None] | None,
    ) -> Reply:
        self._answer = Answer(
            response.headers.get("content-type", ""),
            None,
            Mask(self._sending.secrets),
            self._client.protocol,
            on_transcript,
        )
        with self._answer.explained():
            await self._feed(self._answer, response)
            return self._answer.reply()

    async def _feed(self, answer: Answer, response: aiohttp.ClientResponse) -> None:
        decoder = Decoder(response.headers.get("content-encoding", ""))
        limit: float | None = None
        while chunk := await self._chunk(response, limit):
            # An agent may think for as long as it likes before its first byte.
            limit = self._client.idle_timeout
            for piece in decoder.pieces(chunk):
                if answer.feed(piece):
                    return
                if len(piece) >= PIECE_BYTES:
                    # Others have their turn, and the time limit its effect: a compressed chunk may
                    # become a thousand times as long.
                    await asyncio.sleep(0)

    async def _chunk(self, response: aiohttp.ClientResponse, limit: float | None) -> bytes:
        """Return what has come, or b"" at the end of the body."""
        try:
            if limit is None:
                return await response.content.readany()
            return await self._chunk_within(response, limit)
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            broke = errors.CONNECTION_BROKE()
            raise AgentError(broke, kind="connection", reached=True) from error

    async def _chunk_within(self, response: aiohttp.ClientResponse, limit: float) -> bytes:
        try:
            async with asyncio.timeout(limit):
                return await response.content.readany()
        except TimeoutError as error:
            raise silent(limit) from error

    async def _drain(self, response: aiohttp.ClientResponse) -> None:
        """Read the rest after the answer: a hang-up could look like an abort to the agent."""
        with suppress(aiohttp.ClientError, OSError):
            async with asyncio.timeout(min(FAREWELL, self._left)):
                while await response.content.readany():
                    pass


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Read the beginning of a refusal's body, or less if it breaks off."""
    body = bytearray()
    with suppress(aiohttp.ClientError, OSError, AgentError):
        decoder = Decoder(response.headers.get("content-encoding", ""))
        while len(body) < ERROR_BYTES and (chunk := await response.content.readany()):
            for piece in decoder.pieces(chunk):
                body += piece
                if len(body) >= ERROR_BYTES:
                    break
    return bytes(body[:ERROR_BYTES])


def _proxy(url: str) -> str | None:
    """Return the proxy of the environment for a URL; None for an address of this machine."""
    parsed = URL(url, encoded=True)
    host = parsed.host or ""
    proxies = getproxies()
    if not proxies or is_local(host) or proxy_bypass(host):
        return None
    return proxies.get(parsed.scheme) or proxies.get("all")
