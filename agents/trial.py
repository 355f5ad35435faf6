"""Tries an agent: sends one prompt, and shows what came back raw and how it is understood.

If the answer is not of the protocol that was tried, `proposal` names the one that reads it.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from agents.client import AgentClient
from agents.errors import AgentError
from agents.invocation import Invocation
from agents.masking import Mask
from agents.protocols import PROTOCOLS, read_answer
from agents.replies import Reply, printable
from moca.request_headers import PLAIN
from moca.sentences import Reason

# Bytes of the body that are shown, and bytes that are kept to find the protocol.
SHOWN_BYTES = 16 * 1024
READ_BYTES = 1024 * 1024

# Protocols whose readers take the least for an answer come first. The last two are read alike,
# but `invocations` is lines of JSON.
_STRICT = ("ag-ui", "a2a", "openai")
_OPEN = ("agentcore", "invocations")
_LINES_LAST = ("application/json", "text/event-stream")


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a try. Secrets are masked in all of it.

    Attributes:
        protocol: the protocol that was tried.
        seconds: how long it took.
        status: the HTTP status; None if no response came.
        media_type: the `Content-Type` of the response.
        body: the beginning of the response's body, as text.
        is_cut: whether the body went on.
        reply: how the answer would be recorded; None if there is none.
        error: why a run would have failed; None if it would not.
        proposal: the protocol that reads the answer, if that which was tried does not; else "".
    """

    protocol: str
    seconds: float
    status: int | None
    media_type: str
    body: str = field(repr=False)
    is_cut: bool
    reply: Reply | None = field(repr=False)
    error: Reason | None = field(repr=False)
    proposal: str = ""


def try_agent(client: AgentClient, invocation: Invocation, *, time_limit: float) -> Trial:
    """Send a prompt once, and never again.

    Args:
        client: calls the agent. Nothing else may use it.
        invocation: the prompt.
        time_limit: seconds for all of it.
    """
    recorder = _Recorder()
    client.watch(recorder)
    began = time.monotonic()
    reply: Reply | None = None
    error: Reason | None = None
    try:
        reply = client.invoke(invocation, time_limit=time_limit, max_retries=0)
    except AgentError as failure:
        reply, error = failure.reply, failure.reason
    mask = Mask(recorder.secrets | set(invocation.secrets))
    is_understood = error is None and reply is not None and reply.output.total_bytes > 0
    tried = client.protocol.name
    raw = recorder.body()
    return Trial(
        protocol=tried,
        seconds=time.monotonic() - began,
        status=recorder.status,
        media_type=mask.text(printable(recorder.content_type))[:200],
        body=mask.text(printable(raw[:SHOWN_BYTES].decode("utf-8", "replace"))),
        is_cut=len(raw) > SHOWN_BYTES,
        reply=reply,
        error=error,
        proposal="" if is_understood or recorder.status != 200 else _read_by(tried, recorder),
    )


def _read_by(tried: str, recorder: _Recorder) -> str:
    """Return another protocol in which the answer comes to its end with text, or ""."""
    media_type = recorder.content_type.partition(";")[0].strip().lower()
    if media_type == "text/html":
        # A page of a login or a proxy, which a reader of plain text would take for an answer.
        return ""
    others = _OPEN if media_type in _LINES_LAST else _OPEN[::-1]
    raw = recorder.body()
    for name in (*_STRICT, *others):
        if name == tried:
            continue
        try:
            reply = read_answer([raw], recorder.content_type, protocol=PROTOCOLS[name])
        except AgentError:
            continue
        if reply.output.total_bytes:
            return name
    return ""


class _Recorder:
    """Keeps the last response of a client, while the client reads it."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.content_type = ""
        self.secrets: set[str] = set()
        self._encoding = ""
        self._kept = bytearray()

    def __call__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.content_type = response.headers.get("content-type", "")
        self._encoding = response.headers.get("content-encoding", "").strip().lower()
        self._kept = bytearray()
        headers = response.request.headers
        # A key may have any other header.
        self.secrets |= {v for name, v in headers.items() if name.lower() not in PLAIN}
        stream = response.stream
        if isinstance(stream, httpx.SyncByteStream):
            response.stream = _Copied(stream, self._kept)

    def body(self) -> bytes:
        """Return the first READ_BYTES of the body, decompressed."""
        raw = bytes(self._kept)
        if self._encoding != "gzip":
            return raw
        try:
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(raw, READ_BYTES)
        except zlib.error:
            return raw


class _Copied(httpx.SyncByteStream):
    """A response's stream whose first bytes are kept, too."""

    def __init__(self, stream: httpx.SyncByteStream, kept: bytearray) -> None:
        self._stream, self._kept = stream, kept

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._kept += chunk[: READ_BYTES - len(self._kept)]
            yield chunk

    def close(self) -> None:
        self._stream.close()
