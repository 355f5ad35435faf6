"""Switches traces and metrics on, by OpenTelemetry's own environment variables.

A signal is off unless one of these variables asks for it. While both are off, no module of
OpenTelemetry is imported. docs/telemetry.md describes what is sent.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

logger = logging.getLogger(__name__)

TRACES, METRICS = "TRACES", "METRICS"
EXPORTERS = ("otlp", "console", "none")
# The protocols of the exporter that the extra `telemetry` installs.
PROTOCOLS = ("", "http/protobuf")
INSTALL = "Install the extra: pip install 'moca-triggers[telemetry]'"
# How long the end of a process or of an invocation waits for what is not sent yet.
STOP_SECONDS = 2.0
FLUSH_SECONDS = 1.0

_started: Any = None
_flushing: threading.Thread | None = None


def exporter(signal: str) -> str:
    """Where a signal goes, `otlp` or `console`; empty if it is off.

    A value that is not supported counts as off: telemetry must not keep a process from its work.
    `problems()` names it.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ""
    named = os.environ.get(f"OTEL_{signal}_EXPORTER", "").strip()
    if not named and any(os.environ.get(name) for name in _endpoints(signal)):
        named = "otlp"
    if named == "otlp" and _protocol(signal) not in PROTOCOLS:
        return ""
    return named if named in EXPORTERS and named != "none" else ""


def is_wanted() -> bool:
    """Whether any signal is on."""
    return bool(exporter(TRACES) or exporter(METRICS))


def start() -> None:
    """Begin to send what is on. A call in a process that sends already does nothing."""
    global _started
    if _started is not None or not is_wanted():
        return
    try:
        from moca import otel  # 200 ms and 20 MB of a process that sends nothing
    except ImportError:
        logger.warning("No telemetry is sent: its packages are missing. %s.", INSTALL)
        return
    try:
        _started = otel.Sending(exporter(TRACES), exporter(METRICS))
    except Exception as error:  # noqa: BLE001  (variables of OpenTelemetry may be wrong in many ways)
        logger.warning("No telemetry is sent: %s: %s", type(error).__name__, error)


def flush(seconds: float = FLUSH_SECONDS) -> None:
    """Send what is not sent yet, for so many seconds at the most.

    A function on AWS calls it at the end of an invocation, because it stands still until the next.
    """
    global _flushing
    if _started is None or (_flushing is not None and _flushing.is_alive()):
        # If the collector is away or slow, what waits is dropped when its queue is full.
        return
    _flushing = _thread(_started.flush)
    _flushing.join(seconds)


def stop(seconds: float = STOP_SECONDS) -> None:
    """Send what is not sent yet, for so many seconds at the most, and nothing after that."""
    global _started
    if _started is not None:
        sending, _started = _started, None
        sending.leave()
        end = time.monotonic() + seconds
        for thread in [_thread(work) for work in sending.ends]:
            thread.join(max(0.0, end - time.monotonic()))


def _thread(work: Callable[[], object]) -> threading.Thread:
    """Do what may wait for a collector in a thread."""
    thread = threading.Thread(target=work, name="telemetry", daemon=True)
    thread.start()
    return thread


def problems() -> Iterator[tuple[str, str]]:
    """The variables that are not supported, each with a hint."""
    for signal in (TRACES, METRICS):
        name = f"OTEL_{signal}_EXPORTER"
        value = os.environ.get(name, "").strip()
        if value and value not in EXPORTERS:
            yield f"{name} is {value!r}.", f"Set it to one of {', '.join(EXPORTERS)}."
        if _protocol(signal) not in PROTOCOLS:
            yield (
                f"The protocol of OTLP is {_protocol(signal)!r}, which is not installed.",
                "Set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf, and the endpoint to the "
                "collector's port for it, mostly 4318.",
            )


def _endpoints(signal: str) -> tuple[str, str]:
    return "OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"


def _protocol(signal: str) -> str:
    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "").strip()
    return own or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip()
