"""The probes of `manage.py doctor`: each tests one thing that runs need.

A probe yields findings. If it raises an error, that becomes a finding, and the other probes go on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from agents import AgentError, Invocation, new_session_id
from events import sources
from events.models import EventSource, ReceivedEvent
from events.signing_keys import UnreadableError
from executions import owner_tokens
from executions.agent_client import client_from_settings
from executions.agent_records import lookup
from executions.agent_records.clients import check_agent
from executions.runner import lines
from executions.runner.execute import LAMBDA_SECONDS
from moca import zone_data
from moca.authentication.keys import KeysUnavailableError
from moca.authentication.tokens import pool_key
from moca.aws.clients import BotoCoreError, ClientError, client
from moca.dynamodb.layout import indexes
from triggers.models import LocalSchedule
from triggers.reconcile import known_drift
from triggers.schedulers import SchedulerError, get_scheduler
from triggers.schedulers.local import astray

# The time limit of a call to the agent or its token endpoint.
SECONDS = 10.0
# How many agents' records are tested.
AGENTS = 50
# The user for whom the agent is asked. Some agents take no user id but a UUID.
NOBODY = "00000000-0000-4000-8000-000000000000"
# How many colons the ARN of a queue has.
ARN_COLONS = 5
# What the codes of errors contain that say that something does not exist.
MISSING = ("ResourceNotFoundException", "NonExistentQueue")
# What to do if nothing fires.
START = "Start the scheduler process: manage.py run, or manage.py runscheduler."
# How many schedules one read takes.
SCHEDULES = 100
# A schedule or event that is so late means that no scheduler process runs.
OVERDUE = timedelta(minutes=2)
# Runs that have waited for their turn for so long are worth a look.
LONG_WAIT = timedelta(hours=1)

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a test.

    Attributes:
        verdict: `ok`; `warn` if it works now and may fail later; `fail`.
        subject: what was tested.
        text: its state, or what is wrong with it.
        fix: what to do about it; empty if there is nothing to do.
    """

    verdict: Verdict
    subject: str
    text: str
    fix: str = ""


Probe = Callable[[], Iterator[Finding]]


def diagnose(*, invoke: bool = False) -> Iterator[Finding]:
    """Run all probes, one after the other.

    Args:
        invoke: whether the agent is asked to answer a prompt, too, which costs as much as a run.
    """
    for subject, probe in PROBES.items():
        yield from _probe(subject, probe)
    if invoke:
        yield from _probe("invocation", _invocation)


def _probe(subject: str, probe: Probe) -> Iterator[Finding]:
    try:
        yield from probe()
    except ClientError as error:
        yield Finding("fail", subject, *_aws_error(error))
    except (AgentError, SchedulerError, BotoCoreError) as error:
        yield Finding("fail", subject, str(error))
    except DatabaseError as error:
        yield Finding("fail", subject, f"The database refuses: {error}", "Run manage.py migrate.")
    except Exception as error:  # noqa: BLE001  (the operator has to see every error)
        yield Finding("fail", subject, f"{type(error).__name__}: {error}")


def _found(call: Callable[[], Any]) -> Any:
    """The answer of a call to AWS; None if what the call names does not exist."""
    try:
        return call()
    except ClientError as error:
        if not any(each in error.response["Error"]["Code"] for each in MISSING):
            raise
        return None


def _aws_error(error: ClientError) -> tuple[str, str]:
    """The text and the fix of a finding about an error of AWS."""
    code, operation = error.response["Error"]["Code"], error.operation_name
    if code.startswith(("AccessDenied", "UnauthorizedOperation")):
        return (
            f"These credentials may not {operation}.",
            f"Allow {operation} ({error.response['Error'].get('Message', '')}).",
        )
    return f"{operation}: {error.response['Error'].get('Message') or code}", ""


def _settings() -> Iterator[Finding]:
    run = checks.run_checks(include_deployment_checks=bool(settings.TRIGGER_LAMBDA_ARN))
    found = [message for message in run if not message.is_silenced()]
    for message in found:
        verdict: Verdict = "fail" if message.level >= checks.ERROR else "warn"
        yield Finding(verdict, "settings", f"({message.id}) {message.msg}", message.hint or "")
    if not found:
        yield Finding("ok", "settings", "Nothing is missing or contradictory.")


