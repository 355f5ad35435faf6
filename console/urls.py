from django.urls import path
from django.views.i18n import set_language

from console import (
    agents,
    answers,
    cancel,
    clock,
    dashboard,
    event_form,
    event_list,
    event_source,
    received_events,
    runs,
    trigger_form,
    trigger_list,
    trigger_page,
)

app_name = "console"
urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("triggers", trigger_list.trigger_list, name="triggers"),
    path("triggers/act", trigger_list.act, name="act"),
    path("triggers/new", trigger_form.new, name="new"),
    path("triggers/<str:trigger_id>", trigger_page.trigger_page, name="trigger"),
    path("triggers/<str:trigger_id>/edit", trigger_form.edit, name="edit"),
    path("triggers/<str:trigger_id>/runs/<str:execution_id>", runs.execution, name="run"),
    path(
        "triggers/<str:trigger_id>/runs/<str:execution_id>/output",
        runs.output,
        name="output",
    ),
    path(
        "triggers/<str:trigger_id>/runs/<str:execution_id>/replay",
        runs.replay,
        name="replay",
    ),
    path(
        "triggers/<str:trigger_id>/runs/<str:execution_id>/cancel",
        cancel.cancel,
        name="cancel",
    ),
    path(
        "triggers/<str:trigger_id>/runs/<str:execution_id>/answer",
        answers.answer,
        name="answer",
    ),
    path("runs", runs.runs, name="runs"),
    path("runs/offers", runs.offers, name="run-offers"),
    path("events", event_list.event_list, name="events"),
    path("events/new", event_form.new, name="event-source-new"),
    path("events/<str:source_id>", event_source.event_source, name="event-source"),
    path("events/<str:source_id>/edit", event_form.edit, name="event-source-edit"),
    path("events/<str:source_id>/delete", event_source.delete, name="event-source-delete"),
    path("events/<str:source_id>/secret", event_source.new_secret, name="event-source-secret"),
    path("events/<str:source_id>/test", event_source.test, name="event-source-test"),
    path(
        "events/<str:source_id>/received/<str:event_id>",
        received_events.received,
        name="received-event",
    ),
    path("agents", agents.agent_list, name="agents"),
    # The id of an agent may have slashes, so it comes last.
    path("agents/new", agents.new, name="agent-new"),
    path("agents/show/<path:agent_id>", agents.agent, name="agent"),
    path("agents/edit/<path:agent_id>", agents.edit, name="agent-edit"),
    path("agents/delete/<path:agent_id>", agents.delete, name="agent-delete"),
    path("clock", clock.clock, name="clock"),
    path("times", clock.choose_times, name="times"),
    path("language", set_language, name="language"),
    path("event-preview", trigger_form.event_preview, name="event-preview"),
    path("schedule-preview", trigger_form.preview, name="schedule-preview"),
]
