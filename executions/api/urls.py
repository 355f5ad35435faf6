"""The routes of agents, runs and executions. `triggers.api.urls` defines the converter of ids."""

from django.urls import path

from executions import measured
from executions.api import agents, backfills, export, result, views

EXECUTIONS = "triggers/<id:trigger_id>/executions"
BACKFILLS = "triggers/<id:trigger_id>/backfills"

urlpatterns = [
    path("agents", agents.AgentsView.as_view(), name="api-agents"),
    # The id of an agent may have slashes.
    path("agents/<path:agent_id>", agents.AgentView.as_view(), name="api-agent"),
    path("triggers/<id:trigger_id>/run", views.RunView.as_view(), name="api-run"),
    path(
        "triggers/<id:trigger_id>/backfill",
        backfills.StartBackfillView.as_view(),
        name="api-backfill-start",
    ),
    path(BACKFILLS, backfills.BackfillsView.as_view(), name="api-backfills"),
    path(f"{BACKFILLS}/<id:backfill_id>", backfills.BackfillView.as_view(), name="api-backfill"),
    path(
        f"{BACKFILLS}/<id:backfill_id>/stop",
        backfills.StopBackfillView.as_view(),
        name="api-backfill-stop",
    ),
    path("metrics", measured.page, name="metrics"),
    path("executions/export", export.AllExportView.as_view(), name="api-export-all"),
    path("executions", views.AllExecutionsView.as_view(), name="api-all-executions"),
    path(EXECUTIONS, views.ExecutionsView.as_view(), name="api-executions"),
    path(f"{EXECUTIONS}/export", export.ExportView.as_view(), name="api-export"),
    path(f"{EXECUTIONS}/<id:execution_id>", views.ExecutionView.as_view(), name="api-execution"),
    path(f"{EXECUTIONS}/<id:execution_id>/output", views.OutputView.as_view(), name="api-output"),
    path(f"{EXECUTIONS}/<id:execution_id>/answer", views.AnswerView.as_view(), name="api-answer"),
    path(f"{EXECUTIONS}/<id:execution_id>/cancel", views.CancelView.as_view(), name="api-cancel"),
    path(f"{EXECUTIONS}/<id:execution_id>/result", result.ResultView.as_view(), name="api-result"),
    path(f"{EXECUTIONS}/<id:execution_id>/replay", views.ReplayView.as_view(), name="api-replay"),
]
