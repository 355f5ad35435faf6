"""Calls an agent once: sends a prompt and reads the answer, for the runner and the doctor."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Self
from urllib.parse import quote as percent_encode
from urllib.parse import unquote

import httpx

from agents import errors
from agents.authorization import Authorize, Headers, bearer
from agents.cancellation import Cancellation
from agents.errors import AgentError
from agents.invocation import Invocation
from agents.masking import Mask
from agents.output import Output
from agents.protocols import PROTOCOLS, Protocol, Request, read_answer, reported_failure
from agents.replies import Reply, Transcript, reply_of_task
from agents.tokens import Tokens
from agents.transport import (
    CONNECT_TIMEOUT,
    Deadline,
    new_http,
    plain_bytes,
    post,
    read_body,
    refusal,
    with_retries,
)
from moca.tracing import CLIENT, NOTHING, Span

# Bytes of an error's body that are read. Masking shortens it, so this is more than is quoted.
ERROR_BYTES = 16 * 1024
# Seconds that the agent has to close its stream after its completion event.
FAREWELL = 1.0
# Seconds that the agent has to acknowledge that a run is cancelled, and how often this is retried.
_CANCEL_SECONDS = 5.0
_CANCEL_RETRIES = 1
_RUNTIME_ARN = re.compile(
    r"(?P<arn>arn:(?P<partition>aws[a-z-]*):bedrock-agentcore:(?P<region>[a-z0-9-]+):\d{12}"
    r":runtime/[\w-]+)(?P<query>\?.*)?"
)
_RUNTIME_PATH = re.compile(r"((?>.*/runtimes/))(arn(?::|%3a).+?)(?:/invocations)?/?", re.IGNORECASE)


# An agent that acts for its users reads a token of the user from it.
_OWNER_TOKEN_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Id-Token"  # noqa: S105  (no token)
# An agent may call back with the result of its run; AgentCore passes on only headers like these.
_CALLBACK_URL_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Result-Url"
_CALLBACK_TOKEN_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Result-Token"  # noqa: S105
_FIXED_HEADERS = {
    "Content-Type": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "moca-triggers",
    "X-Amzn-Bedrock-AgentCore-Runtime-Session-Type": "event",
}


class AgentClient:
    """Calls one agent. Safe to share between threads; close it after use.

    `agent_url` completes `url`. `protocol` makes requests and reads answers, `authorize` makes the
    headers that authorize a request. `connect_timeout` and `idle_timeout` are in seconds. A run
    ends if its agent has begun to answer and then sends nothing for `idle_timeout`; None is no
    limit. The caller may pass an `http` client, and closes it. Raises AgentError for a URL that
    cannot be called.
    """

    def __init__(
        self,
        url: str,
        tokens: Tokens,
        *,
        protocol: Protocol = PROTOCOLS["invocations"],
        authorize: Authorize = bearer,
        connect_timeout: float = CONNECT_TIMEOUT,
        idle_timeout: float | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self.protocol = protocol
        self.url = agent_url(url, protocol.path)
        self._url = httpx.URL(self.url)
        self.tokens = tokens
        self.authorize = authorize
        self.connect_timeout = connect_timeout
        self.idle_timeout = idle_timeout
        self._given_http = http

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The client cannot be used afterwards."""
        if self._given_http is None:
            self._http.close()

    @cached_property
    def _http(self) -> httpx.Client:
        # Made when it is first used: calls on an event loop have another one.
        return self._given_http or new_http(self.url)

    def watch(self, on_response: Callable[[httpx.Response], None]) -> None:
        """Call a function with each response from now on, before its body is read."""
        self._http.event_hooks = {"response": [on_response]}

    def obtain_token(self, time_limit: float) -> None:
        """Obtain a token within `time_limit` seconds, or raise AgentError."""
        with Deadline(time_limit) as deadline:
            self._token(deadline)

    def reach(self, time_limit: float) -> None:
        """Check that a server answers at the agent's address, without starting a run.

        Any answer is good. Raises AgentError if none comes within `time_limit` seconds.
        """
        try:
            self._http.get(self._url.copy_with(path="/ping", query=None), timeout=time_limit)
        except httpx.HTTPError as error:
            host = self._url.netloc.decode()
            nobody = errors.NOBODY_ANSWERS(host=host, error=type(error).__name__)
            raise AgentError(nobody, kind="connection") from error

    def invoke(
        self,
        invocation: Invocation,
        *,
        time_limit: float,
        max_retries: int,
        on_output: Callable[[Output], None] | None = None,
        on_transcript: Callable[[Transcript], None] | None = None,
        cancellation: Cancellation | None = None,
    ) -> Reply:
        """Send the prompt and read the answer to its end, all within `time_limit` seconds.

        A request that did not reach the agent is sent again up to `max_retries` times. It is sent
        once more with a new token if the agent refuses the first one. After the first byte of an
        answer it is never sent again: the agent has begun. `on_output` is called with the growing
        output after each chunk that brought text, `on_transcript` after each chunk with all that
        has come. Their exceptions are passed on. `cancellation` lets another thread end the call,
        which then raises AgentError of kind "cancelled".

        Raises AgentError, whose `reply` has what the agent said before it failed.
        """
        sending = self.sending(invocation)
        with (
            sending.masked(),
            Deadline(time_limit, idle=self.idle_timeout, cancellation=cancellation) as deadline,
        ):
            response = self._send(sending, deadline, max_retries)
            try:
                media_type = response.headers.get("content-type", "")
                chunks = self._chunks(response, deadline)
                mask = Mask(sending.secrets)
                reply = read_answer(
                    chunks, media_type, on_output, mask, self.protocol, on_transcript
                )
                _drain(chunks, deadline)
                return reply
            finally:
                response.close()

    def cancel(self, invocation: Invocation, reply: Reply | None) -> bool:
        """Tell the agent that a run is cancelled whose connection is closed already.

        The protocol's own request goes first. An AgentCore runtime without one gets
        StopRuntimeSession, which ends the run's session. The request is sent once more if it did
        not arrive. `reply` is what the agent had said, or None.

        Returns False if there is no such request. Raises AgentError if the agent refuses it, or
        does not acknowledge it within 5 seconds.
        """
        if reply is None and invocation.task_id:
            # The agent's task of an earlier request, which had not said anything to this one.
            reply = reply_of_task(invocation.task_id)
        request = self.protocol.cancel(reply) if reply else None
        url = self.url if request else stop_url(self.url)
        if url is None:
            return False
        if request is None:
            # The same token makes the same request idempotent.
            request = Request(json.dumps({"clientToken": invocation.execution_id}).encode())
        own = {"Accept": "application/json", "Idempotency-Key": f"{invocation.execution_id}-cancel"}
        request = Request(request.content, {**request.headers, **own})
        body, mask = self.fetch(
            invocation,
            request,
            time_limit=_CANCEL_SECONDS,
            most_bytes=ERROR_BYTES,
            max_retries=_CANCEL_RETRIES,
            url=url,
        )
        if failure := reported_failure(body):
            failure.hide(mask)
            raise failure
        return True

    def fetch(
        self,
        invocation: Invocation,
        request: Request,
        *,
        time_limit: float,
        most_bytes: int,
        max_retries: int = 0,
        url: str = "",
        cancellation: Cancellation | None = None,
    ) -> tuple[bytes, Mask]:
        """Send a request about a run that was begun before, and read its answer whole.

        Returns the first `most_bytes` of the body, which is not masked yet, and the mask of all
        that was sent. `url` is the agent's if it is empty. Raises AgentError.
        """
        sending = self._sending(invocation, request, url)
        with sending.masked(), Deadline(time_limit, cancellation=cancellation) as deadline:
            response = self._send(sending, deadline, max_retries)
            try:
                body = read_body(response, most_bytes)
            finally:
                response.close()
            # If we shut the connection down, the body is cut off.
            deadline.check(reached=True)
        return body, Mask(sending.secrets)

    def sending(self, invocation: Invocation) -> Sending:
        """Make what is sent for an invocation; raises AgentError if it cannot be sent."""
        return self._sending(invocation, self.protocol.request(invocation, self.url))

    def _sending(self, invocation: Invocation, request: Request, url: str = "") -> Sending:
        headers = self._headers(invocation, request)
        secrets, span = invocation.confidential, invocation.span
        return Sending(self, request.content, headers, secrets, url or self.url, span)

    def _headers(self, invocation: Invocation, request: Request) -> list[tuple[bytes, bytes]]:
        """Return the headers of a request. Raises AgentError if a header cannot have its value."""
        values = {
            "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": invocation.session_id,
            "X-Amzn-Trace-Id": invocation.trace,
            "Idempotency-Key": invocation.execution_id,
            **invocation.span.headers,
        }
        if invocation.owner_token:
            values[_OWNER_TOKEN_HEADER] = invocation.owner_token
        if invocation.callback:
            values[_CALLBACK_URL_HEADER] = invocation.callback.url
            values[_CALLBACK_TOKEN_HEADER] = invocation.callback.token
        for name, value in values.items():
            if not (value.isascii() and value.isprintable()):
                raise errors.misconfigured(errors.HEADER_INVALID(name=name))
        values |= {"Accept": self.protocol.accept, **_FIXED_HEADERS, **request.headers}
        return [(name.encode(), value.encode()) for name, value in values.items()]

    def _send(self, sending: Sending, deadline: Deadline, retries: int) -> httpx.Response:
        """Send until there is a response of status 200, once more if the token is refused."""

        def once() -> httpx.Response:
            token = self._token(deadline, sending.span)
            try:
                return self._open(sending, sending.headers_with(token), deadline)
            except AgentError as error:
                if not sending.may_renew(error, token):
                    raise
                self.tokens.discard(token or "")
                if self._token(deadline, sending.span) == token:
                    raise
            return once()

        return with_retries(once, deadline=deadline, max_retries=retries)

    def _token(self, deadline: Deadline, span: Span = NOTHING) -> str | None:
        deadline.check()
        try:
            with self.token_span(span):
                return self.tokens.token(timeout=deadline.left)
        except AgentError as error:
            if error.kind == "timeout":
                raise deadline.error(reached=False) from error
            # The token endpoint has already been asked again.
            error.transient = False
            raise

    @contextmanager
    def token_span(self, span: Span) -> Iterator[None]:
        """Trace the fetching of a token below the agent's span; nothing if a token is kept."""
        if span is NOTHING or self.tokens.is_kept:
            yield
            return
        child = span.child("token", kind=CLIENT)
        try:
            yield
        except AgentError as error:
            child.end(error=error.code)
            raise
        finally:
            child.end()

    def _open(self, sending: Sending, headers: Headers, deadline: Deadline) -> httpx.Response:
        """Send once, and return a response of status 200 with its body unread."""
        response = post(
            self._http,
            httpx.URL(sending.url),
            headers=headers,
            content=sending.content,
            deadline=deadline,
            connect_timeout=self.connect_timeout,
            who=errors.AGENT,
        )
        if response.status_code == 200:
            return response
        try:
            body = read_body(response, ERROR_BYTES)
        finally:
            response.close()
        status, phrase = response.status_code, response.reason_phrase
        raise refusal(status, phrase, response.headers, errors.AGENT, body)

    def _chunks(self, response: httpx.Response, deadline: Deadline) -> Iterator[bytes]:
        try:
            for chunk in plain_bytes(response):
                deadline.hear()
                deadline.check(reached=True)
                yield chunk
                deadline.listen()
        except httpx.HTTPError as error:
            self._check(deadline)
            broke = errors.CONNECTION_BROKE()
            raise AgentError(broke, kind="connection", reached=True) from error
        # If we shut the connection down, that may look like the end of an answer without a length.
        self._check(deadline)

    def _check(self, deadline: Deadline) -> None:
        """Raise AgentError if we ended the connection ourselves."""
        deadline.check(reached=True)
        if deadline.is_silent:
            raise silent(self.idle_timeout or 0.0)


