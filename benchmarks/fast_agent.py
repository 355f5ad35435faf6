"""An agent that answers at once with hardly any CPU, to measure its callers.

python -m benchmarks.fast_agent PORT [FILE]: it writes the id of each run that it receives to FILE.
"""

import asyncio
import json
import sys
from io import RawIOBase
from pathlib import Path

EVENTS = [
    {"type": "modelMessageStartEvent", "role": "assistant"},
    *[
        {"type": "modelContentBlockDeltaEvent", "delta": {"type": "textDelta", "text": "word "}}
        for _ in range(10)
    ],
    {"type": "modelMetadataEvent", "usage": {"inputTokens": 10, "outputTokens": 10}},
    {"type": "serverCompletionEvent", "metadata": {"requestId": "r", "duration": 1}},
]
BODY = b"".join(json.dumps(event).encode() + b"\n" for event in EVENTS)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    + f"{len(BODY):x}\r\n".encode()
    + BODY
    + b"\r\n0\r\n\r\n"
)
sent: RawIOBase | None = None


class Connection(asyncio.Protocol):
    """Answers each request when its body has arrived. It expects no pipelined requests."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) >= length:
            self.received = b""
            if sent:
                key = head.lower().split(b"idempotency-key:")[1].split(b"\r\n")[0]
                sent.write(key.strip() + b"\n")
            self.transport.write(ANSWER)  # type: ignore[attr-defined]


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    sent = Path(sys.argv[2]).open("ab", buffering=0) if len(sys.argv) > 2 else None  # noqa: SIM115
    asyncio.run(serve(int(sys.argv[1])))
