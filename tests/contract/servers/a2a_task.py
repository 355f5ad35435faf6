"""A2A by a2a-sdk. Usage: PORT."""

import asyncio
import sys
import uuid

import uvicorn
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    Message,
    Part,
    Role,
    Task,
    TaskState,
    TaskStatus,
)
from starlette.applications import Starlette


class Executor(AgentExecutor):
    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        prompt = context.get_user_input()
        if "message" in prompt:
            parts = [Part(text="Hello world.")]
            message = Message(message_id=uuid.uuid4().hex, role=Role.ROLE_AGENT, parts=parts)
            await event_queue.enqueue_event(message)
            return
        status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
        task = Task(id=context.task_id, context_id=context.context_id, status=status)
        if context.current_task is None:
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.start_work()
        if "break midway" in prompt:
            raise TimeoutError("too slow")
        said = "You said: " + prompt if context.current_task else "Hello "
        await updater.add_artifact([Part(text=said)], artifact_id="a", last_chunk=False)
        await asyncio.sleep(30 if "slow" in prompt else 3 if "in a moment" in prompt else 0)
        await updater.add_artifact([Part(text="world.")], artifact_id="a", append=True)
        if "fail" in prompt:
            await updater.failed(updater.new_agent_message([Part(text="No money left.")]))
        elif "reject" in prompt:
            await updater.reject(updater.new_agent_message([Part(text="Not my job.")]))
        elif "cancel" in prompt:
            await updater.cancel()
        elif "ask" in prompt or "sign in" in prompt:
            question = updater.new_agent_message([Part(text="Delete it?")])
            ask = updater.requires_input if "ask" in prompt else updater.requires_auth
            await ask(question)
        else:
            await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


port = int(sys.argv[1])
interface = AgentInterface(
    url=f"http://127.0.0.1:{port}/", protocol_binding="JSONRPC", protocol_version="1.0"
)
card = AgentCard(
    name="stand-in",
    description="A stand-in.",
    version="1",
    supported_interfaces=[interface],
    capabilities=AgentCapabilities(streaming=True),
    default_input_modes=["text"],
    default_output_modes=["text"],
)
handler = DefaultRequestHandler(Executor(), InMemoryTaskStore(), card)
routes = [*create_agent_card_routes(card), *create_jsonrpc_routes(handler, rpc_url="/")]
uvicorn.run(Starlette(routes=routes), port=port, host="127.0.0.1", log_level="warning")
