"""A2A 1.0 by JSON-RPC: a task that streams an artifact (a2a-sdk 1.3.0)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agents.demo.memory import Task
from agents.demo.protocols.base import Body, Writer, text_of

VERSION = "1.0"
# The error codes of JSON-RPC and of A2A.
_INTERNAL_ERROR, _METHOD_NOT_FOUND, _VERSION_NOT_SUPPORTED = -32603, -32601, -32009
_TASK_NOT_FOUND = -32001
_STATES = {
    "success": "TASK_STATE_COMPLETED",
    "asks": "TASK_STATE_INPUT_REQUIRED",
    "refused": "TASK_STATE_REJECTED",
    "limited": "TASK_STATE_FAILED",
    "cancelled": "TASK_STATE_CANCELED",
}


class A2AWriter(Writer):
    """Writes the updates of a task, each the result of one JSON-RPC response."""

    asks_for = "a message with a part that has a text"

    @classmethod
    def prompt(cls, body: Body) -> str | None:
        params = body.get("params")
        message = params.get("message") if isinstance(params, dict) else None
        parts = message.get("parts") if isinstance(message, dict) else None
        if isinstance(parts, list) and parts and isinstance(parts[0], dict):
            return text_of(parts[0].get("text"))
        return None

    @classmethod
    def answered(cls, body: Body) -> str | None:
        # Only a message that goes on with a task names it.
        is_answer = "taskId" in body["params"]["message"]
        return cls.prompt(body) if is_answer else None

    def begin(self) -> Iterator[bytes]:
        yield self._result(task=self._task("TASK_STATE_SUBMITTED"))
        yield self._update("TASK_STATE_WORKING")

    def text(self, text: str) -> bytes:
        artifact = {"artifactId": f"answer-{self.answer.id}", "parts": [{"text": text}]}
        return self._result(artifactUpdate={**self._ids(), "artifact": artifact, "append": True})

    def complete(self) -> Iterator[bytes]:
        yield self._update(_STATES[self.answer.ending], self._last_words())

    def fail(self, message: str) -> Iterator[bytes]:
        yield self._update("TASK_STATE_FAILED", message)

    def crash(self, message: str) -> Iterator[bytes]:
        # The SDK reports an exception by an error, and the task gets no failed state.
        yield self.event(rpc_error(self.answer.run_id, _INTERNAL_ERROR, message))

    def after_failure(self, message: str) -> Iterator[bytes]:
        yield from self.crash(message)

    def refusal(self, message: str) -> tuple[int, Any]:
        return 200, rpc_error(self.answer.run_id, _INTERNAL_ERROR, message)

    def document(self) -> Any:
        task = self._task(_STATES[self.answer.ending], self._last_words())
        parts = [{"text": self.answer.text}]
        task["artifacts"] = [{"artifactId": f"answer-{self.answer.id}", "parts": parts}]
        return {"jsonrpc": "2.0", "id": self.answer.run_id, "result": {"task": task}}

    def task_so_far(self) -> Body:
        """The task while the agent is at work, with the first half of its text."""
        task = self._task("TASK_STATE_WORKING")
        words = self.answer.words
        parts = [{"text": "".join(words[: len(words) // 2])}]
        task["artifacts"] = [{"artifactId": f"answer-{self.answer.id}", "parts": parts}]
        return task

    def _last_words(self) -> str:
        ending = self.answer.ending
        if ending == "limited":
            return "the model reached its limit of tokens"
        if ending == "refused":
            return "a guardrail stopped the model"
        return self.answer.question if ending == "asks" else ""

    def _ids(self) -> Body:
        return {"taskId": f"task-{self.answer.id}", "contextId": self.answer.session_id}

    def _status(self, state: str, text: str) -> Body:
        if not text:
            return {"state": state}
        message = {"messageId": f"{state}-{self.answer.id}", "role": "ROLE_AGENT"}
        return {"state": state, "message": {**message, "parts": [{"text": text}]}}

    def _task(self, state: str, text: str = "") -> Body:
        ids = self._ids()
        status = self._status(state, text)
        return {"id": ids["taskId"], "contextId": ids["contextId"], "status": status}

    def _update(self, state: str, text: str = "") -> bytes:
        return self._result(statusUpdate={**self._ids(), "status": self._status(state, text)})

    def _result(self, **result: Any) -> bytes:
        return self.event({"jsonrpc": "2.0", "id": self.answer.run_id, "result": result})


def agent_card(url: str) -> Body:
    """What the agent says of itself at `/.well-known/agent-card.json`."""
    interface = {"url": f"{url}/", "protocolBinding": "JSONRPC", "protocolVersion": VERSION}
    skill = {"id": "demo", "name": "Demo", "description": "Repeats its task.", "tags": ["demo"]}
    return {
        "name": "Demo agent",
        "description": "Shows what a run looks like.",
        "version": "1",
        "supportedInterfaces": [interface],
        "capabilities": {"streaming": True},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [skill],
    }


def answer_to_call(body: Body, version: str, tasks: dict[str, Task]) -> Body | None:
    """The answer to a call that asks for no run; None for one that does.

    `tasks` are those that go on without a stream.
    """
    method, request_id = body.get("method"), body.get("id")
    if version != VERSION:
        told = f"the header A2A-Version is {version or 'missing'}: set it to {VERSION}"
        return rpc_error(request_id, _VERSION_NOT_SUPPORTED, told)
    if is_cancel(body):
        params = body.get("params")
        task_id = params.get("id") if isinstance(params, dict) else None
        if known := tasks.get(str(task_id)):
            known.is_cancelled = True
        task = {"id": task_id, "status": {"state": "TASK_STATE_CANCELED"}}
        return {"jsonrpc": "2.0", "id": request_id, "result": task}
    if method == "GetTask":
        params = body.get("params")
        found = tasks.get(str(params.get("id"))) if isinstance(params, dict) else None
        if found is None:
            return rpc_error(request_id, _TASK_NOT_FOUND, "there is no such task")
        return {"jsonrpc": "2.0", "id": request_id, "result": found.document}
    if method != "SendStreamingMessage":
        return rpc_error(request_id, _METHOD_NOT_FOUND, f"there is no method {method}")
    return None


def is_cancel(body: Body) -> bool:
    """Whether a call cancels a task."""
    return bool(body.get("method") == "CancelTask")


def rpc_error(request_id: Any, code: int, message: str) -> Body:
    """An error of JSON-RPC, which comes with HTTP status 200."""
    error = {"code": code, "message": message}
    return {"jsonrpc": "2.0", "id": request_id, "error": error}
