"""URLs of the whole application."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:triggers_trigger_changelist"), name="home"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("", include("triggers.api.urls")),
    path("", include("executions.api.urls")),
]
