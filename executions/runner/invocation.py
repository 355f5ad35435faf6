"""Compose what is sent to the agent of a run, for `executions.runner.execute`."""

import logging
import time

from django.conf import settings

from agents import AgentError, Invocation
from agents.invocation import Answered
from executions import owner_tokens, prompts, result_tokens
from executions.agent_client import profile_of
from executions.agent_records.model import Agent
from executions.failures import BESIDES, NO_OWNER_TOKEN
from executions.runner.occurrence import Run
from moca import reasons
from moca.sentences import Reason

logger = logging.getLogger(__name__)

# The part of a run's time that may pass until its owner's token is there. The rest is the agent's.
TOKEN_SHARE = 0.5


def compose_invocation(run: Run, record: Agent | None, end: float) -> Invocation:
    """Make what is sent. The trigger's own values win over the record's, these over the profile's.

    Args:
        run: the run.
        record: the record of the trigger's agent, if it has one.
        end: when the run's time is over, by the monotonic clock.

    Raises:
        AgentError: the agent's profile cannot be read.
    """
    trigger, execution = run.trigger, run.execution
    agent_id = execution.agent_id
    profile = profile_of(trigger.user_id, agent_id, has_record=record is not None)
    tools, options = trigger.enabled_tools, trigger.agent_options
    if record is not None:
        tools = record.enabled_tools if tools is None else tools
        options = {**record.options, **options}
    acts_for_owner = owner_tokens.is_on() and (record is None or record.sees_tokens_of_settings)
    if acts_for_owner:
        # Agents that act for their users prepare no workspace without it.
        options = {"storagePath": "/"} | options
    return Invocation(
        prompt=prompts.compose(trigger, run.event, execution.started_at),
        target_user_id=trigger.user_id,
        session_id=execution.session_id,
        execution_id=execution.pk,
        agent_id=agent_id or None,
        options=options,
        enabled_tools=profile.enabled_tools if profile and tools is None else tools,
        system_prompt=profile.system_prompt if profile else None,
        mcp_config=profile.mcp_config if profile else None,
        secrets=profile.secrets if profile else (),
        answers=tuple(Answered(each["id"], each["value"]) for each in execution.answers or ()),
        task_id=execution.task_id or None,
        owner_token=_owner_token(run, end) if acts_for_owner else None,
        callback=result_tokens.callback_of(execution),
    )


def asks_aws() -> bool:
    """Whether `compose_invocation()` may ask AWS, for profiles or for tokens of owners."""
    return bool(settings.AGENTS_TABLE_NAME) or owner_tokens.is_on()


def _owner_token(run: Run, end: float) -> str | None:
    """A token of the trigger's owner. If there is none to be had, the run gets a warning."""
    try:
        left = max(0.0, end - time.monotonic())
        return owner_tokens.owner_token(run.trigger.user_id, timeout=left * TOKEN_SHARE)
    except AgentError as error:
        logger.warning("No token of the owner", extra={"errorCode": error.code})
        missing = NO_OWNER_TOKEN(error=error.reason)
        warning = reasons.of(run.execution, "warning")
        if isinstance(warning, Reason):
            missing = warning.adding(BESIDES, besides=missing)
        reasons.put(run.execution, "warning", missing)
        return None