def _zone_data() -> Iterator[Finding]:
    data, newest = zone_data.in_use(), zone_data.PACKAGE_VERSION
    version = data.version or "of an unknown version"
    where = data.folder or "the tzdata package"
    if data.source != "PYTHONTZPATH":
        yield Finding("ok", "zone data", f"{version}, from {where}.")
    elif data.version >= newest:
        yield Finding("ok", "zone data", f"{version}, from {where} (PYTHONTZPATH).")
    else:
        text = f"{version}, from {where} (PYTHONTZPATH); the tzdata package has {newest}."
        yield Finding("warn", "zone data", text, "Unset PYTHONTZPATH, or renew what it names.")


def _database() -> Iterator[Finding]:
    if connection.vendor == "dynamodb":
        yield from _table()
        if not connection.creation.table_exists():  # type: ignore[attr-defined]
            return
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    name = connection.settings_dict["NAME"]
    if waiting:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in waiting)
        yield Finding("fail", "database", f"Not applied: {names}.", "Run manage.py migrate.")
    else:
        yield Finding("ok", "database", f"{connection.display_name}, {name}: up to date.")


def _table() -> Iterator[Finding]:
    raw, name = connection.service.raw, connection.service.table  # type: ignore[attr-defined]
    described = _found(lambda: raw.describe_table(TableName=name))
    if described is None:
        fix = "Correct TRIGGERS_TABLE_NAME or AWS_REGION, or run manage.py migrate to make it."
        yield Finding("fail", "table", f"There is no table {name} in {settings.AWS_REGION}.", fix)
        return
    table = described["Table"]
    present = {each["IndexName"]: each for each in table.get("GlobalSecondaryIndexes", [])}
    missing = sorted(set(indexes()) - set(present))
    if missing:
        text = f"It lacks the indexes {', '.join(missing)}."
        yield Finding("fail", "table", text, "Run manage.py migrate.")
    busy = [n for n, each in present.items() if each.get("IndexStatus", "ACTIVE") != "ACTIVE"]
    if table["TableStatus"] != "ACTIVE" or busy:
        text = f"{name} is {table['TableStatus']}, and not ready: {', '.join(busy) or 'itself'}."
        yield Finding("warn", "table", text, "Wait until it is.")
    ttl = raw.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if ttl["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
        text = "Time to live is off, so executions are kept forever."
        yield Finding("warn", "table", text, "Run manage.py migrate.")
    if not settings.USES_DYNAMODB_LOCAL and not _has_recovery(raw, name):
        text = "Point-in-time recovery is off, so what is lost stays lost."
        yield Finding("warn", "table", text, "Run manage.py migrate.")


def _has_recovery(raw: Any, name: str) -> bool:
    try:
        backups = raw.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "UnknownOperationException":
            return True
        raise
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    return bool(recovery.get("PointInTimeRecoveryStatus") == "ENABLED")


def _scheduler() -> Iterator[Finding]:
    scheduler = get_scheduler()
    if settings.TRIGGER_LAMBDA_ARN:
        scheduler.check()
        apart, unclaimed = known_drift(scheduler)
        text = f"EventBridge Scheduler, group {settings.SCHEDULE_GROUP_NAME}: schedules are listed."
        yield Finding("ok", "scheduler", text)
        fix = "Run manage.py sync_schedules. What it leaves to a later pass needs five minutes."
        if apart:
            text = f"{len(apart)} triggers say that their schedules are not synced."
            yield Finding("warn", "scheduler", text, fix)
        if unclaimed:
            text = f"{len(unclaimed)} schedules have no trigger, such as that of {unclaimed[0]}."
            yield Finding("warn", "scheduler", text, fix)
        return
    overdue = LocalSchedule.objects.upcoming(timezone.now() - OVERDUE)[:1]
    if overdue:
        text = f"A schedule has been due since {overdue[0].due_at:%Y-%m-%d %H:%M:%S} UTC."
        yield Finding("fail", "scheduler", text, START)
        return
    wrong = _schedules_astray()
    if wrong:
        text = (
            f"{wrong} schedules wait for a later time than their next run: the clock was ahead "
            "when they were written."
        )
        yield Finding("fail", "scheduler", text, "Run manage.py sync_schedules.")
    else:
        yield Finding("ok", "scheduler", "The local scheduler: nothing is overdue.")


def _schedules_astray() -> int:
    found, last = 0, ""
    while rows := list(LocalSchedule.objects.filter(pk__gt=last).order_by("pk")[:SCHEDULES]):
        found += sum(1 for _ in astray(rows, timezone.now()))
        last = rows[-1].pk
    return found


def _events() -> Iterator[Finding]:
    found = sources.all_sources()
    if settings.TRIGGER_LAMBDA_ARN:
        for name in sorted({settings.EVENT_BUS_NAME, *(source.bus for source in found)}):
            if _found(partial(client("events").describe_event_bus, Name=name)) is None:
                fix = "Make it, or correct EVENT_BUS_NAME or the source that names it."
                yield Finding("fail", "events", f"There is no event bus {name}.", fix)
                return
    elif ReceivedEvent.objects.queued().filter(received_at__lt=timezone.now() - OVERDUE)[:1]:
        yield Finding("fail", "events", "Events have been waiting for minutes.", START)
        return
    yield Finding("ok", "events", f"{len(found)} event sources; no event is held up.")


def _turns() -> Iterator[Finding]:
    """The runs that wait for their turn; nothing if none does."""
    number, since = lines.waiting()
    if since is None:
        return
    minutes = round((timezone.now() - since).total_seconds() / 60)
    text = f"{number} runs wait for their turn, the first for {minutes} minutes."
    if timezone.now() - since < LONG_WAIT:
        yield Finding("ok", "turns", text)
        return
    fix = "Look at the runs that have the places, or raise maxConcurrent of their triggers."
    yield Finding("warn", "turns", text, fix)


def _handler() -> Iterator[Finding]:
    arn = settings.TRIGGER_LAMBDA_ARN
    if not arn:
        return
    function = _found(lambda: client("lambda").get_function_configuration(FunctionName=arn))
    if function is None:
        fix = "Run zappa deploy handler, or correct TRIGGER_LAMBDA_ARN."
        yield Finding("fail", "handler", f"There is no function {arn}.", fix)
        return
    if function.get("State", "Active") not in ("Active", "Inactive"):
        text = f"It is {function['State']}: {function.get('StateReason', '')}"
        yield Finding("fail", "handler", text, "Run zappa update handler.")
    elif function["Timeout"] < LAMBDA_SECONDS:
        text = f"It is cut off after {function['Timeout']} seconds, and longer runs with it."
        fix = f"Set timeout_seconds to {LAMBDA_SECONDS} in zappa_settings.json."
        yield Finding("warn", "handler", text, fix)
    else:
        yield Finding("ok", "handler", f"{arn} is ready.")


def _dead_letters() -> Iterator[Finding]:
    arn = settings.SCHEDULE_DLQ_ARN
    if arn.count(":") != ARN_COLONS:
        # Either no queue is set, or the finding about settings says what is wrong.
        return
    account, name = arn.split(":")[-2:]
    sqs = client("sqs")
    queue = _found(lambda: sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account))
    if queue is None:
        text = f"There is no queue {arn}."
        yield Finding("fail", "dead letters", text, "Correct SCHEDULE_DLQ_ARN.")
        return
    count = "ApproximateNumberOfMessages"
    found = sqs.get_queue_attributes(QueueUrl=queue["QueueUrl"], AttributeNames=[count])
    messages = int(found["Attributes"][count])
    if messages:
        text = f"{messages} events could not be delivered."
        yield Finding("warn", "dead letters", text, "See docs/deploy.md#dead-letters.")
    else:
        yield Finding("ok", "dead letters", "The queue is empty.")


