from django.urls import path
from django.views.i18n import set_language

from console import dashboard, executions, trigger_form, trigger_list, trigger_page

app_name = "console"
urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("triggers", trigger_list.trigger_list, name="triggers"),
    path("triggers/act", trigger_list.act, name="act"),
    path("triggers/new", trigger_form.new, name="new"),
    path("triggers/<str:trigger_id>", trigger_page.trigger_page, name="trigger"),
    path("triggers/<str:trigger_id>/edit", trigger_form.edit, name="edit"),
    path("triggers/<str:trigger_id>/runs/<str:execution_id>", executions.execution, name="run"),
    path(
        "triggers/<str:trigger_id>/runs/<str:execution_id>/output",
        executions.output,
        name="output",
    ),
    path(
        "triggers/<str:trigger_id>/runs/<str:execution_id>/replay",
        executions.replay,
        name="replay",
    ),
    path("runs", executions.runs, name="runs"),
    path("language", set_language, name="language"),
    path("schedule-preview", trigger_form.preview, name="schedule-preview"),
]
