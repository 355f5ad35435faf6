"""An agent that answers after a while with hardly any CPU, and holds thousands of connections.

python -m benchmarks.slow_agent PORT SECONDS FILE: it begins to answer at once, says a word every
two seconds at the most, and ends after SECONDS. It writes the id of each run to FILE with the time,
and at the end of each second in which that changed, how many runs are open.
"""

import asyncio
import json
import sys
import time
from contextlib import suppress
from io import RawIOBase
from pathlib import Path

from benchmarks.limits import raise_limit

WORDS = 4
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: close\r\n\r\n"
)


def piece(event: dict[str, object]) -> bytes:
    """Make a chunk of the answer."""
    body = json.dumps(event).encode() + b"\n"
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"


DELTA = {"type": "textDelta", "text": "word "}
WORD = piece({"type": "modelContentBlockDeltaEvent", "delta": DELTA})
USAGE = {"inputTokens": 10, "outputTokens": 10}
END = piece({"type": "modelMetadataEvent", "usage": USAGE})
END += piece({"type": "serverCompletionEvent", "metadata": {"requestId": "r", "duration": 1}})
END += b"0\r\n\r\n"


class Agent:
    """What all connections share."""

    def __init__(self, seconds: float, log: RawIOBase) -> None:
        self.seconds, self.log = seconds, log
        self.open = 0

    def note(self, key: str) -> None:
        self.log.write(f"{key} {time.time():.3f}\n".encode())

    async def note_open(self) -> None:
        before = 0
        while True:
            await asyncio.sleep(1)
            if self.open != before:
                before = self.open
                self.note(f"open={before}")


class Connection(asyncio.Protocol):
    """Answers one request."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.received = b""
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        if len(body) < int(lower.split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        self.received = b""
        key = lower.split(b"idempotency-key:")[1].split(b"\r\n")[0].strip().decode()
        self.agent.note(key)
        self.agent.open += 1
        self.is_open = True
        if not self.agent.seconds:
            self.transport.write(HEAD + WORD * WORDS + END)
            self.transport.close()
            return
        self.transport.write(HEAD + WORD)
        self.say(WORDS - 1)

    def say(self, left: int) -> None:
        """Say the next word in a while, and end after the last one."""
        pause = self.agent.seconds / WORDS
        asyncio.get_running_loop().call_later(pause, self.go_on, left)

    def go_on(self, left: int) -> None:
        if self.transport.is_closing():
            return
        if left:
            self.transport.write(WORD)
            self.say(left - 1)
        else:
            self.transport.write(END)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_open:
            self.agent.open -= 1


async def serve(port: int, agent: Agent) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(agent), "127.0.0.1", port, backlog=4096)
    noting = asyncio.create_task(agent.note_open())
    with suppress(asyncio.CancelledError):
        await server.serve_forever()
    noting.cancel()


if __name__ == "__main__":
    raise_limit()
    with Path(sys.argv[3]).open("ab", buffering=0) as log:
        asyncio.run(serve(int(sys.argv[1]), Agent(float(sys.argv[2]), log)))
