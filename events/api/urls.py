"""The API's route that lists event sources and receives events."""

from django.urls import path

from events.api import views

urlpatterns = [path("events", views.EventsView.as_view(), name="api-events")]
