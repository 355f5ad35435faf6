"""The Django app of event sources and events: registers its system checks and signal receivers."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"

    def ready(self) -> None:
        from events import (
            checks,  # noqa: F401  (registers the system check)
            signals,  # noqa: F401  (connects the receivers)
        )
