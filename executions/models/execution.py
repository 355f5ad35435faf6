"""The records of runs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from agents import Output, Reply
from agents.replies import Question, ToolUse
from executions.failures import LOST, NOT_PICKED_UP, TURN_TOO_LATE, UNREAD
from executions.outcomes import OUTCOMES, outcome_of
from moca import reasons
from moca.concurrency import ExpectingQuerySet
from moca.dynamodb.layout import Absent, Index, Layout
from moca.reasons import CodeField, ParamsField
from moca.times import parse_iso
from moca.tracing import MOST_CHARACTERS
from triggers.models import Outcome, Process, RunStatus, Trigger, has_lease


class Source(models.TextChoices):
    SCHEDULE = "schedule", _("Schedule")
    EVENT = "event", _("Event")
    MANUAL = "manual", _("Run now")
    REPLAY = "replay", _("Replay")
    # A person has answered the questions of an earlier run, which this one continues.
    ANSWER = "answer", _("Answer")
    # What was missed or had failed, and runs later; see `executions.backfill`.
    BACKFILL = "backfill", _("Backfill")
    # Another program has used the trigger's fire token.
    FIRE = "fire", _("Fire token")


# How many keys one read of a key-value table takes.
KEYS_A_READ = 100


# How long a run of the TypeScript service's first edition may be under way, which has no lease: as
# long as a Lambda function.
LONGEST_OF_OLD = timedelta(minutes=15)


def _status_of_old(item: dict[str, Any]) -> str:
    """The status of a record that the TypeScript service wrote, which it does when a run ends."""
    return RunStatus.FAILED if item.get("errorMessage") else RunStatus.COMPLETED


def _error_of_old(item: dict[str, Any]) -> str:
    """The error of a record of the TypeScript service's first edition, or "" if it has none."""
    return str(item.get("error", {}).get("S", ""))


def _start_of_old(item: dict[str, Any]) -> datetime | None:
    """The start of a record of the TypeScript service's first edition, which has no executedAt."""
    try:
        return parse_iso(item["startedAt"]["S"])
    except (KeyError, ValueError, OverflowError):
        return None


class TriggerExecutionQuerySet(ExpectingQuerySet["TriggerExecution"]):
    def of_trigger(self, trigger: Trigger) -> Self:
        """The executions of a trigger, newest first."""
        return self.filter(trigger_id=trigger.pk)

    def keyed(self, trigger_id: str, execution_id: str) -> Self:
        """The one execution of a key."""
        return self.filter(trigger_id=trigger_id, pk=execution_id)

    def unfinished(self, execution: "TriggerExecution") -> Self:
        """The record of an execution; empty once it is closed, or another attempt has begun."""
        return self.filter(**execution.unfinished_key)

    def of_user(self, user_id: str) -> Self:
        """The executions of a user's triggers, those of deleted triggers among them.

        Records of the TypeScript service name no user, so they are not among these.
        """
        return self.filter(user_id=user_id)

    def running(self) -> Self:
        return self.filter(status=RunStatus.RUNNING)

    def overdue(self, now: datetime) -> Self:
        """The runs whose own lease has ended, the longest ended first. See `is_lost()` of each."""
        return self.running().filter(lease_until__lt=now).order_by("lease_until")

    def of_process(self, process_id: str) -> Self:
        """The runs under way of a scheduler process."""
        # Each has a lease of its own, too, by which the index of those under way is sorted.
        own = self.running().filter(process_id=process_id, lease_until__isnull=False)
        return own.order_by("lease_until")

    def _lost(self, now: datetime) -> models.Q:
        """The condition of the runs under way whose process has died."""
        leases = Process.objects.by_lease(now)
        overdue = models.Q(lease_until__lt=now)
        if leases.held:
            overdue &= ~models.Q(process_id__in=leases.held)
        if leases.lapsed:
            overdue |= models.Q(process_id__in=leases.lapsed)
        # Only the TypeScript service records runs without a source.
        overdue |= models.Q(lease_until=None, source="", started_at__lt=now - LONGEST_OF_OLD)
        return models.Q(status=RunStatus.RUNNING) & overdue

    def shown_as(self, status: str, now: datetime) -> Self:
        """The executions that show a status; a lost run shows as failed.

        Args:
            status: one of `RunStatus`; empty for all.
            now: the present, by which a run is lost.
        """
        if status == RunStatus.RUNNING:
            return self.running().filter(~self._lost(now))
        if status == RunStatus.FAILED:
            return self.filter(models.Q(status=status) | self._lost(now))
        return self.filter(status=status) if status else self

    def ended_as(self, outcome: str, now: datetime | None = None) -> Self:
        """The executions with an outcome. Records of earlier editions have it by their error.

        Args:
            outcome: one of `Outcome`; empty for all.
            now: the present, by which a run that no process has closed yet is lost, too.
        """
        if not outcome:
            return self
        if outcome in (Outcome.LOST, Outcome.UNKNOWN) and now is not None:
            # Nobody reads on in a run that was handed over: the agent may still be at work.
            of_outcome = models.Q(handed_over_at__isnull=outcome == Outcome.LOST)
            return self.filter(self._ended_as(outcome) | (self._lost(now) & of_outcome))
        return self.filter(self._ended_as(outcome))

    def _ended_as(self, outcome: str) -> models.Q:
        old = models.Q(outcome="")
        codes = [code for code, of_code in OUTCOMES.items() if of_code == outcome]
        match outcome:
            case Outcome.SUCCESS:
                old &= models.Q(status=RunStatus.COMPLETED)
            case Outcome.ERROR:
                old &= models.Q(status=RunStatus.FAILED) & ~models.Q(error_code__in=[*OUTCOMES])
            case _ if codes:
                old &= models.Q(status=RunStatus.FAILED, error_code__in=codes)
            case _:
                return models.Q(outcome=outcome)
        return models.Q(outcome=outcome) | old

    def trigger_names(
        self, executions: Iterable["TriggerExecution"], *, only_own: bool = False
    ) -> dict[str, str]:
        """The names of the executions' triggers by id, read by key in as few reads as possible.

        Args:
            executions: the executions.
            only_own: whether to leave out triggers that belong to another user by now.
        """
        by_user: dict[str, set[str]] = defaultdict(set)
        for execution in executions:
            by_user[execution.user_id].add(execution.trigger_id)
        names: dict[str, str] = {}
        for users, ids in _reads(by_user):
            found = Trigger.objects.filter(user_id__in=users, pk__in=ids)
            names |= found.values_list("pk", "name")
        # These triggers belong to another user by now, or the TypeScript service ran them, which
        # notes no user. A key-value table finds them by id one at a time.
        others = by_user[""] if only_own else set().union(*by_user.values())
        for key in others - names.keys():
            names |= Trigger.objects.filter(pk=key).values_list("pk", "name")
        return names