def _event_sources() -> Iterator[Finding]:
    try:
        found = [source for source in sources.all_sources() if source.has_address]
    except ImproperlyConfigured:
        # The finding about settings says what is wrong.
        return
    wrong = [finding for source in found if (finding := _missing_secret(source))]
    yield from wrong
    if found and not wrong:
        yield Finding(
            "ok", "event sources", f"Of those with an address, each has a secret ({len(found)})."
        )


def _missing_secret(source: EventSource) -> Finding | None:
    """What is wrong with the secrets of a source; None if it has one that works."""
    try:
        if source.active_secrets(timezone.now()):
            return None
    except UnreadableError as error:
        return Finding("fail", "event sources", f"{source.pk} takes no events: {error}")
    text = f"{source.pk} takes no events: it has no secret that senders could sign with."
    return Finding("warn", "event sources", text, "Make one on its page.")


def _agents_table() -> Iterator[Finding]:
    name = settings.AGENTS_TABLE_NAME
    if not name:
        return
    try:
        client("dynamodb").get_item(
            TableName=name, Key={"userId": {"S": "doctor"}, "agentId": {"S": "doctor"}}
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        fix = "Correct AGENTS_TABLE_NAME or AWS_REGION, or make the table: docs/agents.md."
        if code == "ResourceNotFoundException":
            text = f"There is no table {name} in {settings.AWS_REGION}."
        elif code == "ValidationException":
            text = f"The key of {name} is not userId and agentId, both texts."
        else:
            raise
        yield Finding("fail", "agents table", text, fix)
    else:
        yield Finding("ok", "agents table", f"{name} can be read.")


def _user_pool() -> Iterator[Finding]:
    if not settings.COGNITO_USER_POOL_ID:
        return
    try:
        pool_key("doctor")
    except KeysUnavailableError:
        text = f"The keys of {settings.COGNITO_USER_POOL_ID} cannot be fetched."
        fix = "Correct COGNITO_USER_POOL_ID, and see that the network lets the address through."
        yield Finding("fail", "user pool", text, fix)
    else:
        yield Finding("ok", "user pool", "Its keys are known.")
    if not settings.COGNITO_APP_CLIENT_IDS:
        text = "The API takes tokens of every app client of the pool."
        fix = "Set COGNITO_APP_CLIENT_IDS to the app clients of your frontends."
        yield Finding("warn", "user pool", text, fix)


def _token() -> Iterator[Finding]:
    with client_from_settings() as agent:
        agent.obtain_token(SECONDS)
    yield Finding("ok", "token", f"Obtained (AGENT_AUTH={settings.AGENT_AUTH}).")


def _owner_token() -> Iterator[Finding]:
    if owner_tokens.is_on():
        owner_tokens.owner_token(NOBODY, timeout=SECONDS)
        text = f"Obtained from the identity pool {settings.IDENTITY_POOL_ID}."
        yield Finding("ok", "owner's token", text)


def _agent() -> Iterator[Finding]:
    with client_from_settings() as agent:
        try:
            agent.reach(SECONDS)
        except AgentError as error:
            if not settings.USES_DEMO_AGENT:
                raise
            fix = "Start it: manage.py run, or manage.py demo_agent."
            yield Finding("fail", "agent", f"The demo agent is away: {error}", fix)
        else:
            yield Finding("ok", "agent", f"{agent.url} answers.")


def _agent_records() -> Iterator[Finding]:
    try:
        found = lookup.all_agents()
    except ImproperlyConfigured:
        # The finding about settings says what is wrong.
        return
    for agent in found[:AGENTS]:
        try:
            check_agent(agent, SECONDS)
        except AgentError as error:
            fix = "Correct it in the settings." if agent.is_configured else "Correct its record."
            yield Finding("fail", "agents", f"{agent.pk}: {error}", fix)
        else:
            yield Finding("ok", "agents", f"{agent.pk} answers.")
    if len(found) > AGENTS:
        yield Finding("warn", "agents", f"Only {AGENTS} of {len(found)} were tested.")


def _invocation() -> Iterator[Finding]:
    invocation = Invocation(
        prompt="This is a test of the connection. Answer with one word.",
        target_user_id=NOBODY,
        session_id=new_session_id(),
        execution_id="doctor",
        owner_token=owner_tokens.owner_token(NOBODY, timeout=SECONDS),
    )
    with client_from_settings() as agent:
        reply = agent.invoke(invocation, time_limit=60, max_retries=0)
    yield Finding("ok", "invocation", f"The agent said: {reply.output.text[:200]}")


PROBES: dict[str, Probe] = {
    "settings": _settings,
    "zone data": _zone_data,
    "database": _database,
    "scheduler": _scheduler,
    "events": _events,
    "turns": _turns,
    "handler": _handler,
    "dead letters": _dead_letters,
    "event sources": _event_sources,
    "agents table": _agents_table,
    "user pool": _user_pool,
    "token": _token,
    "owner's token": _owner_token,
    "agent": _agent,
    "agents": _agent_records,
}
