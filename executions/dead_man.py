"""The dead man's switch: calls HEARTBEAT_URL while schedules are fired.

A monitoring service, such as Healthchecks or Cronitor, alerts people if the calls stay away. It
does so even if this machine is gone, and all that could send an alert with it.
"""

import logging
import threading
from concurrent.futures import Future

import httpx
from django.conf import settings

from moca.retry import retry

logger = logging.getLogger(__name__)

# How often the URL is called.
EVERY_SECONDS = 180.0
TIMEOUT_SECONDS = 10.0
# How long one call may take, with all its pauses and redirects.
LIMIT_SECONDS = 15.0
TRIES = 2
# The longest pause before the second try.
PAUSE_SECONDS = 5.0

_NO_ANSWER = f"No answer within {TIMEOUT_SECONDS:.0f} s."
_calling: threading.Thread | None = None


class _CallError(Exception):
    """A call of the URL failed; the text says why, without the URL."""


def call() -> str:
    """Call HEARTBEAT_URL; returns why that failed, or an empty text.

    A failure is logged. The URL stays out of the log and of the text, because it is a secret of the
    monitoring service.
    """
    try:
        retry(_call_once, _CallError, tries=TRIES, first=PAUSE_SECONDS, longest=PAUSE_SECONDS)
    except _CallError as error:
        logger.warning("HEARTBEAT_URL could not be called: %s", error)
        return str(error)
    return ""


def _call_once() -> None:
    if error := _ask():
        raise _CallError(error)


def _ask() -> str:
    """Call the URL once, within a limit that no slow answer lengthens; returns why it failed.

    A service that answers bit by bit pauses no longer than any time-out allows. A thread of its own
    calls, therefore, and is left alone after the limit. While it is, there is no other call.
    """
    global _calling
    if _calling is not None and _calling.is_alive():
        return _NO_ANSWER
    called: Future[str] = Future()
    _calling = threading.Thread(target=_answer_to, args=[called], name="dead-man", daemon=True)
    _calling.start()
    try:
        return called.result(LIMIT_SECONDS)
    except TimeoutError:
        return _NO_ANSWER


def _answer_to(called: "Future[str]") -> None:
    try:
        called.set_result(_answer())
    except Exception as error:  # noqa: BLE001  (its text may have the URL)
        called.set_result(f"The connection failed ({type(error).__name__}).")


def _answer() -> str:
    url = settings.HEARTBEAT_URL
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT_SECONDS, follow_redirects=True) as answer:
            return "" if answer.is_success else f"The answer was HTTP {answer.status_code}."
    except httpx.TimeoutException:
        return _NO_ANSWER
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return f"The connection failed ({type(error).__name__})."
