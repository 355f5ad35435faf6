"""Serializers of triggers, for the API, its OpenAPI document and files of triggers.

Descriptions of fields are texts of the OpenAPI document.
"""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from moca.api.fields import (
    Amount,
    Choice,
    Computed,
    Document,
    Flag,
    Id,
    Moment,
    Names,
    Number,
    Text,
)
from moca.api.json_schema import each, moment, text
from moca.api.serializers import MapSerializer, RowSerializer
from moca.times import iso
from triggers.catch_up import MOST_CAUGHT_UP
from triggers.models import (
    FOREVER,
    CatchUp,
    OnDeadline,
    Outcome,
    OverlapPolicy,
    ReasoningEffort,
    RunStatus,
    SyncState,
    Trigger,
    TriggerType,
)
from triggers.output_checks import MAX_TEXT, MAX_TEXTS
from triggers.validation import (
    MAX_DEBOUNCE_SECONDS,
    MAX_RUNS_PER_HOUR,
    MAX_TAG_LENGTH,
    MAX_TAGS,
    MAX_TEXT_PART,
    MAX_TOOL_LENGTH,
    MAX_TOOLS,
    MAX_WINDOW_MINUTES,
)

# How many of its next runs an answer tells.
NEXT_RUNS = 3


class ScheduleConfigSerializer(MapSerializer):
    """When the trigger fires."""

    expression = Text(
        "`cron(...)`, `rate(...)` or `at(...)` as EventBridge Scheduler has them, or five fields "
        "of cron. A schedule has it."
    )
    timezone = Text("An IANA name, such as `Asia/Tokyo`; UTC without.")
    start_date = Text("No runs before this time, in ISO 8601.", rules={"format": "date-time"})
    end_date = Text("No runs after this time, in ISO 8601.", rules={"format": "date-time"})
    flexible_time_window_minutes = Number(
        "Minutes within which a run may begin; 0 is exact.",
        rules={"minimum": 0, "maximum": MAX_WINDOW_MINUTES},
    )
    scheduler_arn = Text("The schedule in EventBridge Scheduler.", read_only=True)
    schedule_group_name = Text("Its group there.", read_only=True)


class EventConfigSerializer(MapSerializer):
    """What the trigger listens to: a source, or a pattern."""

    event_source_id = Text("One of `GET /events`.", rules={"maxLength": MAX_TEXT_PART})
    event_bus_name = Text("The EventBridge bus.", rules={"maxLength": MAX_TEXT_PART})
    event_pattern = Document(
        "Which events: an EventBridge event pattern, by itself or of the source's events.",
        rules={"minProperties": 1},
    )
    debounce_seconds = Number(
        "Seconds without a further event after which one run is made for all of them; each event "
        "runs at once without.",
        rules={"minimum": 0, "maximum": MAX_DEBOUNCE_SECONDS},
    )
    max_runs_per_hour = Number(
        "Runs that may begin within an hour; what comes beyond is dropped and counted.",
        rules={"minimum": 1, "maximum": MAX_RUNS_PER_HOUR},
    )
    rule_arn = Text("The rule in EventBridge.", read_only=True)


class OutputChecksSerializer(MapSerializer):
    """What the agent has to say, so that a run counts as a success."""

    not_empty = Flag("Whether it has to say anything.")
    contains = Names(
        "Texts that have to occur in the output, in just this spelling.",
        each={"minLength": 1, "maxLength": MAX_TEXT},
        rules={"maxItems": MAX_TEXTS},
    )
    json_schema = Document(
        "A JSON Schema (draft 2020-12) that the output has to fit. The output is then JSON, by "
        "itself or in a code block. Without regular expressions and references to other documents."
    )


