#!/bin/sh
# strands-agents 1.62.0 (PyPI): what is left of an interrupt in a stream of model events.
#
# Valid input: an agent whose tool asks a person by tool_context.interrupt(), and of whose
# stream_async() only the items with the key "event" are passed on, as guides do to get rid of
# what cannot be serialized.
#
# One would have guessed: the last event of the model says so, since its stop reason is how all
# other ends are told, and "interrupt" is one of the stop reasons.
# Seen: the last message stops with "tool_use", as before any call of a tool, and nothing follows.
# Only items of other keys (tool_interrupt_event, result) tell that a person is asked. Who reads the
# model's events cannot tell an agent that waits from one that was cut off.
# What to do: pass tool_interrupt_event on as well. A reader must not take such an end for success.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install strands-agents==1.62.0
cd "$folder"
cat >agent.py <<'PYTHON'
import asyncio

from strands import Agent, ToolContext, tool
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
        yield {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t1", "name": "delete"}}}}
        yield {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use"}}


@tool(context=True)
def delete(tool_context: ToolContext) -> str:
    """Delete what a person agrees to."""
    return tool_context.interrupt("approval", reason="Delete it?")


async def run():
    agent = Agent(model=StandIn(), tools=[delete], callback_handler=None)
    return [item async for item in agent.stream_async("Clean up.")]


items = asyncio.run(run())
stops = [item["event"]["messageStop"] for item in items if "messageStop" in item.get("event", {})]
others = [key for item in items for key in item if key in ("tool_interrupt_event", "result")]
print("stop reasons of the model's events:", stops)
print("what tells of the interrupt:", others, items[-1]["result"].stop_reason)
assert stops == [{"stopReason": "tool_use"}], "the behaviour has changed"
assert others == ["tool_interrupt_event", "result"], "the behaviour has changed"
assert items[-1]["result"].stop_reason == "interrupt", "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" agent.py
