#!/bin/sh
# ag-ui-strands 1.0.2 over strands-agents 1.62.0 (PyPI), served by AGUIApp of bedrock-agentcore
# 1.25.0: how a run ends whose model was stopped by a guardrail.
#
# Valid input: a RunAgentInput with one user message. The stand-in model says two words and stops
# with stopReason "guardrail_intervened", as Bedrock does.
#
# One would have guessed: RUN_ERROR, or RUN_FINISHED with an outcome that is no success, since the
# outcome of RUN_FINISHED is what AG-UI 1.0 has for it, and a model that stops at max_tokens ends in
# RUN_ERROR.
# Seen: RUN_FINISHED with outcome {"type": "success"}. The reason stands in a CUSTOM event named
# AgentStopped before it, with the value {"stop_reason": "guardrail_intervened"}.
# What to do: read that event too, and let it overrule the outcome.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install ag-ui-strands==1.0.2 \
    strands-agents==1.62.0 bedrock-agentcore==1.25.0 ag-ui-protocol==1.0.0 fastapi httpx
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' 2>/dev/null
import asyncio
import json

import httpx
from ag_ui_strands import StrandsAgent
from bedrock_agentcore.runtime.ag_ui import AGUIApp
from strands import Agent
from strands.models.model import Model


class StandIn(Model):
    def update_config(self, **config):
        pass

    def get_config(self):
        return {"model_id": "stand-in"}

    async def structured_output(self, *args, **options):
        yield None

    async def stream(self, messages, *args, **options):
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockDelta": {"delta": {"text": "Sorry, no."}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "guardrail_intervened"}}


app = AGUIApp()
agent = Agent(model=StandIn(), callback_handler=None)
app.entrypoint(StrandsAgent(agent, name="agent", description="An agent."))


async def run():
    body = {"threadId": "t", "runId": "r", "state": {}, "tools": [], "context": [],
            "messages": [{"id": "m", "role": "user", "content": "Hello"}], "forwardedProps": {}}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        answer = await client.post("/invocations", json=body, headers={"Accept": "text/event-stream"})
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


events = asyncio.run(run())
finished = next(event for event in events if event["type"] == "RUN_FINISHED")
stopped = next(event for event in events if event["type"] == "CUSTOM")
print("outcome:", finished["outcome"], "beside it:", stopped["name"], stopped["value"])
assert finished["outcome"] == {"type": "success"}, "the behaviour has changed"
assert stopped["value"] == {"stop_reason": "guardrail_intervened"}, "the behaviour has changed"
PYTHON