class TriggerSerializer(RowSerializer):
    """What to ask which agent, and when.

    To serialize, pass `now` in the context: `nextRuns` are later than it.
    """

    decisive = frozenset({"type"})

    id = Id(read_only=True)
    user_id = Text("Whose it is.", read_only=True)
    name = Text()
    description = Text()
    type = Choice(TriggerType, "What fires the trigger.", required=True)
    enabled = Flag(
        "Whether it fires; true for a new trigger. It is false while the trigger is paused, and "
        "true ends the pause."
    )
    paused_at = Moment("When the pause began, while there is one.")
    paused_until = Moment("When it ends; without, once somebody resumes the trigger.")
    paused_by = Text("Who paused it.")
    pause_note = Text("Why.")
    agent_id = Text("The agent that is asked.")
    prompt = Text("What it is asked.")
    include_context = Flag(
        "Whether a section is added to the prompt that says which trigger fired, when and by what; "
        "true for a new trigger."
    )
    session_id = Text("The session in which all runs talk; each has its own without.")
    model_id = Text("The model; the agent's own without.")
    reasoning_effort = Choice(ReasoningEffort)
    working_directory = Text("Where the agent works.")
    enabled_tools = Names(
        "Names of the tools that the agent may use; its own without.",
        each={"minLength": 1, "maxLength": MAX_TOOL_LENGTH},
        rules={"maxItems": MAX_TOOLS},
        empty=(None,),
    )
    schedule_config = ScheduleConfigSerializer(required=False)
    event_config = EventConfigSerializer(required=False)
    created_at = Moment()
    updated_at = Moment(always=True)
    last_executed_at = Moment("When the last run began.")
    timeout_seconds = Number(
        "Seconds after which a run is cancelled, and has failed; 600 for a new trigger."
    )
    overlap_policy = Choice(
        OverlapPolicy,
        "Whether a run is skipped while the one before is still going, goes beside it, waits for "
        "it (one at the most), or has it cancelled and then begins. Without, a new schedule skips, "
        "and the runs of a new event trigger overlap.",
    )
    concurrency_key = Text(
        "Runs of the user's triggers with the same key share the places: `agent` for the agent, a "
        "name, or a value of the event such as `{{ event.detail.customer.id }}`; without, the "
        "trigger's own runs."
    )
    max_concurrent = Number(
        "How many runs of the key may be under way at once; 1 if there is a key. With the policy "
        "`allow`, further ones wait; with `skip`, they are dropped.",
        empty=(None, 0),
    )
    catch_up = Choice(
        CatchUp,
        "What runs late, after no scheduler was there to start it: what was due in the last "
        "minutes (`recent`, for a new trigger), nothing, the last one, or all, the newest "
        f"{MOST_CAUGHT_UP} at most. The rest is missed.",
    )
    max_retries = Number(
        "How often a run is tried again while the agent has not begun on it; 3 for a new trigger."
    )
    pause_after_failures = Number(
        "Failed runs in a row after which the trigger is disabled; never without.", empty=(None, 0)
    )
    answer_within_hours = Number(
        "Hours that a run waits for a person if the agent asks one. After that, it has failed; 72 "
        "for a new trigger."
    )
    begin_within_minutes = Number(
        "Minutes after its due time within which a run has to begin; without, a tenth of the time "
        "between two runs, from 2 to 30 minutes.",
        empty=(None, 0),
    )
    run_within_seconds = Number(
        "Seconds after which a run takes too long; any time up to the timeout without.",
        empty=(None, 0),
    )
    on_deadline = Choice(
        OnDeadline,
        "Whether a run that begins too late or takes too long is told alone, or cancelled as well; "
        "`warn` for a new trigger.",
    )
    max_tokens_per_run = Number(
        "Tokens, read and written, after which a run is cancelled; no limit without.",
        empty=(None, 0),
    )
    max_cost_per_run = Amount(
        "Money after which a run is cancelled, by the prices that operators have entered.",
        empty=(None, 0),
        rules={"exclusiveMinimum": 0},
    )
    max_tokens_per_day = Number(
        "Tokens a day, in the time zone of the schedule. Once they are used up, the trigger is "
        "paused until the next day.",
        empty=(None, 0),
    )
    max_tokens_per_month = Number(
        "Tokens a month. Once they are used up, the trigger is paused until the next month.",
        empty=(None, 0),
    )
    max_cost_per_day = Amount("Money a day.", empty=(None, 0), rules={"exclusiveMinimum": 0})
    max_cost_per_month = Amount("Money a month.", empty=(None, 0), rules={"exclusiveMinimum": 0})
    output_checks = OutputChecksSerializer(required=False)
    tags = Names(
        each={"minLength": 1, "maxLength": MAX_TAG_LENGTH},
        of_each="Letters and digits of any script, without combining marks, spaces and "
        "`. : / @ + - _`.",
        rules={"maxItems": MAX_TAGS, "uniqueItems": True},
    )
    next_runs = Computed(
        each(moment(), "The next three, of an enabled schedule.", maxItems=NEXT_RUNS), empty=(None,)
    )
    schedule_description = Computed(text("The schedule in words."))
    sync_state = Choice(SyncState, "Whether the scheduler knows the trigger as it is.")
    sync_error = Text("Why the scheduler does not know the trigger as it is.")
    last_status = Choice(RunStatus, "How a run is.")
    last_outcome = Choice(Outcome, "How a run ended.", name="RunOutcome")
    skipped_runs = Number(
        "Runs that were due, or events that came, and that did not run.",
        always=False,
        empty=(None, 0),
    )
    last_skipped_at = Moment("When the last of them was due.")
    last_skip_reason = Text("Why it did not run.")
    consecutive_failures = Number("Failed runs in a row, up to the last.")
    version = Number("Counts the changes; `If-Match` takes it.")

    class Meta:
        model = Trigger

    def get_next_runs(self, trigger: Trigger) -> list[str] | None:
        schedule = trigger.schedule if trigger.enabled else None
        after = trigger.due_after(self.context["now"])
        if schedule is None or after is None:
            return None
        runs = schedule.next_runs(after, NEXT_RUNS, anchor=trigger.anchor)
        return [iso(run) for run in runs]

    def get_schedule_description(self, trigger: Trigger) -> str | None:
        return trigger.schedule_description

    def to_representation(self, instance: Trigger) -> dict[str, Any]:
        """The trigger as an answer: a paused one is not enabled, and says until when."""
        answer = super().to_representation(instance)
        if instance.paused_until is None:
            return answer
        if not instance.is_paused(self.context["now"]):
            for name in ("pausedAt", "pausedUntil", "pausedBy", "pauseNote"):
                answer.pop(name, None)
            return answer
        if instance.paused_until == FOREVER:
            del answer["pausedUntil"]
        return answer | {"enabled": False}

    def complete(self, row: Trigger, body: Mapping[str, Any]) -> None:
        """Set the overlap policy that suits a new trigger's type, if the request names none."""
        if "overlapPolicy" not in body:
            row.overlap_policy = OverlapPolicy.default_for(row.type)

    def assign(self, row: Trigger, attribute: str, value: Any) -> None:
        """Set an attribute; `enabled` by the model's methods, which reset what goes with it."""
        if attribute != "enabled":
            super().assign(row, attribute, value)
        elif value and not row.fires(timezone.now()):
            row.enable()
        elif not value and row.fires(timezone.now()):
            row.disable()