@dataclass(slots=True)
class Sending:
    """One request of a call, which may be sent several times, with other tokens.

    Attributes:
        client: whose tokens and signature it has.
        content: the body.
        headers: those that do not authorize it.
        secrets: what is masked in answers, the tokens that were sent among them.
        url: the address.
        span: the span of the agent.
    """

    client: AgentClient
    content: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    secrets: set[str] = field(repr=False)
    url: str
    span: Span = NOTHING
    _has_renewed: bool = False

    def headers_with(self, token: str | None) -> Headers:
        """Return all headers, for one try. Its secrets are masked from now on."""
        self.secrets.update([token] if token else [])
        added = self.client.authorize(token, self.url, self.headers, self.content)
        self.secrets.update(value.decode() for name, value in added if _is_secret(name))
        return [*added, *self.headers]

    def may_renew(self, error: AgentError, token: str | None) -> bool:
        """Whether to try once more with a new token; True once in a call."""
        if error.status != 401 or token is None or self._has_renewed:
            return False
        self._has_renewed = True
        return True

    @contextmanager
    def masked(self) -> Iterator[None]:
        """Mask the secrets in each AgentError: an agent may quote the request that it was sent."""
        try:
            yield
        except AgentError as error:
            error.hide(Mask(self.secrets))
            raise


