"""URLs of the whole application."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from moca.api import reference
from moca.authentication import views

handler400 = "moca.refusals.bad_request"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="console:dashboard"), name="home"),
    path("console/", include("console.urls")),
    path("sign-in/cognito", views.sign_in, name="cognito-sign-in"),
    path("sign-in/cognito/callback", views.callback, name="cognito-callback"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("openapi.json", reference.openapi, name="openapi"),
    path("docs", reference.docs, name="docs"),
    path("docs/", RedirectView.as_view(pattern_name="docs")),
    path("", include("events.api.urls")),
    path("", include("triggers.api.urls")),
    path("", include("executions.api.urls")),
    path("", include("alerts.api.urls")),
    path("", include("moca.authentication.api.urls")),
    path("", include("mcp_server.urls")),
]
