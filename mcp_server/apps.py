from django.apps import AppConfig


class MCPServerConfig(AppConfig):
    name = "mcp_server"
