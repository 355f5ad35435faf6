#!/bin/sh
# a2a-sdk 1.3.0 (PyPI): what becomes of a task whose client closes the stream.
#
# Valid input: SendStreamingMessage by JSON-RPC. The client reads until the task is at work, and
# closes the connection. The agent works for two more seconds. No one else follows the task.
#
# One would have guessed: the server notices that its only client has left, cancels the executor's
# coroutine, as web frameworks do with a handler, and the task ends as canceled.
# Seen: the task goes on to its end, TASK_STATE_COMPLETED, with all costs of its model.
# What to do: to stop the work, send CancelTask with the task's id after the hang-up. The task is
# TASK_STATE_CANCELED then.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install \
  'a2a-sdk[http-server]==1.3.0' httpx==0.28.1 uvicorn==0.54.0
cd "$folder"
cat >server.py <<'PYTHON'
import asyncio
import sys

import uvicorn
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a.types import Task, TaskState, TaskStatus
from starlette.applications import Starlette


class Executor(AgentExecutor):
    async def execute(self, context, event_queue):
        status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
        task = Task(id=context.task_id, context_id=context.context_id, status=status)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.start_work()
        await asyncio.sleep(2)
        await updater.complete()

    async def cancel(self, context, event_queue):
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


port = int(sys.argv[1])
card = AgentCard(
    name="stand-in",
    description="A stand-in.",
    version="1",
    supported_interfaces=[
        AgentInterface(
            url=f"http://127.0.0.1:{port}/", protocol_binding="JSONRPC", protocol_version="1.0"
        )
    ],
    capabilities=AgentCapabilities(streaming=True),
    default_input_modes=["text"],
    default_output_modes=["text"],
    skills=[AgentSkill(id="work", name="Work", description="Works.", tags=["work"])],
)
handler = DefaultRequestHandler(Executor(), InMemoryTaskStore(), card)
routes = create_jsonrpc_routes(handler, rpc_url="/")
uvicorn.run(Starlette(routes=routes), port=port, host="127.0.0.1", log_level="warning")
PYTHON
cat >client.py <<'PYTHON'
import json
import socket
import subprocess
import sys
import time

import httpx

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
server = subprocess.Popen([sys.executable, "server.py", str(port)])
url, headers = f"http://127.0.0.1:{port}/", {"A2A-Version": "1.0"}


def call(method, params):
    return {"jsonrpc": "2.0", "id": "1", "method": method, "params": params}


def begin_and_hang_up(number):
    message = {"messageId": f"m{number}", "role": "ROLE_USER", "parts": [{"text": "Work."}]}
    asked = call("SendStreamingMessage", {"message": message})
    with httpx.stream("POST", url, json=asked, headers=headers) as response:
        for line in response.iter_lines():
            if "TASK_STATE_WORKING" in line:
                return json.loads(line.removeprefix("data:"))["result"]["statusUpdate"]["taskId"]


def state_of(task_id):
    answer = httpx.post(url, json=call("GetTask", {"id": task_id}), headers=headers)
    return answer.json()["result"]["status"]["state"]


try:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    left, cancelled = begin_and_hang_up(1), begin_and_hang_up(2)
    httpx.post(url, json=call("CancelTask", {"id": cancelled}), headers=headers)
    time.sleep(4)
    after_leaving, after_cancelling = state_of(left), state_of(cancelled)
finally:
    server.kill()
print("after a hang-up alone:", after_leaving)
print("after a hang-up and CancelTask:", after_cancelling)
assert after_leaving == "TASK_STATE_COMPLETED", "the behaviour has changed"
assert after_cancelling == "TASK_STATE_CANCELED", "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" client.py
