"""Speaks A2A 1.0 by JSON-RPC with agents such as a2a-sdk 1.3.0: a task streams artifacts.

Without the header `A2A-Version` a server takes the request for version 0.3, and refuses it.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

from agents import errors
from agents.framing import Batch, ended_early
from agents.invocation import Invocation
from agents.protocols.base import Protocol, Reader, Request, failure
from agents.replies import Question, Reply, Transcript, as_text, items, mapping, name

# All requests share it.
_VERSION = MappingProxyType({"A2A-Version": "1.0"})
_FAILED = {
    "TASK_STATE_FAILED": errors.AGENT_FAILED_SILENTLY,
    "TASK_STATE_REJECTED": errors.TASK_REJECTED,
}
_WAITING = {"TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED"}


class A2AReader(Reader):
    def __init__(self, transcript: Transcript, media_type: str) -> None:
        super().__init__(transcript, media_type)
        self._artifact: str | None = None
        self._message = ""

    def take(self, values: Batch) -> None:
        for value in values:
            answer = mapping(value)
            if answer.get("error"):
                raise failure(answer["error"])
            result = mapping(answer.get("result"))
            if isinstance(update := result.get("artifactUpdate"), dict):
                self._add_artifact(mapping(update.get("artifact")))
            elif isinstance(update := result.get("statusUpdate"), dict):
                self._note(update.get("taskId"), update)
                self._take_status(mapping(update.get("status")))
            elif isinstance(task := result.get("task"), dict):
                self._take_task(task)
            elif isinstance(result.get("status"), dict):
                # GetTask returns the task itself.
                self._take_task(result)
            elif isinstance(message := result.get("message"), dict):
                self._note(message.get("taskId"), message)
                self.transcript.say(_text(message))
                self._finish()
            else:
                self.skip(value)
            if self.transcript.complete:
                return

    def end(self) -> None:
        self.check_understood()
        if not self.transcript.complete:
            raise ended_early()

    def _note(self, task_id: Any, facts: dict[str, Any]) -> None:
        self.transcript.task_id = name(task_id)
        self.transcript.session_id = name(facts.get("contextId"))

    def _take_task(self, task: dict[str, Any]) -> None:
        self._note(task.get("id"), task)
        for artifact in map(mapping, items(task.get("artifacts"))):
            self._add_artifact(artifact)
        self._take_status(mapping(task.get("status")))

    def _add_artifact(self, artifact: dict[str, Any]) -> None:
        text = _text(artifact)
        artifact_id = as_text(artifact.get("artifactId"))
        if text and artifact_id != self._artifact:
            if self.transcript.has_text:
                self.transcript.say("\n\n")
            self._artifact = artifact_id
        self.transcript.say(text)

    def _take_status(self, status: dict[str, Any]) -> None:
        state = as_text(status.get("state"))
        message = _text(mapping(status.get("message")))
        transcript = self.transcript
        if state in _FAILED:
            raise failure(message, silently=_FAILED[state])
        if state == "TASK_STATE_CANCELED":
            transcript.outcome = "cancelled"
        elif state in _WAITING:
            transcript.ask(Question(transcript.task_id or "", message or state))
        elif state != "TASK_STATE_COMPLETED":
            return
        elif not transcript.has_text:
            # Some agents put their answer into the message of the last state.
            transcript.say(message)
        self._finish()

    def _finish(self) -> None:
        self.transcript.flush()
        self.transcript.complete = True


def _text(holder: dict[str, Any]) -> str:
    """Return the text of the parts of an artifact or message. Data becomes JSON."""
    parts = [mapping(part) for part in items(holder.get("parts"))]
    return "".join(as_text(part.get("text", part.get("data"))) for part in parts)


class A2A(Protocol):
    name = "a2a"
    accept = "text/event-stream"
    path = "/"
    reader = A2AReader
    can_resume = True

    def request(self, invocation: Invocation, url: str) -> Request:
        facts = {
            "userId": invocation.target_user_id,
            "agentId": invocation.agent_id,
            **invocation.options,
            "enabledTools": invocation.enabled_tools,
            "resultCallback": invocation.callback_body,
        }
        message: dict[str, Any] = {
            "messageId": invocation.execution_id,
            "contextId": invocation.session_id,
            "role": "ROLE_USER",
            "parts": [{"text": invocation.prompt}],
            "metadata": {k: v for k, v in facts.items() if v is not None},
        }
        if invocation.answers:
            message["taskId"] = invocation.task_id or invocation.answers[0].question_id
            message["parts"] = [{"text": as_text(each.value)} for each in invocation.answers]
        return _call("SendStreamingMessage", invocation.execution_id, {"message": message})

    def cancel(self, reply: Reply) -> Request | None:
        if not reply.task_id:
            return None
        return _call("CancelTask", f"{reply.task_id}-cancel", {"id": reply.task_id})

    def status(self, task_id: str) -> Request | None:
        # The history would repeat what was sent.
        return _call("GetTask", f"{task_id}-status", {"id": task_id, "historyLength": 0})


def _call(method: str, request_id: str, params: dict[str, Any]) -> Request:
    call = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    return Request(json.dumps(call).encode(), _VERSION)
