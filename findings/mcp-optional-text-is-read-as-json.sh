#!/bin/sh
# mcp 2.3.0 (PyPI), MCPServer: what a tool gets for an optional text that looks like JSON.
#
# Valid input: a tool with the parameter `note: str | None`, whose schema says "string" or "null".
# Clients send the texts "null", '{"a": 1}' and "5".
#
# One would have guessed: the tool gets each text as it was sent, as a tool with `note: str` does.
# Seen: the text "null" becomes None, and '{"a": 1}' is refused: "Input should be a valid string". The
# server parses a text as JSON unless the annotation is exactly `str`, and goes back to the text only
# if a number or a text came out. A tool that saves a JSON document cannot have it in such a parameter.
# What to do: annotate such parameters as `str` with the default "".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install mcp==2.3.0
"$folder/venv/bin/python" - <<'PYTHON' 2>/dev/null
import asyncio

from mcp import Client
from mcp.server import MCPServer

server = MCPServer("notes")


@server.tool()
def needed(note: str) -> str:
    return repr(note)


@server.tool()
def optional(note: str | None = None) -> str:
    return repr(note)


async def ask(tool):
    async with Client(server) as client:
        found = []
        for text in ("null", '{"a": 1}', "5"):
            result = await client.call_tool(tool, {"note": text})
            said = result.content[0].text
            found.append("refused" if result.is_error else said)
            print(f"{tool:8} {text!r:10} {said.splitlines()[-2] if result.is_error else said}")
        return found


assert asyncio.run(ask("needed")) == ["'null'", "'{\"a\": 1}'", "'5'"], "the behaviour has changed"
assert asyncio.run(ask("optional")) == ["None", "refused", "'5'"], "the behaviour has changed"
PYTHON
