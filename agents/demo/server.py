"""The demo agent's HTTP server, which has a thread for each connection."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from agents.demo.conversation import Conversation
from agents.demo.memory import Memory, Options

logger = logging.getLogger(__name__)


class DemoAgent(Memory):
    """A demo agent that serves in threads of its own, as a context manager or by `start`.

    `port` 0 takes a free one; `options` are those of Options. Raises OSError if the port is in use.
    """

    def __init__(self, port: int = 0, host: str = "127.0.0.1", **options: Any) -> None:
        super().__init__(Options(**options))
        self._server = _Server((host, port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def url(self) -> str:
        """The address to set as AGENT_API_URL and COGNITO_DOMAIN."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End at once, whatever is being answered."""
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self) -> None:
        """Block until `stop` or a signal's exception."""
        self.stopping.wait()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], agent: Memory) -> None:
        super().__init__(address, partial(Conversation, agent))

    def server_bind(self) -> None:
        # HTTPServer would look the host's name up, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.error("the demo agent failed to answer", exc_info=sys.exc_info())