def silent(seconds: float) -> AgentError:
    """Make the error of an agent that has begun to answer, and then sent nothing for so long."""
    reason = errors.AGENT_SILENT(seconds=f"{seconds:g}")
    return AgentError(reason, kind="timeout", reached=True)


def _is_secret(header: bytes) -> bool:
    """Whether a header of AWS's signature is a part of the credentials. The rest is for one use."""
    return header.lower() == b"x-amz-security-token"


def _drain(chunks: Iterator[bytes], deadline: Deadline) -> None:
    """Read the rest after the completion event: a hang-up could look like an abort to the agent."""
    deadline.shorten(FAREWELL)
    with suppress(AgentError):
        for _ in chunks:
            pass


def agent_url(url: str, path: str = "/invocations") -> str:
    """Return the URL to call, with `path` if it has none, and with its ARN percent-encoded.

    `url` may be the ARN of an AgentCore runtime, with or without `?qualifier=NAME`.

    Raises AgentError if it is no http or https URL, or has a user name or password.
    """
    try:
        parsed = httpx.URL(_runtime_url(url.strip()))
    except (httpx.InvalidURL, UnicodeError) as error:
        raise errors.misconfigured(errors.URL_INVALID()) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise errors.misconfigured(errors.URL_NOT_HTTP())
    if parsed.userinfo:
        raise errors.misconfigured(errors.URL_CREDENTIALS())
    raw_path, question_mark, query = parsed.raw_path.decode().partition("?")
    runtime = _RUNTIME_PATH.fullmatch(raw_path)
    if runtime:
        arn = percent_encode(unquote(runtime[2]), safe="")
        raw_path = f"{runtime[1]}{arn}/invocations"
    elif raw_path in ("", "/"):
        raw_path = path
    raw_path += question_mark + query
    return str(parsed.copy_with(raw_path=raw_path.encode(), fragment=None))


