"""URLs of the API of triggers, schedules and health."""

from django.urls import path, register_converter

from moca.api.paths import IdConverter
from triggers.api import health, preview, views

register_converter(IdConverter, "id")

urlpatterns = [
    path("triggers", views.TriggersView.as_view(), name="api-triggers"),
    path("triggers/<id:trigger_id>", views.TriggerView.as_view(), name="api-trigger"),
    path("triggers/<id:trigger_id>/enable", views.EnableView.as_view(), name="api-enable"),
    path("triggers/<id:trigger_id>/disable", views.DisableView.as_view(), name="api-disable"),
    path("schedules/preview", preview.PreviewView.as_view(), name="api-preview"),
    path("health", health.HealthView.as_view(), name="api-health"),
]
