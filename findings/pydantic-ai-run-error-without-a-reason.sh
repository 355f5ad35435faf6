#!/bin/sh
# pydantic-ai-slim 2.68.0 (PyPI), AGUIAdapter: what RUN_ERROR says of an exception without a text.
#
# Valid input: a RunAgentInput with one user message. The model raises TimeoutError() after its
# first word, as asyncio.timeout() does.
#
# One would have guessed: the message names the class of the exception at least, as AgentCore's SDK
# does in "error_type", since `message` is required and nothing else says why.
# Seen: {"type": "RUN_ERROR", "message": ""} and no code. TimeoutError, AssertionError and
# CancelledError have no text, so that the usual failures come without a reason.
# What to do: a reader has to say itself that the agent gave no reason.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install \
    'pydantic-ai-slim[ag-ui]==2.68.0' ag-ui-protocol==1.0.0 starlette httpx
cd "$folder"
cat >agent.py <<'PYTHON'
import asyncio
import json

import httpx
from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.ui.ag_ui import AGUIAdapter
from starlette.applications import Starlette
from starlette.routing import Route


async def stream(messages, info):
    yield "Hello "
    raise TimeoutError


agent = Agent(FunctionModel(stream_function=stream))


async def answer(request):
    return await AGUIAdapter.dispatch_request(request, agent=agent)


async def run():
    body = {"threadId": "t", "runId": "r", "state": {}, "tools": [], "context": [],
            "messages": [{"id": "m", "role": "user", "content": "Hello"}], "forwardedProps": {}}
    app = Starlette(routes=[Route("/", answer, methods=["POST"])])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        got = await client.post("/", json=body, headers={"Accept": "text/event-stream"})
    return [json.loads(line[6:]) for line in got.text.splitlines() if line.startswith("data: ")]


error = next(event for event in asyncio.run(run()) if event["type"] == "RUN_ERROR")
print("RUN_ERROR:", {key: value for key, value in error.items() if key != "timestamp"})
assert error["message"] == "", "the behaviour has changed"
assert not error.get("code"), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" agent.py
