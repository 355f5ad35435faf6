"""The Python client: a method for each route that frontends and scripts use.

What it takes and returns is JSON as the API has it, typed by `moca_triggers.models`.
"""

import random
import time
import uuid
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

from moca_triggers.errors import UnfinishedError
from moca_triggers.models import (
    Agent,
    EventSource,
    ExecutionOutput,
    PreviewResult,
    Trigger,
    TriggerCreate,
    TriggerExecution,
    TriggerUpdate,
)
from moca_triggers.transport import Transport

PAGE = 100
# Seconds between two looks at a run: short while it speaks, longer while it is silent.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.3, 3.0


class Client:
    """One installation, as one user sees it.

    Args:
        url: the address of the installation.
        token: a token or an API key.
        timeout: seconds to wait for an answer.
        retries: how often a request is sent again, if it can have no effect twice.
    """

    def __init__(self, url: str, token: str = "", *, timeout: float = 30, retries: int = 3) -> None:
        self._transport = Transport(url, token, timeout=timeout, retries=retries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def url(self) -> str:
        """The address of the installation."""
        return self._transport.url

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    # Triggers

    def triggers(
        self,
        *,
        kind: str | None = None,
        enabled: bool | None = None,
        search: str | None = None,
        order: str | None = None,
        page_size: int = PAGE,
    ) -> Iterator[Trigger]:
        """All triggers, page by page while you iterate.

        Args:
            kind: only `schedule` or `event` triggers.
            enabled: only those that are enabled, or those that are not.
            search: only those whose name, description, prompt or tags contain it.
            order: `asc` for the oldest first; the newest come first otherwise.
            page_size: how many are asked for at a time.
        """
        query = {"type": kind, "enabled": enabled, "search": search, "order": order}
        return self._pages("/triggers", "triggers", {**query, "limit": page_size})

    def trigger(self, trigger_id: str) -> Trigger:
        """One trigger."""
        return cast("Trigger", self._get(_trigger(trigger_id))["trigger"])

    def create(self, body: TriggerCreate, *, idempotency_key: str = "") -> Trigger:
        """Create a trigger. If the request is sent again, there is still one trigger."""
        key = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        answer = self._transport.send("POST", "/triggers", body=body, headers=key, repeatable=True)
        return cast("Trigger", answer["trigger"])

    def update(
        self, trigger_id: str, changes: TriggerUpdate, *, version: int | None = None
    ) -> Trigger:
        """Change the fields that are given; None clears an optional one.

        Args:
            trigger_id: the trigger.
            changes: its new values.
            version: the version that you have read. If somebody has changed the trigger since, this
                is a ChangedError.
        """
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        # With a version, a second change would be refused although the first one was made.
        answer = self._transport.send(
            "PATCH",
            _trigger(trigger_id),
            body=changes,
            headers=headers,
            repeatable=version is None,
        )
        return cast("Trigger", answer["trigger"])

    def delete(self, trigger_id: str) -> None:
        """Delete a trigger. Its executions stay for their time."""
        self._transport.send("DELETE", _trigger(trigger_id))

    def enable(self, trigger_id: str) -> Trigger:
        """Have a trigger fire."""
        return cast("Trigger", self._post(f"{_trigger(trigger_id)}/enable")["trigger"])

    def disable(self, trigger_id: str) -> Trigger:
        """Keep a trigger from firing."""
        return cast("Trigger", self._post(f"{_trigger(trigger_id)}/disable")["trigger"])

    def pause(self, trigger_id: str, *, until: str = "", note: str = "") -> Trigger:
        """Keep a trigger from firing until a time such as `2h`, or until you resume it."""
        body = {name: text for name, text in {"until": until, "note": note}.items() if text}
        return cast("Trigger", self._post(f"{_trigger(trigger_id)}/pause", body)["trigger"])

    def resume(self, trigger_id: str) -> Trigger:
        """End the pause of a trigger."""
        return cast("Trigger", self._post(f"{_trigger(trigger_id)}/resume")["trigger"])

    # Runs

    def run(self, trigger_id: str) -> TriggerExecution:
        """Run a trigger now, enabled or not. It is not sent again if it may have arrived."""
        answer = self._transport.send("POST", f"{_trigger(trigger_id)}/run")
        return cast("TriggerExecution", answer["execution"])

    def executions(
        self,
        trigger_id: str | None = None,
        *,
        page_size: int = 20,
        **filters: str | None,
    ) -> Iterator[TriggerExecution]:
        """The runs of a trigger, or of all, newest first, page by page while you iterate.

        Args:
            trigger_id: the trigger; None for all.
            page_size: how many are asked for at a time.
            filters: `status`, `outcome`, `agentId`, `order`; of all triggers' also `since` and
                `until`.
        """
        path = "/executions" if trigger_id is None else f"{_trigger(trigger_id)}/executions"
        return self._pages(path, "executions", {**filters, "limit": page_size})

    def execution(self, trigger_id: str, execution_id: str) -> TriggerExecution:
        """One run, with what the agent said."""
        answer = self._get(_execution(trigger_id, execution_id))
        return cast("TriggerExecution", answer["execution"])

    def output(self, trigger_id: str, execution_id: str, after: int = 0) -> ExecutionOutput:
        """What the agent has said so far, after a place."""
        path = f"{_execution(trigger_id, execution_id)}/output"
        return cast("ExecutionOutput", self._get(path, {"after": after}))

    def follow(
        self, trigger_id: str, execution_id: str, *, seconds: float | None = None
    ) -> Iterator[str]:
        """What the agent says, while it says it, until the run ends.

        Args:
            trigger_id: the trigger.
            execution_id: its run.
            seconds: how long to wait for the end; None for as long as it takes.

        Raises:
            UnfinishedError: the run has not ended in this time.
        """
        end = None if seconds is None else time.monotonic() + seconds
        after, pause = 0, SHORTEST_PAUSE
        while True:
            page = self.output(trigger_id, execution_id, after)
            after = page["next"]
            if page["text"]:
                yield page["text"]
            if page["done"]:
                return
            if end is not None and time.monotonic() >= end:
                raise UnfinishedError(
                    f"The run {execution_id} has not ended within {seconds:g} s.",
                    "It goes on: follow it again, or cancel it.",
                )
            pause = SHORTEST_PAUSE if page["text"] else min(pause * 1.3, LONGEST_PAUSE)
            time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311

    def cancel(self, trigger_id: str, execution_id: str) -> TriggerExecution:
        """Ask for the end of a run, which comes within seconds."""
        answer = self._post(f"{_execution(trigger_id, execution_id)}/cancel")
        return cast("TriggerExecution", answer["execution"])

    def replay(self, trigger_id: str, execution_id: str) -> TriggerExecution:
        """Run the same input again. It is not sent again if it may have arrived."""
        path = f"{_execution(trigger_id, execution_id)}/replay"
        return cast("TriggerExecution", self._transport.send("POST", path)["execution"])

    def answer(
        self, trigger_id: str, execution_id: str, answers: Mapping[str, Any]
    ) -> TriggerExecution:
        """Answer the questions of a run that waits for a person; returns the run that goes on."""
        path = f"{_execution(trigger_id, execution_id)}/answer"
        answer = self._transport.send("POST", path, body={"answers": dict(answers)})
        return cast("TriggerExecution", answer["execution"])

    # Around them

    def preview(self, expression: str, timezone: str = "", *, count: int = 5) -> PreviewResult:
        """What a schedule will do: its description, and its next runs."""
        body = {"expression": expression, "count": count}
        if timezone:
            body["timezone"] = timezone
        return cast("PreviewResult", self._post("/schedules/preview", body))

    def agents(self) -> list[Agent]:
        """The agents that have records."""
        return cast("list[Agent]", self._get("/agents")["agents"])

    def event_sources(self) -> list[EventSource]:
        """The sources that event triggers can listen to."""
        return cast("list[EventSource]", self._get("/events")["eventSources"])

    def user_id(self) -> str:
        """The id of the user whom the token stands for."""
        return cast("str", self._get("/triggers", {"limit": 1})["metadata"]["userId"])

    # How they are sent

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        return self._transport.send("GET", path, query=query, repeatable=True)

    def _post(self, path: str, body: Any = None) -> Any:
        """Send a request that changes nothing when it comes twice."""
        return self._transport.send("POST", path, body=body, repeatable=True)

    def _pages(self, path: str, name: str, query: Mapping[str, Any]) -> Iterator[Any]:
        token = None
        while True:
            answer = self._get(path, {**query, "nextToken": token})
            yield from answer[name]
            token = answer.get("nextToken")
            if not token:
                return


def _trigger(trigger_id: str) -> str:
    return f"/triggers/{quote(trigger_id, safe='')}"


def _execution(trigger_id: str, execution_id: str) -> str:
    return f"{_trigger(trigger_id)}/executions/{quote(execution_id, safe='')}"
