"""Triggers as the contract shows them."""

from datetime import datetime
from typing import Any

from moca.times import iso
from triggers.models import Trigger


def trigger_json(trigger: Trigger, now: datetime) -> dict[str, Any]:
    """The trigger in the form of the contract; what is not set is left out.

    Args:
        trigger: the trigger.
        now: the moment after which its next runs are told, while it is enabled.
    """
    schedule = trigger.schedule
    return {
        "id": trigger.pk,
        "userId": trigger.user_id,
        "name": trigger.name,
        **_given("description", trigger.description),
        "type": trigger.type,
        "enabled": trigger.enabled,
        "agentId": trigger.agent_id,
        "prompt": trigger.prompt,
        "includeContext": trigger.include_context,
        **_given("sessionId", trigger.session_id),
        **_given("modelId", trigger.model_id),
        **_given("workingDirectory", trigger.working_directory),
        **({} if trigger.enabled_tools is None else {"enabledTools": trigger.enabled_tools}),
        **_given("scheduleConfig", trigger.schedule_config),
        **_given("eventConfig", trigger.event_config),
        "createdAt": iso(trigger.created_at),
        "updatedAt": iso(trigger.updated_at),
        **_moment("lastExecutedAt", trigger.last_executed_at),
        "timeoutSeconds": trigger.timeout_seconds,
        "overlapPolicy": trigger.overlap_policy,
        "maxRetries": trigger.max_retries,
        **_given("pauseAfterFailures", trigger.pause_after_failures),
        **_given("tags", trigger.tags),
        **(
            {"nextRuns": [iso(run) for run in trigger.next_runs(now)]}
            if schedule and trigger.enabled
            else {}
        ),
        **({"scheduleDescription": trigger.schedule_description} if schedule else {}),
        "syncState": trigger.sync_state,
        **_given("syncError", trigger.sync_error),
        **_given("lastStatus", trigger.last_status),
        **_given("skippedRuns", trigger.skipped_runs),
        **_moment("lastSkippedAt", trigger.last_skipped_at),
        **_given("lastSkipReason", trigger.last_skip_reason),
        "consecutiveFailures": trigger.consecutive_failures,
        "version": trigger.version,
    }


def _given(name: str, value: Any) -> dict[str, Any]:
    return {name: value} if value else {}


def _moment(name: str, moment: datetime | None) -> dict[str, str]:
    return {name: iso(moment)} if moment else {}
