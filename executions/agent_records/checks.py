"""A system check that tells operators at start what is wrong with agents in the settings."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from executions.agent_records import lookup


@register()
def check_agents(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check the list at start, before a run meets a mistake in it."""
    found: list[CheckMessage] = []
    try:
        lookup.configured()
    except ImproperlyConfigured as error:
        hint = "Correct it: docs/protocols.md, Several agents, has an example."
        found.append(Error(str(error), hint=hint, id="moca.E070"))
    if settings.AGENTS_CONFIG and settings.AGENTS_FILE:
        found.append(
            CheckWarning(
                "AGENTS_CONFIG and AGENTS_FILE are both set; only the file is read.",
                hint="Unset one of them.",
                id="moca.W070",
            )
        )
    return found
