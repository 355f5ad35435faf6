"""The page that says how to connect an agent's MCP client to this installation."""

import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from console.access import for_operators
from moca.public_address import public_address

# The variable in which people keep a key, and the name of the server in clients.
VARIABLE, NAME = "MOCA_KEY", "moca-triggers"


@dataclass(frozen=True, slots=True)
class Client:
    """A client: the key of its section, its name, where its text goes, and the text."""

    key: str
    name: str
    place: str
    text: str


@require_GET
@for_operators()
def connect(request: HttpRequest) -> HttpResponse:
    address = public_address(request, "mcp")
    context = {
        "address": address,
        "clients": _clients(address),
        "variable": VARIABLE,
        "pool": settings.COGNITO_USER_POOL_ID,
    }
    return render(request, "console/connect.html", context)


def _clients(address: str) -> list[Client]:
    in_terminal = _("Run this in a terminal.")
    bearer = f"Authorization: Bearer ${VARIABLE}"
    command = f'claude mcp add --transport http {NAME} {address} \\\n  --header "{bearer}"'
    return [
        Client("claude-code", "Claude Code", in_terminal, command),
        Client(
            "claude-desktop",
            "Claude Desktop",
            _("Add this to claude_desktop_config.json. It needs Node.js."),
            _json({"mcpServers": {NAME: _by_command(address)}}),
        ),
        Client(
            "vs-code",
            "VS Code",
            _("Save this as .vscode/mcp.json. VS Code asks for the key."),
            _json(_for_vs_code(address)),
        ),
        Client(
            "cursor",
            "Cursor",
            _("Add this to ~/.cursor/mcp.json."),
            _json({"mcpServers": {NAME: _by_address(address, f"${{env:{VARIABLE}}}")}}),
        ),
    ]


def _by_command(address: str) -> dict[str, Any]:
    """A server for a client that starts programs alone: a program passes the messages on."""
    return {
        "command": "npx",
        "args": ["-y", "mcp-remote", address, "--header", "Authorization:${AUTH_HEADER}"],
        "env": {"AUTH_HEADER": f"Bearer {VARIABLE}"},
    }


def _for_vs_code(address: str) -> dict[str, Any]:
    asked = {
        "type": "promptString",
        "id": "moca-key",
        "description": "API key of Moca Triggers",
        "password": True,
    }
    server = {"type": "http", **_by_address(address, "${input:moca-key}")}
    return {"inputs": [asked], "servers": {NAME: server}}


def _by_address(address: str, key: str) -> dict[str, Any]:
    return {"url": address, "headers": {"Authorization": f"Bearer {key}"}}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
