"""System checks of the variables of OpenTelemetry and of /metrics."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register  # noqa: A004

from moca import telemetry
from moca.checks import errors

LEAST_TOKEN = 16


@register()
def check_telemetry(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check that what is asked for can be sent."""
    found: list[CheckMessage] = [
        Warning(f"{text} Nothing of it is sent.", hint, id="moca.W050")
        for text, hint in telemetry.problems()
    ]
    if telemetry.is_wanted() and find_spec("opentelemetry") is None:
        text = "Telemetry is on, and its packages are not installed."
        found.append(Warning(text, f"{telemetry.INSTALL}.", id="moca.W051"))
    return found


@register()
def check_metrics(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check that the token of /metrics cannot be guessed."""
    return errors(
        (
            0 < len(settings.METRICS_TOKEN) < LEAST_TOKEN,
            f"METRICS_TOKEN has fewer than {LEAST_TOKEN} characters.",
            "Set it to a long random text, or unset it to serve no /metrics.",
            "E050",
        )
    )
