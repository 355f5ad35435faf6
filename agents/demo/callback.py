"""Calls back with the result of a run, as an agent does whose stream nobody reads any more."""

from __future__ import annotations

import logging
import threading

import httpx

logger = logging.getLogger(__name__)

_TRIES = 3
_SECONDS = 10.0


class CallBack(threading.Thread):
    """Sends a text as the result of a run after some seconds, unless the agent is stopped first."""

    def __init__(
        self, url: str, token: str, seconds: float, text: str, stopping: threading.Event
    ) -> None:
        super().__init__(name="call-back", daemon=True)
        self._url, self._token, self._text = url, token, text
        self._seconds, self._stopping = seconds, stopping

    def run(self) -> None:
        for _ in range(_TRIES):
            if self._stopping.wait(self._seconds):
                return
            try:
                answer = httpx.post(
                    self._url,
                    json={"status": "completed", "output": self._text},
                    headers={"Authorization": f"Bearer {self._token}"},
                    timeout=_SECONDS,
                )
            except httpx.HTTPError as error:
                logger.info("The call back failed: %s", type(error).__name__)
                continue
            logger.info("The call back was answered: %s", answer.status_code)
            if answer.status_code < 500:
                return
