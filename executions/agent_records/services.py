"""The only write path of agents' records. The admin, the pages and the API call it.

It writes each change with its audit entry, or not at all.
"""

from collections.abc import Callable

from executions.agent_records.model import Agent
from moca import audit
from moca.concurrency import ConflictError, rewrite
from triggers.models import Trigger

# Exceptions that refuse a change. Their message is for the operator.
REFUSALS: tuple[type[Exception], ...] = (ConflictError, Agent.DoesNotExist)
# How many of the newest triggers are looked through for those that name an agent.
MOST_TRIGGERS = 1000


def save(agent: Agent, *, by: str) -> None:
    """Create or change a record that the caller has validated.

    Args:
        agent: the record, with its new values.
        by: the operator's name.

    Raises:
        ConflictError: somebody else changed the record since it was read.
        IntegrityError: somebody else has created a record of this id.
    """
    audit.save(agent, by=by)


def change(agent: Agent, apply: Callable[[Agent], None], *, by: str) -> None:
    """Read a record, change it and save it, in one transaction.

    Args:
        agent: an instance with the id, which is read again.
        apply: changes and validates the record.
        by: the operator's name.

    Raises:
        Agent.DoesNotExist: there is no such record.
        ConflictError: others changed the record at each attempt.
        Exception: what `apply` raises.
    """

    def write() -> None:
        apply(agent)
        audit.save(agent, by=by, covered=True)

    rewrite(agent, write)


def delete(agent: Agent, *, by: str) -> None:
    """Delete a record. Triggers that name it use the default agent then.

    Raises:
        Agent.DoesNotExist: somebody else has deleted it.
        ConflictError: others changed the record at each attempt.
    """
    rewrite(agent, lambda: audit.delete(agent, by=by))


def triggers_of(agent_id: str) -> tuple[list[Trigger], bool]:
    """Find the triggers that name an agent among the newest MOST_TRIGGERS.

    Returns:
        The triggers, newest first, and whether there are more triggers than were looked through.
    """
    newest = Trigger.objects.order_by("-pk").defer("prompt", "description")
    found = list(newest[: MOST_TRIGGERS + 1])
    named = [trigger for trigger in found[:MOST_TRIGGERS] if trigger.agent_id == agent_id]
    return named, len(found) > MOST_TRIGGERS
