"""The Django app of runs and of agents' records: registers its system check."""

from django.apps import AppConfig


class ExecutionsConfig(AppConfig):
    name = "executions"

    def ready(self) -> None:
        from executions.agent_records import checks  # noqa: F401  (registers the system check)
