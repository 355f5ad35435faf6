#!/bin/sh
# a2a-sdk 1.3.0 (PyPI): the context of a task that goes on.
#
# Valid input: SendStreamingMessage by JSON-RPC. The task asks for input. The answer names the task by its
# taskId and leaves contextId out, which the specification allows: "Agents MUST infer contextId from
# the task if only taskId is provided".
#
# One would have guessed: the executor is called with the context of the task.
# Seen: it is called with a new contextId. An agent that keeps its memory by context has forgotten the
# question. The updates of the stream name the new context, while GetTask still names the old one.
# What to do: send contextId with each message, and let an executor use current_task.context_id.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install \
  'a2a-sdk[http-server]==1.3.0' httpx==0.28.1
"$folder/venv/bin/python" - <<'PYTHON' 2>/dev/null
import asyncio
import json

import httpx
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a.types import Part, Task, TaskState, TaskStatus
from starlette.applications import Starlette

called_with = []


class Executor(AgentExecutor):
    async def execute(self, context, event_queue):
        called_with.append(context.context_id)
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        if context.current_task is None:
            status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
            task = Task(id=context.task_id, context_id=context.context_id, status=status)
            await event_queue.enqueue_event(task)
            await updater.requires_input(updater.new_agent_message([Part(text="Which one?")]))
        else:
            await updater.complete()

    async def cancel(self, context, event_queue):
        pass


card = AgentCard(
    name="stand-in",
    description="A stand-in.",
    version="1",
    supported_interfaces=[
        AgentInterface(url="http://agent/", protocol_binding="JSONRPC", protocol_version="1.0")
    ],
    capabilities=AgentCapabilities(streaming=True),
    default_input_modes=["text"],
    default_output_modes=["text"],
    skills=[AgentSkill(id="work", name="Work", description="Works.", tags=["work"])],
)
handler = DefaultRequestHandler(Executor(), InMemoryTaskStore(), card)
app = Starlette(routes=create_jsonrpc_routes(handler, rpc_url="/"))


async def stream(client, **ids):
    message = {"messageId": f"m{len(called_with)}", "role": "ROLE_USER", "parts": [{"text": "Go."}]}
    call = {"jsonrpc": "2.0", "id": "1", "method": "SendStreamingMessage",
            "params": {"message": {**message, **ids}}}
    answer = await client.post("/", json=call)
    lines = [line for line in answer.text.splitlines() if line.startswith("data:")]
    return [json.loads(line.removeprefix("data:"))["result"] for line in lines]


async def run():
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://agent", headers={"A2A-Version": "1.0"}
    ) as client:
        task = (await stream(client))[0]["task"]
        last = (await stream(client, taskId=task["id"]))[-1]["statusUpdate"]
        call = {"jsonrpc": "2.0", "id": "2", "method": "GetTask", "params": {"id": task["id"]}}
        stored = (await client.post("/", json=call)).json()["result"]
    return task, last, stored


task, last, stored = asyncio.run(run())
assert last["taskId"] == task["id"] and last["status"]["state"] == "TASK_STATE_COMPLETED"
print("the executor goes on in the task's context:", called_with[1] == task["contextId"])
print("the update names the task's context:", last["contextId"] == task["contextId"])
print("GetTask names the task's context:", stored["contextId"] == task["contextId"])
assert called_with[1] == last["contextId"] != task["contextId"], "the behaviour has changed"
assert stored["contextId"] == task["contextId"], "the behaviour has changed"
PYTHON
