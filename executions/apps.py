"""The Django app of runs and of agents' records: registers its check, and makes its index."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ExecutionsConfig(AppConfig):
    name = "executions"

    def ready(self) -> None:
        from executions.agent_records import checks  # noqa: F401  (registers the system check)

        post_migrate.connect(_install_search, sender=self)


def _install_search(**_: Any) -> None:
    from executions import search  # 5 ms of processes that migrate nothing

    search.install()
