"""A TCP proxy before the database, which can be made to refuse, to hang, or to swallow answers."""

import socket
import threading
import time
from contextlib import suppress
from typing import Self

TRANSACTION = b"DynamoDB_20120810.TransactWriteItems"


class Proxy:
    """Forwards connections to a port of this machine.

    Attributes:
        mode: `pass`; `refuse`: connections are cut; `hang`: nothing goes either way, and arrives
            late; `mute`: transactions arrive, and their answers do not.
    """

    def __init__(self, port: int) -> None:
        self.mode = "pass"
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._closed = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._closed:
                near, _ = self._server.accept()
                if self.mode == "refuse":
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                muted = threading.Event()
                for source, target in ((near, far), (far, near)):
                    args = (source, target, source is far, muted)
                    threading.Thread(target=self._forward, args=args, daemon=True).start()

    def _forward(
        self,
        source: socket.socket,
        target: socket.socket,
        is_answer: bool,
        muted: threading.Event,
    ) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(65536):
                if self.mode == "mute" and not is_answer and TRANSACTION in data:
                    muted.set()
                while self.mode == "hang":
                    time.sleep(0.05)
                if self.mode == "refuse":
                    return
                if not (is_answer and muted.is_set()):
                    target.sendall(data)
