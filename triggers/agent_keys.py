"""The rules for what agents write and run with their API keys; `triggers.services` applies them.

What such an agent writes is marked, fires at most so often, and waits for a person who enables it.
A key with `may_enable` needs no person.
"""

from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from moca.api.errors import QUOTA, TOO_FREQUENT
from moca.authentication.api_keys.grant import Grant, key_of
from moca.authentication.api_keys.model import APIKey
from triggers.models import Trigger, TriggerType
from triggers.schedules.intervals import smallest_gap

# Fields that do not say what a trigger does.
HARMLESS = {
    *("name", "description", "tags", "enabled", "version", "updated_at", "waits_for_person"),
    *("paused_at", "paused_until", "paused_by", "pause_note", "consecutive_failures"),
    *("paused_reason", "paused_reason_code", "paused_reason_params", "user_id"),
}
MINUTE = timedelta(minutes=1)


class WaitsForPersonError(Exception):
    """A person has to enable the trigger before this agent may run it."""

    def __init__(self) -> None:
        super().__init__(
            _("An agent wrote this trigger: a person has to enable it before the agent may run it.")
        )


def mark_new(trigger: Trigger, *, by: str) -> None:
    """Note on a new trigger which API key creates it, and apply the limits of an agent's.

    Raises:
        ValidationError: the trigger fires too often, or the key has created too many.
    """
    key = key_of(by)
    if key is None:
        return
    trigger.created_by_key, trigger.created_by_name = key.id, key.name
    trigger.created_by_agent = key.is_agent
    if not key.is_agent:
        return
    _check_interval(trigger, key)
    _check_number(key)
    if not key.may_enable:
        _make_wait(trigger)


def count_new(trigger: Trigger, *, by: str) -> None:
    """Count a trigger that an agent creates, in the transaction that stores it.

    Raises:
        ConflictError: others have reached the limit meanwhile, or the key was revoked.
    """
    key = key_of(by)
    if key is not None and key.is_agent and key.has_row:
        below = APIKey.objects.filter(pk=key.id, made_triggers__lt=_most(key))
        below.update_expected(made_triggers=F("made_triggers") + 1)


def count_deleted(trigger: Trigger) -> None:
    """Uncount a deleted trigger of an agent, if the key is still there."""
    if trigger.created_by_agent:
        rows = APIKey.objects.filter(pk=trigger.created_by_key, made_triggers__gt=0)
        rows.update(made_triggers=F("made_triggers") - 1)


def mark_change(trigger: Trigger, *, by: str) -> None:
    """Apply the rules to a changed trigger, which is not saved yet.

    Raises:
        ValidationError: an agent enables it that may not, or it fires too often.
    """
    key, now = key_of(by), timezone.now()
    changed = trigger.changed_fields()
    if key is None or not key.is_agent:
        if trigger.enabled and "enabled" in changed:
            trigger.waits_for_person = False
        return
    if changed & {"type", "schedule_config", "event_config"}:
        _check_interval(trigger, key)
    if key.may_enable:
        if trigger.enabled:
            trigger.waits_for_person = False
        return
    if trigger.fires(now) and not _fired(trigger):
        message = _("A person has to enable this trigger: this key is an agent's.")
        raise ValidationError({"enabled": ValidationError(message, code="waits_for_person")})
    if changed - HARMLESS:
        _make_wait(trigger)


def check_may_run(trigger: Trigger, *, by: str) -> None:
    """Raise WaitsForPersonError if an agent must not run a trigger that waits for a person."""
    key = key_of(by)
    if key is not None and key.is_agent and not key.may_enable and trigger.waits_for_person:
        raise WaitsForPersonError


def _make_wait(trigger: Trigger) -> None:
    if trigger.enabled:
        trigger.disable()
    trigger.waits_for_person = True


def _fired(trigger: Trigger) -> bool:
    """Whether the trigger fired before the change."""
    until = trigger.loaded_value("paused_until")
    is_paused = until is not None and until > timezone.now()
    return bool(trigger.loaded_value("enabled")) and not is_paused


def _most(key: Grant) -> int:
    return key.max_triggers or int(settings.AGENT_KEY_MAX_TRIGGERS)


def _check_number(key: Grant) -> None:
    if _number(key) >= _most(key):
        message = _("%(most)s triggers of this API key exist, the most it may have: delete one.")
        raise ValidationError(message % {"most": _most(key)}, code=QUOTA)


def _number(key: Grant) -> int:
    """How many triggers exist that an agent created by a key, or by its person's token."""
    if key.has_row:
        row = APIKey.objects.filter(pk=key.id).first()
        return row.made_triggers if row else 0
    # No row counts these. Agents that create at the same moment may exceed the limit by some.
    made = Trigger.objects.of_user(key.user_id).filter(created_by_key=key.id)
    return len(made.only("id")[: _most(key)])


def _check_interval(trigger: Trigger, key: Grant) -> None:
    least = key.min_interval_minutes
    minutes = int(settings.AGENT_KEY_MIN_INTERVAL) if least is None else least
    if not minutes:
        return
    if trigger.type == TriggerType.SCHEDULE:
        _check_schedule(trigger, minutes)
    else:
        _check_events(trigger, minutes)


def _check_schedule(trigger: Trigger, minutes: int) -> None:
    schedule = trigger.schedule
    gap = smallest_gap(schedule.expression, timezone.now()) if schedule else None
    if gap is None or gap >= minutes * MINUTE:
        return
    message = _(
        "This fires too often for an agent: %(gap)s min lie between two of its runs, and at least "
        "%(least)s min have to. Choose a longer interval."
    ) % {"gap": gap // MINUTE, "least": minutes}
    params = {"part": "expression"}
    raise ValidationError(
        {"schedule_config": ValidationError(message, code=TOO_FREQUENT, params=params)}
    )


def _check_events(trigger: Trigger, minutes: int) -> None:
    subscription = trigger.subscription
    most = max(1, 60 // minutes)
    if subscription is None or (subscription.runs_per_hour or most + 1) <= most:
        return
    message = _("An agent has to limit the runs of its triggers: give a number from 1 to %(most)s.")
    params = {"part": "maxRunsPerHour"}
    error = ValidationError(message % {"most": most}, code=TOO_FREQUENT, params=params)
    raise ValidationError({"event_config": error})