def _reads(by_user: dict[str, set[str]]) -> Iterator[tuple[list[str], set[str]]]:
    """Batch users and ids of triggers, so that all pairs of a batch fit into one read."""
    users: list[str] = []
    ids: set[str] = set()
    for user, own in sorted(by_user.items(), key=lambda item: len(item[1])):
        if not user:
            continue
        if users and (len(users) + 1) * len(ids | own) > KEYS_A_READ:
            yield users, ids
            users, ids = [], set()
        users, ids = [*users, user], ids | own
    if users:
        yield users, ids


class TriggerExecution(models.Model):
    """One run of a trigger.

    A record whose `attempt` is 0 waits for a process to claim its run. A run that names a scheduler
    process is lost when the lease of that process has ended, and any other when its own has, which
    is `lease_until`. A trigger may be deleted before its executions, so they refer to it by its id
    alone.
    """

    id = models.CharField(primary_key=True, max_length=36, editable=False)
    trigger_id = models.CharField("trigger", max_length=36)
    user_id = models.CharField("user", max_length=128)
    status = models.CharField(max_length=10, choices=RunStatus, default=RunStatus.RUNNING)
    # Empty while the run is under way, and on records of earlier editions: see `shown_outcome`.
    outcome = models.CharField(max_length=12, choices=Outcome, blank=True)
    # The agent that is asked: the trigger's when the run begins, or that of the run it continues.
    agent_id = models.CharField("agent", max_length=200, blank=True)
    source = models.CharField(max_length=10, choices=Source)
    attempt = models.PositiveIntegerField(default=0)
    scheduled_at = models.DateTimeField("due", null=True, blank=True)
    started_at = models.DateTimeField("started")
    completed_at = models.DateTimeField("ended", null=True, blank=True)
    duration_ms = models.PositiveBigIntegerField("duration (ms)", null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    # The scheduler process that runs it, whose lease counts for all its runs. Empty on AWS.
    process_id = models.CharField("process", max_length=36, blank=True)
    # When the process that had sent the request handed the run over to a `runworker`.
    handed_over_at = models.DateTimeField("handed over", null=True, blank=True, editable=False)
    # When a person asked to cancel the run. It may have ended by itself all the same.
    cancel_requested_at = models.DateTimeField("cancel requested", null=True, blank=True)
    # Whether the agent may have begun. Only a run that never reached it is retried.
    reached_agent = models.BooleanField(default=False)
    request_id = models.CharField("agent's request", max_length=200, blank=True)
    session_id = models.CharField("session", max_length=256, blank=True)
    # Which prompt of its trigger it has: see `triggers.prompt_versions`. Empty on older records.
    prompt_version = models.CharField(max_length=10, blank=True, editable=False)
    # The agent's own id of the run, if it gives one (A2A), to cancel or to continue it.
    task_id = models.CharField("agent's task", max_length=200, blank=True)
    # The first and the last 64 KB of the agent's output, and the size of it all in bytes.
    output = models.TextField(blank=True)
    output_tail = models.TextField(blank=True)
    output_bytes = models.PositiveBigIntegerField(default=0)
    # The first 16 KB of what the agent thought, and the tools that it called: see `tool_map()`.
    reasoning = models.TextField(blank=True)
    tools = models.JSONField(null=True, blank=True)
    # What the agent asks a person: see `question_map()`.
    questions = models.JSONField(null=True, blank=True)
    usage = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True)
    error_code, error_params = CodeField(), ParamsField()
    # What was wrong with the input of a run that ran all the same.
    warning = models.TextField(blank=True)
    warning_code, warning_params = CodeField(), ParamsField()
    event_payload = models.TextField(blank=True)
    replay_of = models.CharField(max_length=36, blank=True)
    # The run whose questions this one answers, and the run that answers this one's.
    continues = models.CharField(max_length=36, blank=True)
    continued_by = models.CharField(max_length=36, blank=True)
    # What a person answered, a list of {"id", "question", "value"}, and who that was.
    answers = models.JSONField(null=True, blank=True)
    answered_by = models.CharField(max_length=150, blank=True)
    # The key whose places it shares with other runs; see `executions.runner.entering`.
    concurrency_key = models.CharField(max_length=200, blank=True, editable=False)
    # SHA-256 of the token with which the agent may call back, and of the result that it sent.
    result_hash = models.CharField(max_length=64, blank=True, editable=False)
    result_digest = models.CharField(max_length=64, blank=True, editable=False)
    # The trace of the request or event that queued the run; see `moca.tracing`.
    trace_context = models.CharField(max_length=MOST_CHARACTERS, blank=True, editable=False)
    ttl = models.PositiveBigIntegerField(help_text="Epoch seconds after which the record goes.")

    # Whether it waits in the line of its key, in the process that puts it on record.
    waits_for_turn = False
    # The token itself, only in the process that sends it; see `executions.result_tokens`.
    result_token = ""
    # The tokens that the trigger's statistics have of an earlier end of this run.
    counted_tokens = 0
    # The ids of its trace for log lines, in the process that runs it.
    trace_ids: Mapping[str, str] = {}
    # What others continue its trace from, there.
    own_context = ""
    # The name of its trigger, if a list has read it.
    trigger_name: str | None = None

    objects: ClassVar[Any] = TriggerExecutionQuerySet.as_manager()

    dynamodb = Layout(
        "TRIGGER#{trigger_id}",
        "EXECUTION#{id}",
        indexes=[
            # Four partitions, because each takes a thousand writes a second.
            Index("GSI3", "EXECUTION#{id:4}", "{id}"),
            Index("GSI4", "RUNNING", "{lease_until}", when={"status": RunStatus.RUNNING}),
            Index("GSI5", "USER#{user_id}", "{id}"),
        ],
        # The names that the TypeScript service uses.
        attributes={"id": "executionId", "started_at": "executedAt", "error": "errorMessage"},
        absent={
            "status": Absent(
                _status_of_old,
                frozenset({RunStatus.COMPLETED, RunStatus.FAILED}),
                looks_at=("errorMessage",),
            ),
            "started_at": Absent(_start_of_old, frozenset(), looks_at=("startedAt",)),
            "error": Absent(_error_of_old, frozenset(), looks_at=("error",)),
        },
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "execution"
        indexes = [
            models.Index(fields=["trigger_id", "id"]),
            models.Index(fields=["user_id", "id"]),
            models.Index(fields=["status", "lease_until"]),
            models.Index(fields=["ttl"]),
        ]

    def __str__(self) -> str:
        return self.id

    def _do_update(self, base_qs: Any, *args: Any, **options: Any) -> Any:
        # The key of a record is its trigger and its id; see `dynamodb` above.
        return super()._do_update(base_qs.filter(trigger_id=self.trigger_id), *args, **options)

    @property
    def shown_outcome(self) -> str:
        """One of `Outcome`; empty while the run is under way, or with a status that is unknown."""
        if self.outcome or self.status not in (RunStatus.COMPLETED, RunStatus.FAILED):
            return self.outcome
        return outcome_of(RunStatus(self.status), self.error_code)

    @property
    def awaits_answer(self) -> bool:
        """Whether its questions wait for a person."""
        is_asking = bool(self.questions) and self.outcome == Outcome.INTERRUPTED
        return is_asking and not self.continued_by

    @property
    def said(self) -> Output:
        """The agent's output so far."""
        return Output.stored(self.output, self.output_tail, self.output_bytes)

    @property
    def is_cancelled(self) -> bool:
        """Whether the run ended because somebody cancelled it. It is no failure of the agent."""
        return self.shown_outcome == Outcome.CANCELLED

    def set_output(self, output: Output) -> None:
        """Set the agent's output; the caller saves it."""
        self.output, self.output_tail = output.head, output.tail
        self.output_bytes = output.total_bytes

    def find_trigger(self) -> Trigger | None:
        """The trigger of the execution; None if it was deleted."""
        named = Trigger.objects.filter(pk=self.trigger_id)
        # The trigger may be another user's by now, and the TypeScript service notes no user.
        own = named.filter(user_id=self.user_id).first() if self.user_id else None
        found: Trigger | None = own or named.first()
        return found

    @property
    def unfinished_key(self) -> dict[str, Any]:
        """The key of the record, and what it is until it is closed, or another attempt begins."""
        return {
            "trigger_id": self.trigger_id,
            "id": self.pk,
            "status": RunStatus.RUNNING,
            "attempt": self.attempt,
        }

    def is_lost(self, now: datetime) -> bool:
        """Whether the run is under way by its record, and its process has died."""
        if self.status != RunStatus.RUNNING:
            return False
        if self.process_id:
            return not has_lease(self.process_id, now)
        if self.lease_until or self.source:
            return self.lease_until is not None and self.lease_until < now
        return self.started_at < now - LONGEST_OF_OLD

    def close_if_lost(self, now: datetime) -> None:
        """Show a lost run as failed, before maintenance has closed its record; saves nothing."""
        if self.is_lost(now):
            self.close_as_lost()

    def close_as_lost(self) -> None:
        """Set that its process has died, or that none began it in time; saves nothing.

        A run that was handed over has an end that is not known instead.
        """
        was_begun = self.attempt > 0 or not self.source
        reason = LOST() if was_begun else NOT_PICKED_UP()
        if self.concurrency_key and not was_begun:
            reason = TURN_TOO_LATE()
        if self.handed_over_at:
            reason = UNREAD(session=self.session_id)
        self.status = RunStatus.FAILED
        reasons.put(self, "error", reason)
        self.outcome = outcome_of(RunStatus.FAILED, self.error_code)
        # The process may have died while the agent was at work, so the run is not retried.
        self.reached_agent = self.attempt > 0


def expiry(started_at: datetime) -> int:
    """When the record of a run expires, in epoch seconds."""
    return int((started_at + timedelta(days=settings.EXECUTION_TTL_DAYS)).timestamp())


def usage_map(reply: Reply) -> dict[str, int] | None:
    """Token counts in the form of the HTTP contract; None if the agent named none.

    `cacheReadTokens` and `cacheWriteTokens` are there only if they are not 0.
    """
    cached = {
        "cacheReadTokens": reply.cache_read_tokens,
        "cacheWriteTokens": reply.cache_write_tokens,
    }
    usage = {"inputTokens": reply.input_tokens, "outputTokens": reply.output_tokens}
    usage |= {name: count for name, count in cached.items() if count}
    return usage if any(usage.values()) else None


def tool_map(tool: ToolUse) -> dict[str, Any]:
    """A call of a tool as it is stored and as the API returns it.

    `id`, `name`, `input` and `atMs` are always there; `result` and `tookMs` once the tool has
    returned; `failed` only if it is true.
    """
    stored = {"id": tool.id, "name": tool.name, "input": tool.input, "atMs": tool.at_ms}
    if tool.result is not None:
        stored |= {"result": tool.result, "tookMs": tool.took_ms}
    return stored | ({"failed": True} if tool.failed else {})


def question_map(question: Question) -> dict[str, Any]:
    """A question to a person as it is stored; without `schema`, any answer is good."""
    stored = {"id": question.id, "text": question.text}
    return stored if question.schema is None else {**stored, "schema": question.schema}
