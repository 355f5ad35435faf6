"""URLs of the API of triggers, schedules and health."""

from django.urls import path, register_converter

from moca.api.paths import IdConverter
from triggers.api import budgets, health, pauses, preview, prompts, views

register_converter(IdConverter, "id")

urlpatterns = [
    path("triggers", views.TriggersView.as_view(), name="api-triggers"),
    path("triggers/pause", pauses.PauseManyView.as_view(), name="api-pause-many"),
    path("triggers/resume", pauses.ResumeManyView.as_view(), name="api-resume-many"),
    path("triggers/<id:trigger_id>", views.TriggerView.as_view(), name="api-trigger"),
    path("triggers/<id:trigger_id>/enable", views.EnableView.as_view(), name="api-enable"),
    path("triggers/<id:trigger_id>/disable", views.DisableView.as_view(), name="api-disable"),
    path("triggers/<id:trigger_id>/pause", pauses.PauseView.as_view(), name="api-pause"),
    path("triggers/<id:trigger_id>/resume", pauses.ResumeView.as_view(), name="api-resume"),
    path(
        "triggers/<id:trigger_id>/prompts",
        prompts.PromptVersionsView.as_view(),
        name="api-prompts",
    ),
    path(
        "triggers/<id:trigger_id>/prompts/<id:version_id>/restore",
        prompts.RestorePromptView.as_view(),
        name="api-prompt-restore",
    ),
    path(
        "triggers/<id:trigger_id>/budget",
        budgets.TriggerBudgetView.as_view(),
        name="api-trigger-budget",
    ),
    path("budgets/prices", budgets.PricesView.as_view(), name="api-prices"),
    # The name of a model and the id of a user may have slashes.
    path("budgets/prices/<path:price_id>", budgets.PriceView.as_view(), name="api-price"),
    path("budgets/users", budgets.UserBudgetsView.as_view(), name="api-user-budgets"),
    path(
        "budgets/users/<path:user_id>/resume",
        budgets.UserBudgetResumeView.as_view(),
        name="api-user-budget-resume",
    ),
    path("budgets/users/<path:user_id>", budgets.UserBudgetView.as_view(), name="api-user-budget"),
    path(
        "installation/pause",
        pauses.InstallationPauseView.as_view(),
        name="api-installation-pause",
    ),
    path(
        "installation/resume",
        pauses.InstallationResumeView.as_view(),
        name="api-installation-resume",
    ),
    path("schedules/preview", preview.PreviewView.as_view(), name="api-preview"),
    path("health", health.HealthView.as_view(), name="api-health"),
]
