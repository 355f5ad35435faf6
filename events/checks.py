"""System checks that tell operators at start what is wrong with event sources in the settings."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured, ValidationError

from events import sources
from events.models import EventSource
from events.signing_keys import TOPIC_ARN, is_reference
from events.validation import BUS_NAME


@register()
def check_sources(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check the list at start, before an event meets a mistake in it."""
    return [*_of_list(), *_of_settings()]


def _of_list() -> Iterator[CheckMessage]:
    try:
        found = sources.configured()
    except ImproperlyConfigured as error:
        yield Error(
            str(error),
            hint="Correct it: docs/events.md, Sources in the settings, has an example.",
            id="moca.E026",
        )
        return
    literal = [
        source.pk
        for source in found.values()
        if not all(map(_is_hidden, source.configured_secrets))
    ]
    if literal and settings.TRIGGER_LAMBDA_ARN:
        yield CheckWarning(
            f"The secrets of the event sources {', '.join(literal)} stand in the settings, where "
            "whoever may look at the function's configuration reads them.",
            hint="Store each in Secrets Manager, and give its ARN.",
            id="moca.W006",
        )
    for source in found.values():
        yield from _of_secrets(source)


def _of_secrets(source: EventSource) -> Iterator[CheckMessage]:
    """Warn of secrets that the page would refuse, such as those that are short enough to guess.

    This is no error: senders sign with these secrets today, and an error would stop all triggers.
    """
    from events import secret_rules  # 15 ms, which the handler saves without sources

    name = "EVENT_SOURCES_FILE" if settings.EVENT_SOURCES_FILE else "EVENT_SOURCES_CONFIG"
    for text in source.configured_secrets:
        if is_reference(text):
            continue
        try:
            secret_rules.check_secret(source.kind, text, source.options)
        except ValidationError as error:
            yield CheckWarning(
                f"{name}: the page of sources would refuse a secret of the event source "
                f"{source.pk}. {' '.join(error.messages)}",
                hint="List a new secret beside it, enter that at the sender, then take this one "
                "out.",
                id="moca.W008",
            )


def _is_hidden(text: str) -> bool:
    """Whether a secret in the settings may be read: the ARN of a secret, or of a topic."""
    return is_reference(text) or TOPIC_ARN.match(text) is not None


def _of_settings() -> Iterator[CheckMessage]:
    odd = [name for name in settings.EVENT_BUSES if name != "*" and not BUS_NAME.fullmatch(name)]
    if odd:
        yield Error(
            f"EVENT_BUSES has {', '.join(map(repr, odd))}, which no event bus can be called.",
            hint="Give names of event buses with commas between, or * for any.",
            id="moca.E060",
        )
    if settings.EVENT_SOURCES_CONFIG and settings.EVENT_SOURCES_FILE:
        yield CheckWarning(
            "EVENT_SOURCES_CONFIG and EVENT_SOURCES_FILE are both set; only the file is read.",
            hint="Unset one of them.",
            id="moca.W007",
        )