def stop_url(url: str) -> str | None:
    """Return the URL that stops a session of an AgentCore runtime (StopRuntimeSession).

    `url` is what `agent_url` returned. None if it is no runtime's.
    """
    parsed = httpx.URL(url)
    raw_path = parsed.raw_path.decode().partition("?")[0]
    runtime = _RUNTIME_PATH.fullmatch(raw_path)
    if runtime is None:
        return None
    path = raw_path.removesuffix("/invocations") + "/stopruntimesession"
    qualifier = parsed.params.get("qualifier")
    query = f"?qualifier={percent_encode(qualifier, safe='')}" if qualifier else ""
    return str(parsed.copy_with(raw_path=(path + query).encode()))


def _runtime_url(url: str) -> str:
    """Return the address of an AgentCore runtime if `url` is its ARN, else `url` itself."""
    runtime = _RUNTIME_ARN.fullmatch(url)
    if runtime is None:
        return url
    domain = "amazonaws.com.cn" if runtime["partition"] == "aws-cn" else "amazonaws.com"
    host = f"https://bedrock-agentcore.{runtime['region']}.{domain}"
    query = runtime["query"] or "?qualifier=DEFAULT"
    return f"{host}/runtimes/{percent_encode(runtime['arn'], safe='')}/invocations{query}"
