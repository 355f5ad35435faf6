"""The API's routes of API keys."""

from django.urls import path

from moca.authentication.api import views

urlpatterns = [
    path("keys", views.KeysView.as_view(), name="api-keys"),
    path("keys/<id:key_id>", views.KeyView.as_view(), name="api-key"),
]
