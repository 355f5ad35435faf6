"""The routes of the MCP server. The second form of the metadata's path is that of RFC 9728, 3.1."""

from django.urls import path

from mcp_server import views

METADATA = ".well-known/oauth-protected-resource"

urlpatterns = [
    path("mcp", views.MCPView.as_view(), name="mcp"),
    path(METADATA, views.ResourceMetadataView.as_view(), name="mcp-host-metadata"),
    path(f"{METADATA}/mcp", views.ResourceMetadataView.as_view(), name="mcp-resource-metadata"),
]
