"""The route of event sources and of the events that they take in."""

from django.urls import path

from events.api import views

urlpatterns = [path("events", views.EventsView.as_view(), name="api-events")]
